"""A pool of child processes, which begin with TensorFlow imported and outlive nobody.

On Linux each child is forked from multiprocessing's fork server, which has imported TensorFlow
once; elsewhere, and where that process must not be forked, each is a Python of its own.

    with ProcessPool(["tfpipe.tuning.trial"]) as pool:
        child = pool.start(ProcessSpec("tfpipe.tuning.trial", argument, log))
        while child.exit_code is None:
            pool.poll(0.2)
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

import psutil

from tfpipe.declare.loading import ADDED_FOLDERS
from tfpipe.processes import bootstrap, preload
from tfpipe.processes.bootstrap import ProcessSpec
from tfpipe.processes.child import Child

__all__ = ["Child", "ProcessPool", "ProcessSpec"]

# It has no public way to end it, nor to ask for its process.
_forkserver: Any = forkserver._forkserver

_PATIENCE = 10.0  # seconds for killed children to end
_INTERVAL = 0.02  # seconds between two looks at the children
_LOST = 255  # multiprocessing's exit code for a child whose fork server was killed


class ProcessPool:
    """Starts children, and says which have ended. For one thread alone.

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
        self._modules, self._log = [*["tensorflow"] * tensorflow, *modules], log
        self._children: list[Child] = []
        self._waiting: list[tuple[Child, ProcessSpec]] = []
        self._server: _ForkServer | None = None
        self.why_not = ""  # why children are not forked, where they could have been
        if sys.platform == "linux" if fork is None else fork:
            self._start_server()  # it imports while others prepare

    def __enter__(self) -> "ProcessPool":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(self, spec: ProcessSpec) -> Child:
        """Return a child for a specification; it runs soon."""
        child = Child(spec.log, spec.memory)
        self._children.append(child)
        self._waiting.append((child, spec))
        self._launch()
        return child

    def poll(self, seconds: float = 0.0) -> list[Child]:
        """Return the children that have ended since the last time.

        Args:
            seconds: how long to wait for the first of them; 0 does not wait.
        """
        until = time.monotonic() + seconds
        while True:
            self._launch()
            ended = [child for child in self._children if child.poll() is not None]
            left = until - time.monotonic()
            if ended or left <= 0:
                self._children = [child for child in self._children if child not in ended]
                return ended
            time.sleep(min(left, _INTERVAL))

    def close(self) -> None:
        """End all children at once, and wait for their ends."""
        for child in self._children:
            child.kill()
        until = time.monotonic() + _PATIENCE
        while self._children and time.monotonic() < until:
            self.poll(_INTERVAL)
        if self._server is not None:
            self._server.close()
            self._server = None

    def _start_server(self) -> None:
        self._server = _ForkServer.share(self._modules, self._log)
        if self._server is None:
            self.why_not = "this process has a fork server already, with other modules"

    def _launch(self) -> None:
        """Start the children that wait, unless the fork server still imports."""
        self._waiting = [(c, spec) for c, spec in self._waiting if c.exit_code is None]
        if not self._waiting:
            return
        if (server := self._server) is not None:
            if not server.is_alive() and server.status() == "":  # it was killed after a while
                server.close()
                self._start_server()
                return
            if not server.is_alive() or server.status():
                self.why_not = server.status() or "the fork server ended while it was importing"
                server.close()
                self._server = None
            elif server.status() is None:
                return
        while self._waiting:
            child, spec = self._waiting[0]
            try:
                _start(child, spec, "spawn" if self._server is None else "forkserver")
            except (OSError, EOFError) as error:  # no memory for it, or too many processes
                if self._server is not None and not self._server.is_alive():
                    return  # it was killed just now: a new one starts it
                child.exit_code = 1
                with contextlib.suppress(OSError), spec.log.open("a") as log:
                    log.write(f"The process cannot be started: {error}\n")
            del self._waiting[0]


class _ForkServer:
    """multiprocessing's fork server, of which a process has one at a time: its pools share it."""

    running: "ClassVar[_ForkServer | None]" = None

    @classmethod
    def share(cls, modules: Sequence[str], log: Path | None) -> "_ForkServer | None":
        """Return the server of this process; None where it has not imported these modules."""
        if cls.running is None:
            if _forkserver._forkserver_pid is not None:  # somebody else's
                return None
            cls.running = cls(modules, log)
        elif not set(modules) <= cls.running.modules:
            return None
        cls.running.users += 1
        return cls.running

    def __init__(self, modules: Sequence[str], log: Path | None) -> None:
        self.modules, self.users = set(modules), 0
        self._folder = tempfile.TemporaryDirectory(prefix="tfpipe.")
        self._file = Path(self._folder.name, "status")
        self._why_not: str | None = None
        settings = {"modules": modules, "log": str(log or os.devnull), "status": str(self._file)}
        previous = dict(os.environ)
        os.environ[preload.SETTINGS] = json.dumps(settings)
        try:
            _forkserver.set_forkserver_preload([preload.__name__])
            with _own_modules_left_out():
                os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
                _forkserver.ensure_running()
        finally:
            os.environ.clear()
            os.environ.update(previous)

    def is_alive(self) -> bool:
        if self is not _ForkServer.running:
            return False
        pid = _forkserver._forkserver_pid
        with contextlib.suppress(psutil.Error):
            return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
        return False

    def status(self) -> str | None:
        """Return why it must not be forked, empty if it can be; None while it imports."""
        if self._why_not is None and self._file.exists():
            self._why_not = self._file.read_text()
        return self._why_not

    def close(self) -> None:
        """End it, unless another pool uses it that has not found it dead."""
        self.users -= 1
        if self is not _ForkServer.running or (self.users and self.is_alive()):
            return
        _ForkServer.running = None
        with contextlib.suppress(ProcessLookupError):
            os.kill(_forkserver._forkserver_pid, signal.SIGKILL)
        _forkserver._stop()
        self._folder.cleanup()


def _start(child: Child, spec: ProcessSpec, method: str) -> None:
    """Start the process of a child; raise OSError or EOFError if it cannot be."""
    context = multiprocessing.get_context(method)
    reports, reporter = context.Pipe(duplex=False)
    process: BaseProcess = context.Process(  # type: ignore[attr-defined]
        target=bootstrap.run, args=(spec, dict(os.environ), reporter)
    )
    with _own_modules_left_out(), reporter:
        process.start()
    assert process.pid is not None
    running = None
    with contextlib.suppress(psutil.Error):
        running = psutil.Process(process.pid)  # which knows it from a later one of its number

    def get_exit_code() -> int | None:
        code = process.exitcode
        if code == _LOST and running is not None and _runs(running):
            return None
        if code is None:
            return None
        with contextlib.suppress(EOFError, OSError), reports:
            if reports.poll():  # one that was killed has reported nothing
                child.peak_memory = max(child.peak_memory, int(reports.recv_bytes()))
        if code == _LOST and signal.SIGKILL in child.signals:
            return -signal.SIGKILL
        return code

    child.forked = method == "forkserver"
    child.started(process.pid, get_exit_code)


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


@contextlib.contextmanager
def _own_modules_left_out() -> Iterator[None]:
    """Keep children from importing the program that this process runs, and modules beside it.

    A script that searches does so when it is imported, and nothing of it is needed. A module beside
    a pipeline file may bear the name of one of Python's, such as random.py, that TensorFlow needs.
    """
    main, path = sys.modules["__main__"], sys.path[:]
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.path[:] = [folder for folder in path if folder not in ADDED_FOLDERS]
    try:
        yield
    finally:
        sys.modules["__main__"], sys.path[:] = main, path
