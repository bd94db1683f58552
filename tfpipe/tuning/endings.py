"""How a child ended: taking it away when it has, and saying why to people."""

import contextlib
import os
import re
import signal
import sys
from pathlib import Path

from tfpipe.data.memory import human
from tfpipe.tuning.child import Job

_LAST = 16_384  # bytes of a log
# What TensorFlow, NumPy, C++ and Linux say when an allocation fails.
_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|\bOOM\b|bad_alloc|[Oo]ut of memory"
    r"|[Cc]annot allocate memory|pthread_create\(\) failed|can't start new thread"
)
# Lines that tell what happened, in logs that go on with a stack.
_TELLING = re.compile(r"^(F\d{4} |Fatal Python error|terminate called|what\(\)|[\w.]+Error\b)")


def reap(pid: int) -> tuple[int, int] | None:
    """The exit code of a child that has ended, and the most memory that it held; None before.

    What it has left running is ended first: until the child is taken away, the number of its
    process group can be nobody else's. On Linux only.

    Args:
        pid: the child's process, a leader of a process group.
    """
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def kills_for_memory() -> int:
    """How often Linux has ended a process because memory ran out; 0 elsewhere."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except OSError:
        pass
    return 0


def is_about_memory(text: str) -> bool:
    """Whether an error, or the end of a log, says that memory could not be had."""
    return _MEMORY.search(text) is not None


def explain(
    job: Job, code: int, *, peak: int = 0, asked: bool = False, kernel: bool = False
) -> tuple[str, str]:
    """Why a child ended that left no word: what kind of end it was, and a sentence.

    Args:
        job: what it was to do.
        code: its exit code; negative for the signal that ended it.
        peak: the most memory that it held, in bytes; 0 when nobody knows.
        asked: whether the searching process had asked it to end.
        kernel: whether the kernel ended processes for lack of memory while it ran.

    Returns:
        "memory", "killed" or "crashed", and the reason.
    """
    said, held = _last_words(job.log), f" when it held {human(peak)}" if peak else ""
    how = described(code)
    if code == -signal.SIGKILL and kernel and not asked:
        return "memory", (
            f"The memory of this computer ran out, and the system ended the trial{held}. Use a "
            "smaller batch_size, a smaller model or fewer workers."
        )
    if code in _ended_by("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"):
        by = "the search" if asked else "something else than the search"
        return "killed", f"The trial was ended by {by} ({how}){held}."
    if is_about_memory(said) or _near(job.memory, peak):
        limit = f" It may hold {human(job.memory)} (--memory)." if job.memory else ""
        return "memory", (
            f"The trial ran out of memory ({how}){held}.{limit} Use a smaller batch_size or a "
            f"smaller model. Its log: {job.log}"
        )
    words = _telling(said)
    last = f" Its last words: {words}" if words else ""
    return "crashed", f"The trial's process crashed ({how}){held}; its log: {job.log}.{last}"


def described(code: int) -> str:
    """How a process ended, for people: `exit code 1`, `SIGKILL`."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _ended_by(*names: str) -> list[int]:
    return [-getattr(signal, name) for name in names if hasattr(signal, name)]


def _near(limit: int | None, peak: int) -> bool:
    """Whether a process with a limit had used most of it: then a crash is one of memory.

    TensorFlow asks for large pieces at once, so that what it could not have was never held.
    """
    return limit is not None and sys.platform == "linux" and peak > limit / 2


def _last_words(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _telling(said: str) -> str:
    """The line of a log that tells what happened; the last one where none does."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.match(line)]
    return (telling or lines or [""])[-1]
