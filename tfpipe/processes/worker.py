"""Processes of this machine as workers: starting one, copying what it prints, ending it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tfpipe.processes.exit_reason import described
from tfpipe.processes.supervised import READY

ERRORS_KEPT = 16_384  # bytes


@dataclass
class Worker:
    """A running worker.

    Args:
        index: which one; 0 is the chief.
        process: its process, the leader of a group of its own.
        log: what it prints.
        ready: the file that it makes when it is up.
        errors: the last of what the chief wrote to standard error.
        copying: the threads that copy what the chief prints.
    """

    index: int
    process: subprocess.Popen[bytes]
    log: Path
    ready: Path
    errors: bytearray = field(default_factory=bytearray)
    copying: list[threading.Thread] = field(default_factory=list)

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    @property
    def late(self) -> bool:
        """Whether it runs and has not said that it is up."""
        return self.code is None and not self.ready.exists()

    @property
    def how(self) -> str:
        """How it ended, for people."""
        how = described(self.code or 0)
        return how if self.code is None or self.code >= 0 else f"by {how}"

    def kill(self) -> None:
        """End it, and all that it has started: it leads a group of its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def close(self) -> None:
        """Wait for its end, and for the last of what it printed."""
        self.process.wait()
        for thread in self.copying:
            thread.join(1.0)  # longer only when something else has kept its output open
        if self.process.stdin:
            self.process.stdin.close()

    def last_words(self) -> str:
        """What it said last: the chief's errors, another worker's log."""
        data = bytes(self.errors) if self.index == 0 else self.log.read_bytes()
        return data[-ERRORS_KEPT:].decode(errors="replace")


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as sockets:
        servers = [
            sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [server.getsockname()[1] for server in servers]


def start_worker(index: int, command: Sequence[str], logs: Path) -> Worker:
    """A worker that runs; its log is written on when there is one already.

    Args:
        index: which one; what the chief, 0, prints is shown on the terminal as well.
        command: its program and arguments.
        logs: the folder of its log.
    """
    log, ready = logs / f"worker-{index}.log", logs / f"worker-{index}.ready"
    ready.unlink(missing_ok=True)
    chief = index == 0
    with log.open("ab", buffering=0) as file:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if chief else file,
            stderr=subprocess.PIPE if chief else file,
            env=os.environ | {READY: str(ready.absolute())},
            # Ctrl-C in the terminal is for the supervisor alone, which passes it on in its way.
            start_new_session=True,
        )
    worker = Worker(index, process, log, ready)
    if chief:
        assert process.stdout
        assert process.stderr
        worker.copying = [
            _copying(process.stdout, log, _show),
            _copying(process.stderr, log, lambda data: _keep(worker.errors, data)),
        ]
    return worker


def _copying(stream: IO[bytes], log: Path, also: Callable[[bytes], None]) -> threading.Thread:
    """Copy what the chief prints into its log, and to where else it goes."""

    def copy() -> None:
        with stream, log.open("ab", buffering=0) as file:
            while data := os.read(stream.fileno(), 65536):
                file.write(data)
                also(data)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread


def _show(data: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # the person's end is closed; the log goes on
        sys.stdout.write(data.decode(errors="replace"))
        sys.stdout.flush()


def _keep(kept: bytearray, data: bytes) -> None:
    kept += data
    del kept[:-ERRORS_KEPT]
