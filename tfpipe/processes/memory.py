"""How much memory a process has held, and how often the kernel ran out of it."""

import contextlib
import sys
from pathlib import Path

import psutil

_STATISTICS = Path("/proc/vmstat")


def peak_memory(pid: int | None = None) -> int:
    """Return the most memory that a process has held so far, in bytes; 0 if it has ended.

    Args:
        pid: the process; this one when None.
    """
    with contextlib.suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
        # Not ru_maxrss: that counts what the parent held before it started this process.
        return next((int(x.split()[1]) * 1024 for x in lines if x.startswith("VmHWM:")), 0)
    if sys.platform != "linux":
        with contextlib.suppress(psutil.Error):
            usage = psutil.Process(pid).memory_info()
            return int(getattr(usage, "peak_wset", usage.rss))
    return 0


def count_oom_kills() -> int | None:
    """Return how many processes the kernel has killed for memory; None where it does not count."""
    try:
        lines = _STATISTICS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
