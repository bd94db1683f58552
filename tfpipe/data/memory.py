"""How much memory there is, for deciding what to keep in it."""

from pathlib import Path

import psutil

# Decoded data may take this share of the memory that is free when it is loaded; the rest is for
# the model, its gradients and everybody else.
SHARE = 0.5

_CGROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Free bytes: what the system has, or what the container is still allowed."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, max(0, int(limit) - used)) if limit.isdigit() else free


def fits(size: int) -> bool:
    """Whether `size` bytes are within the share of free memory that data may take."""
    return size <= SHARE * available()


def human(size: float) -> str:
    """Bytes for people: `154 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")
