"""A pool of child processes, forked from one that has imported TensorFlow once.

On Linux each child is a fork of that process, and begins with everything imported; elsewhere, and
where that process must not be forked, each is a Python of its own. No child outlives the process
that searches, nor the one that it was forked from.

    with ProcessPool(["tfpipe.tuning.trial"]) as pool:
        child = pool.start(ChildJob("tfpipe.tuning.trial", argument, log))
        while child.code is None:
            pool.poll(0.2)
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import psutil

from tfpipe.processes.child import ChildJob
from tfpipe.processes.exit_reason import described, explain, kills_for_memory, not_started, reap

__all__ = ["Child", "ChildJob", "ProcessPool", "exit_reason"]

_PATIENCE = 10.0  # seconds for the fork server to end the children and itself
_EVERY = 0.05  # seconds between two looks at processes that nobody reports
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way to end a process


class _Host(Protocol):
    """What a child is run by."""

    def signal(self, child: "Child", number: int) -> None: ...


class Child:
    """A child that does a job, or has done it.

    Args:
        job: what it does.
    """

    def __init__(self, job: ChildJob) -> None:
        self.job = job
        self.pid: int | None = None  # None until it runs
        self.code: int | None = None  # None until it has ended; negative: a signal ended it
        self.peak = 0  # the most memory that it held, in bytes; 0 where nobody knows
        self.asked: list[int] = []  # the signals that were sent to it
        self.began_at = _size(job.log)  # where in the log its own words begin, in bytes
        # Whether the kernel ended processes for lack of memory in its time, where that is counted.
        self.kernel: bool | None = None
        self._kills = kills_for_memory()
        self._host: _Host | None = None
        self._process: psutil.Process | None = None  # knows it from a later one of its number

    @property
    def how(self) -> str:
        """How it ended, for people: `exit code 1`, `SIGKILL`."""
        return "still running" if self.code is None else described(self.code)

    @property
    def forked(self) -> bool:
        """Whether it is a fork, and no Python of its own."""
        return isinstance(self._host, _Server)

    def terminate(self) -> None:
        """Ask it to save its state and end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        self._send(_KILL)

    def _send(self, number: int) -> None:
        if self.code is None and self._host is not None:
            self.asked.append(number)
            self._host.signal(self, number)

    def _begin(self, pid: int) -> None:
        self.pid = pid
        with contextlib.suppress(psutil.Error):
            self._process = psutil.Process(pid)

    def _end(self, code: int, peak: int = 0) -> None:
        self.code, self.peak = code, peak
        now = kills_for_memory()
        self.kernel = None if now is None or self._kills is None else now > self._kills


def exit_reason(child: Child) -> tuple[str, str]:
    """Why a child ended that left no word: "memory", "killed" or "crashed", and a sentence."""
    return explain(
        child.job,
        0 if child.code is None else child.code,
        since=child.began_at,
        peak=child.peak,
        asked=bool(child.asked),
        kernel=child.kernel,
    )


class ProcessPool:
    """Starts children, and says what becomes of them. For one thread alone.

    Args:
        modules: what to import beforehand, beside TensorFlow.
        log: the file for what that prints; nowhere when None.
        fork: whether to fork; where it can be done when None.
        tensorflow: whether to import that too; it takes seconds, which tests do without.
    """

    def __init__(
        self,
        modules: Sequence[str] = (),
        *,
        log: Path | None = None,
        fork: bool | None = None,
        tensorflow: bool = True,
    ) -> None:
        self._modules, self._log = ("tensorflow",) * tensorflow + tuple(modules), log
        self._fork = sys.platform == "linux" if fork is None else fork
        self._running: list[Child] = []
        self.why_not = ""  # why children are not forked, where they could have been
        # It imports while others prepare.
        self._server = _Server(self._modules, log) if self._fork else None

    def __enter__(self) -> "ProcessPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, job: ChildJob) -> Child:
        """A child for a job; it runs soon."""
        self._look(0)
        child = Child(job)
        if self._fork:
            if self._server is None:
                self._server = _Server(self._modules, self._log)
            self._server.start(child)
        else:
            _Alone(child)
        self._running.append(child)
        return child

    def poll(self, seconds: float = 0.0) -> list[Child]:
        """The children that have ended since the last time.

        Args:
            seconds: how long to wait for the first of them; 0 does not wait.
        """
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            self._look(min(max(left, 0.0), _EVERY))
            ended = [child for child in self._running if child.code is not None]
            self._running = [child for child in self._running if child.code is None]
            if ended or left <= 0:
                return ended

    def close(self) -> None:
        """End all children at once, and wait for their ends."""
        self._look(0)
        if self._server is not None and not self._server.ready:
            self._server.gone = True  # it has no children yet, and may be importing for long
        for child in self._running:
            child.kill()
        until = time.monotonic() + _PATIENCE
        while self._running and time.monotonic() < until:
            self.poll(_EVERY)
        if self._server is not None:
            self._server.close()
            self._server = None

    def _look(self, seconds: float) -> None:
        """See what has become of the children, waiting so long for the fork server's word."""
        server = self._server
        if server is not None:
            server.read(seconds)
            if server.gone:
                self._without(server)
        elif seconds:
            time.sleep(seconds)
        for child in self._running:
            if child.code is None and isinstance(child._host, _Alone | _Orphan):
                child._host.look(child)

    def _without(self, server: "_Server") -> None:
        """Go on without a fork server that is gone, or that must not be forked."""
        server.close()
        self._server = None
        if not server.ready:
            self._fork, self.why_not = False, server.why_not
        for child in server.children.values():
            if server.ready:
                _Orphan(child)
            elif child.asked:
                child._end(-child.asked[-1])
            else:
                _Alone(child)


