"""A child process: its exit code and the reason of it, its peak memory, its end with its group."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from tfpipe.processes.exit_reason import ExitReason, describe, reason_of_exit
from tfpipe.processes.memory import count_oom_kills, peak_memory

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way to end a process


class Child:
    """A child process, the leader of a process group of its own.

    Args:
        log: the file that it prints to.
        memory: the bytes that it may hold; no limit when None.
    """

    def __init__(self, log: Path, memory: int | None = None) -> None:
        self.log, self._limit = log, memory
        self.pid: int | None = None  # None until it runs
        self.exit_code: int | None = None  # None until it has ended; negative: a signal ended it
        self.peak_memory = 0  # in bytes; 0 when unknown
        self.signals: list[int] = []  # what was sent to it
        self.forked = False  # whether from the fork server, with everything imported
        self._log_start = log.stat().st_size if log.exists() else 0
        self._kills_before = count_oom_kills()
        self._oom_kills: bool | None = None  # whether the kernel killed for memory meanwhile
        self._get_exit_code: Callable[[], int | None] = lambda: None

    def started(self, pid: int, get_exit_code: Callable[[], int | None]) -> None:
        """Take note of the process.

        Args:
            pid: its number.
            get_exit_code: returns its exit code, and None while it runs.
        """
        self.pid, self._get_exit_code = pid, get_exit_code

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; once it has ended, end what it started."""
        if self.exit_code is None and self.pid is not None:
            self.peak_memory = max(self.peak_memory, peak_memory(self.pid))
            self.exit_code = self._get_exit_code()
            if self.exit_code is not None:
                if not psutil.pid_exists(self.pid):  # nor is it while its group has members
                    self._kill_group()
                kills = count_oom_kills()
                if kills is not None and self._kills_before is not None:
                    self._oom_kills = kills > self._kills_before
        return self.exit_code

    def terminate(self) -> None:
        """Ask it to save its state and end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        self._send(_KILL)

    @property
    def how(self) -> str:
        """How it ended, in words: `exit code 1`, `SIGKILL`."""
        return "still running" if self.exit_code is None else describe(self.exit_code)

    def exit_reason(self) -> ExitReason:
        """Return why it ended, where it left no word itself."""
        return reason_of_exit(
            self.exit_code or 0,
            self.log,
            log_start=self._log_start,
            peak=self.peak_memory,
            limit=self._limit,
            stopped=bool(self.signals),
            oom_kills=self._oom_kills,
        )

    def _send(self, number: int) -> None:
        if self.exit_code is not None:
            return
        self.signals.append(number)
        if self.pid is None:
            self.exit_code = -number
        elif number != _KILL or not self._kill_group():  # at first it leads no group yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def _kill_group(self) -> bool:
        """Kill its process group; return whether there is one."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.pid is not None and hasattr(os, "killpg"):
                os.killpg(self.pid, _KILL)
                return True
        return False
