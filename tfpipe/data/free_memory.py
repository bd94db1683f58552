"""How much memory there is, for deciding what to keep in it."""

from pathlib import Path

import psutil

# Decoded data may take this share of the memory that is free when it is loaded; the rest is for
# the model, its gradients and everybody else.
SHARE = 0.5

_CGROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Free bytes: what the system has, or what the container is still allowed.

    File pages that the kernel would give back, such as those of data just read, count as free.
    """
    free = int(psutil.virtual_memory().available)
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        parts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such limit: the file says "max" or is not there
        return free
    return min(free, max(0, limit - used + int(parts.get("inactive_file", 0))))


def fits(size: int) -> bool:
    """Return whether `size` bytes are within the share of free memory that data may take."""
    return size <= SHARE * available()
