"""Why a process ended: an exit code, a signal, out of memory, NaN; for programs and for people."""

import contextlib
import os
import re
import signal
from pathlib import Path
from typing import NamedTuple

from tfpipe.errors import OutOfMemory, TfpipeError, TrainingError
from tfpipe.text import byte_size

_LOG_TAIL = 65_536  # bytes; the names of all modules, after a crash, take 10,000
# What TensorFlow, NumPy, C++ and Linux say when an allocation fails.
_OUT_OF_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|\bOOM\b|bad_alloc|[Oo]ut of memory"
    r"|[Cc]annot allocate memory|pthread_create\(\) failed|can't start new thread"
    r"|Cannot parse tensor from proto"  # a constant for which there is no room
)
# Lines that say what happened, in logs that go on with a stack.
_ERROR_LINE = re.compile(r"^(F\d{4} |Fatal Python error|terminate called|what\(\)|[\w.]+Error\b)")


class ExitReason(NamedTuple):
    """Why training in a process of its own ended before it was done.

    Args:
        kind: "memory", "killed", "crashed", "nan", or the name of an exception.
        text: a sentence for people.
    """

    kind: str
    text: str


def describe(code: int) -> str:
    """Return an exit code in words, negative ones being signals: `exit code 1`, `SIGKILL`."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def is_out_of_memory(text: str) -> bool:
    """Return whether an error, or the end of a log, says that memory could not be allocated."""
    return _OUT_OF_MEMORY.search(text) is not None


def reason_of_error(error: BaseException) -> ExitReason:
    """Return the reason of a process whose training ended by an exception."""
    text, name = str(error), type(error).__name__
    if isinstance(error, TfpipeError):
        kinds: dict[type, str] = {OutOfMemory: "memory", TrainingError: "nan"}
        return ExitReason(kinds.get(type(error), name), text)
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    text = f"{name}: {first_line}"
    return ExitReason("memory" if is_out_of_memory(text) else name, text)


def reason_of_exit(
    code: int,
    log: Path,
    *,
    log_start: int = 0,
    peak: int = 0,
    limit: int | None = None,
    stopped: bool = False,
    oom_kills: bool | None = None,
) -> ExitReason:
    """Return the reason of a trial's process that ended without giving one.

    Args:
        code: its exit code; negative for the signal that ended it.
        log: the file that it printed to.
        log_start: where in the log its own words begin, in bytes.
        peak: the most memory that it held, in bytes; 0 when unknown.
        limit: the most that it may hold, in bytes; None without a limit.
        stopped: whether the search had sent it a signal.
        oom_kills: whether the kernel killed processes for lack of memory while it ran; None when
            unknown.
    """
    how, held = describe(code), f" when it held {byte_size(peak)}" if peak else ""
    if code in _codes("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"):
        if stopped:
            return ExitReason("killed", f"The search ended the trial ({how}{held}).")
        if code in _codes("SIGKILL") and oom_kills:
            return ExitReason(
                "memory",
                "The memory of this computer ran out, and the system ended the trial "
                f"({how}{held}). Use a smaller batch_size, a smaller model or fewer workers.",
            )
        hint = " The system does so when memory runs out." if oom_kills is None else ""
        return ExitReason(
            "killed", f"Something else than the search ended the trial ({how}{held}).{hint}"
        )
    output = _tail(log, log_start)
    # TensorFlow asks for large pieces at once: what it could not have was never held. Where not
    # even a thread could start, the C library ends the process with 127.
    crashed = code in (*_codes("SIGABRT", "SIGSEGV", "SIGBUS"), 127)
    if is_out_of_memory(output) or (crashed and limit is not None and peak > limit / 2):
        allowed = f" It may hold {byte_size(limit)} (--memory)." if limit else ""
        return ExitReason(
            "memory",
            f"The trial ran out of memory ({how}){held}.{allowed} Use a smaller batch_size or a "
            f"smaller model. Its log: {log}",
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if _ERROR_LINE.match(line)] or lines
    last = f" Its last words: {telling[-1]}" if telling else ""
    return ExitReason("crashed", f"The trial's process ended ({how}){held}; its log: {log}.{last}")


def _codes(*names: str) -> list[int]:
    """Return the exit codes of processes that these signals ended, where the system has them."""
    return [-getattr(signal, name) for name in names if hasattr(signal, name)]


def _tail(log: Path, start: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - _LOG_TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