class _Server:
    """The process that children are forked from; see `tfpipe.processes.fork_server`."""

    def __init__(self, modules: Sequence[str], log: Path | None) -> None:
        self.children: dict[int, Child] = {}
        self.ready = self.gone = False
        self.why_not = "the process that imports TensorFlow beforehand ended before it had"
        self._started, self._rest = 0, b""
        with _written_on(log) as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tfpipe.processes.fork_server", *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                start_new_session=True,  # Ctrl-C in the terminal is for the search alone
            )

    def start(self, child: Child) -> None:
        self._started += 1
        self.children[self._started] = child
        child._host = self
        self._tell(self._started, child.job.to_json())

    def signal(self, child: Child, number: int) -> None:
        self._tell(next(n for n, c in self.children.items() if c is child), number)

    def _tell(self, *what: Any) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it is gone, as the next reading shows
            self._process.stdin.write(json.dumps(what).encode() + b"\n")

    def read(self, seconds: float) -> None:
        """Take in what it has told, waiting so long for a first word."""
        assert self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not self.gone and selector.select(seconds):
                seconds = 0
                data = os.read(self._process.stdout.fileno(), 65536)
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._heard(*json.loads(line))
                self.gone = self.gone or not data

    def _heard(self, what: str, *given: Any) -> None:
        if what == "ready":
            (self.why_not,) = given
            self.ready = not self.why_not
            self.gone = not self.ready
        elif what == "began":
            self.children[given[0]]._begin(given[1])
        else:
            self.children.pop(given[0])._end(*given[1:])

    def close(self) -> None:
        """Leave it, so that it ends, and its children with it."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if not self.ready:
            self._process.kill()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class _Alone:
    """Runs a child as a Python of its own."""

    def __init__(self, child: Child) -> None:
        child._host = self
        try:
            self._process = _started(child.job)
        except OSError as error:  # no memory for it, or too many processes
            child._end(not_started(child.job, error))
        else:
            child._begin(self._process.pid)

    def signal(self, child: Child, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number == _KILL and hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def look(self, child: Child) -> None:
        """See whether it has ended."""
        if sys.platform == "linux":
            ended = reap(self._process.pid)
            if ended is not None:
                self._process.returncode = ended[0]  # nobody else may wait for it any more
                self._close(child, *ended)
        elif (code := self._process.poll()) is not None:
            self.signal(child, _KILL)  # what it has left running
            self._close(child, code)

    def _close(self, child: Child, code: int, peak: int = 0) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        child._end(code, peak)


def _started(job: ChildJob) -> subprocess.Popen[bytes]:
    """A Python of its own that does a job."""
    with _written_on(job.log) as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tfpipe.processes.child", job.to_json()],
            stdin=subprocess.PIPE,  # nothing is written to it; it ends with this process
            stdout=log,
            stderr=log,
            env=os.environ | job.environ,
            start_new_session=True,
        )


class _Orphan:
    """A child whose parent was ended: it ends too, and is waited for.

    Only then may its run be taken up again.
    """

    def __init__(self, child: Child) -> None:
        child._host = self
        self.look(child)

    def signal(self, child: Child, number: int) -> None:
        """It is being ended already."""

    def look(self, child: Child) -> None:
        """End it, and see whether it has ended."""
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if child._process is not None and child._process.is_running():
                os.killpg(child._process.pid, _KILL)  # it ends itself so, too: never it alone
                if child._process.status() != psutil.STATUS_ZOMBIE:
                    return
        child._end(-_KILL)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def _written_on(log: Path | None) -> Any:
    """A file that is written on, for another process; nowhere when None."""
    if log is None:
        yield subprocess.DEVNULL
        return
    with log.open("ab", buffering=0) as file:
        yield file
