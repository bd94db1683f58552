"""A worker of a multi-worker training on this machine: a child that runs a command."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from tfpipe.processes.child import Child
from tfpipe.processes.lifeline import READY

_ERRORS_KEPT = 16_384  # bytes


class Worker(Child):
    """A running worker; its log is appended to when there is one already.

    Args:
        index: which one; what the chief, 0, prints is shown on the terminal as well.
        command: its program and arguments.
        logs: the folder of its log.
    """

    def __init__(self, index: int, command: Sequence[str], logs: Path) -> None:
        super().__init__(logs / f"worker-{index}.log")
        self.index = index
        self._errors = bytearray()  # the last of what the chief wrote to standard error
        self._ready_file = logs / f"worker-{index}.ready"
        self._ready_file.unlink(missing_ok=True)
        with self.log.open("ab", buffering=0) as file:
            output = file if index else subprocess.PIPE
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=os.environ | {READY: str(self._ready_file.absolute())},
                # Ctrl-C in the terminal is for the supervisor alone, which passes it on in its way.
                start_new_session=True,
            )
        self.started(self._process.pid, self._process.poll)
        self._copying = [
            threading.Thread(target=self._copy, args=(stream, show), daemon=True)
            for stream, show in ((self._process.stdout, _show), (self._process.stderr, self._keep))
            if stream is not None
        ]
        for thread in self._copying:
            thread.start()

    @property
    def late(self) -> bool:
        """Whether it runs and has not said that it is up."""
        return self.poll() is None and not self._ready_file.exists()

    def close(self) -> None:
        """Kill it and what it has started, and wait for the last of what it printed."""
        self.kill()
        self._process.wait()
        self.poll()
        for thread in self._copying:
            thread.join(1.0)  # longer only when something else has kept its output open
        assert self._process.stdin
        self._process.stdin.close()

    def last_words(self) -> str:
        """Return what it said last: the chief's errors, another worker's log."""
        data = self.log.read_bytes() if self.index else bytes(self._errors)
        return data[-_ERRORS_KEPT:].decode(errors="replace")

    def _copy(self, stream: IO[bytes], show: Callable[[bytes], None]) -> None:
        """Copy what the chief prints into its log, and to where else it goes."""
        with stream, self.log.open("ab", buffering=0) as file:
            while data := os.read(stream.fileno(), 65536):
                file.write(data)
                show(data)

    def _keep(self, data: bytes) -> None:
        self._errors += data
        del self._errors[:-_ERRORS_KEPT]


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [server.getsockname()[1] for server in servers]


def _show(data: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # the terminal is closed; the log goes on
        sys.stdout.write(data.decode(errors="replace"))
        sys.stdout.flush()
