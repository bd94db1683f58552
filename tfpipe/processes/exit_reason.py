"""How a child ended: taking it away when it has, and saying why to people."""

import contextlib
import os
import re
import signal
from pathlib import Path

from tfpipe.processes.child import ChildJob
from tfpipe.text import byte_size

_COUNTS = Path("/proc/vmstat")
_LAST = 65_536  # bytes of a log; the names of all modules, after a crash, take 10,000
# What TensorFlow, NumPy, C++ and Linux say when an allocation fails.
_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|\bOOM\b|bad_alloc|[Oo]ut of memory"
    r"|[Cc]annot allocate memory|pthread_create\(\) failed|can't start new thread"
    r"|Cannot parse tensor from proto"  # a constant for which there is no room
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


def not_started(job: ChildJob, error: OSError) -> int:
    """Say in the log of a job why it has no process; the exit code of what did not start."""
    with contextlib.suppress(OSError), job.log.open("a") as log:
        log.write(f"The process cannot be started: {error}\n")
    return 1


def kills_for_memory() -> int | None:
    """How often Linux has ended a process because memory ran out; None where nobody counts."""
    try:
        lines = _COUNTS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def is_about_memory(text: str) -> bool:
    """Whether an error, or the end of a log, says that memory could not be had."""
    return _MEMORY.search(text) is not None


def explain(
    job: ChildJob,
    code: int,
    *,
    since: int = 0,
    peak: int = 0,
    asked: bool = False,
    kernel: bool | None = None,
) -> tuple[str, str]:
    """Why a child ended that left no word: what kind of end it was, and a sentence.

    Args:
        job: what it was to do.
        code: its exit code; negative for the signal that ended it.
        since: where in the log its own words begin, in bytes.
        peak: the most memory that it held, in bytes; 0 when nobody knows.
        asked: whether the searching process had asked it to end.
        kernel: whether the kernel ended processes for lack of memory while it ran; None when
            nobody knows.

    Returns:
        "memory", "killed" or "crashed", and the reason.
    """
    how, held = described(code), f" when it held {byte_size(peak)}" if peak else ""
    if code in _signals("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"):
        return _killed(code, how + held, asked, kernel)
    last_words, words = _last_words(job.log, since), ""
    if is_about_memory(last_words) or _near(job.memory, peak, code):
        limit = f" It may hold {byte_size(job.memory)} (--memory)." if job.memory else ""
        return "memory", (
            f"The trial ran out of memory ({how}){held}.{limit} Use a smaller batch_size or a "
            f"smaller model. Its log: {job.log}"
        )
    if telling := _telling(last_words):
        words = f" Its last words: {telling}"
    return "crashed", f"The trial's process ended ({how}){held}; its log: {job.log}.{words}"


def _killed(code: int, how: str, asked: bool, kernel: bool | None) -> tuple[str, str]:
    """The end of a child that something has ended."""
    if asked:
        return "killed", f"The search ended the trial ({how})."
    if code in _signals("SIGKILL") and kernel:
        return "memory", (
            f"The memory of this computer ran out, and the system ended the trial ({how}). Use a "
            "smaller batch_size, a smaller model or fewer workers."
        )
    maybe = " The system does so when memory runs out." if kernel is None else ""
    return "killed", f"Something else than the search ended the trial ({how}).{maybe}"


def described(code: int) -> str:
    """How a process ended, for people: `exit code 1`, `SIGKILL`."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _signals(*names: str) -> list[int]:
    """The exit codes of processes that were ended by these."""
    return [-getattr(signal, name) for name in names if hasattr(signal, name)]


def _near(limit: int | None, peak: int, code: int) -> bool:
    """Whether a process crashed that had used most of what it may hold: then for lack of more.

    TensorFlow asks for large pieces at once, so that what it could not have was never held. Where
    not even a thread could start, the C library ends the process with 127.
    """
    crashes = (*_signals("SIGABRT", "SIGSEGV", "SIGBUS"), 127)
    return limit is not None and code in crashes and peak > limit / 2


def _last_words(log: Path, since: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(since, file.seek(0, os.SEEK_END) - _LAST))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _telling(last_words: str) -> str:
    """The line of a log that tells what happened; the last one where none does."""
    lines = [line.strip() for line in last_words.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.match(line)]
    return (telling or lines or [""])[-1]
