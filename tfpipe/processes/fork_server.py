"""The process that children are forked from: `python -m tfpipe.processes.fork_server MODULE ...`.

It imports TensorFlow and what training needs once, so that a trial need not. It has no threads of
its own and has never asked a driver for a device, or it says that nothing should be forked from it.

It reads from its standard input and writes to its standard output, one JSON value a line:

    [id, job]       fork a child for a job       ["ready", why_not]              "": it can fork
    [id, signal]    send a signal to a child     ["began", id, pid]
    end of file     end all children             ["ended", id, code, peak_bytes]
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

from tfpipe.devices.startup import import_tensorflow
from tfpipe.processes.child import live, read_job
from tfpipe.processes.exit_reason import not_started, reap

_DRIVERS = ("/dev/nvidia", "/dev/kfd", "/dev/dri", "/dev/accel", "/dev/vfio", "/dev/dxg")


class ForkServer:
    """Forks children as it is asked, and says what becomes of them.

    Args:
        asked: the file descriptor that it is asked on.
        told: the one that it tells on.
    """

    def __init__(self, asked: int, told: int) -> None:
        self._asked, self._told, self._buffer = asked, told, b""
        self._children: dict[int, int] = {}  # process id to the number that it was asked for by
        self._lifeline, self._held = os.pipe()  # ends with this process, for the children to see
        self._wake_reading, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def tell(self, *what: Any) -> None:
        os.write(self._told, json.dumps(what).encode() + b"\n")

    def serve(self) -> None:
        """Do as asked until nobody asks any more, then end all children."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)
        with selectors.SelectSelector() as selector:
            for fd in (self._asked, self._wake_reading):
                selector.register(fd, selectors.EVENT_READ)
            try:
                while self._turn({key.fd for key, _ in selector.select()}):
                    pass
            except BrokenPipeError:  # whoever asked is gone
                pass
        for pid in self._children:
            self._signal(pid, signal.SIGKILL)

    def _turn(self, ready: set[int]) -> bool:
        """Do what is to be done now; False when nobody asks any more."""
        if self._wake_reading in ready:
            os.read(self._wake_reading, 4096)
            self._reap()
        if self._asked not in ready:
            return True
        data = os.read(self._asked, 65536)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            number, what = json.loads(line)
            if isinstance(what, str):
                self._fork(number, what)
            else:
                self._signal(self._pid(number), what)
        return bool(data)

    def _fork(self, number: int, text: str) -> None:
        # What is sent to the child before it has handlers of its own waits, and is not ignored.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python 3.12 warns of any thread; see why_not_fork
                pid = os.fork()
            if pid == 0:
                self._become(text)
        except OSError as error:  # no memory for it, or too many processes
            self.tell("ended", number, not_started(read_job(text), error), 0)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # as the child does: so that it is so when it is signalled
        self._children[pid] = number
        self.tell("began", number, pid)

    def _become(self, text: str) -> NoReturn:
        """Be the child for a job: let go of all that is this parent's."""
        try:
            signal.set_wakeup_fd(-1)
            for fd in (self._asked, self._told, self._held, self._wake, self._wake_reading):
                os.close(fd)
            live(read_job(text), self._lifeline)
        finally:
            os._exit(1)

    def _pid(self, number: int) -> int | None:
        return next((pid for pid, n in self._children.items() if n == number), None)

    def _signal(self, pid: int | None, number: int) -> None:
        """Send a signal to a child: to all that it has started too, if it is to be killed."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid is not None:
                (os.killpg if number == signal.SIGKILL else os.kill)(pid, number)

    def _reap(self) -> None:
        """Tell of the children that have ended."""
        for pid in list(self._children):
            if (found := reap(pid)) is not None:
                self.tell("ended", self._children.pop(pid), *found)


def why_not_fork() -> str:
    """Why nothing should be forked from this process; empty when it can be."""
    tasks = [t.read_text().strip() for t in Path("/proc/self/task").glob("*/comm")]
    # These stop before a fork and start after it, of themselves.
    known = 1 + tasks.count("jemalloc_bg_thd") + _blas_threads()
    if len(tasks) > known:
        more = len(tasks) - known
        return f"{more} unknown thread{' runs' if more == 1 else 's run'} in it"
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if (target := os.readlink(fd)).startswith(_DRIVERS):
                return f"it has opened {target}"
    return ""


def _blas_threads() -> int:
    """How many threads OpenBLAS may have beside the main one."""
    import threadpoolctl  # of scikit-learn's

    found = threadpoolctl.threadpool_info()
    return sum(each["num_threads"] - 1 for each in found if each["internal_api"] == "openblas")


def _main(modules: list[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # They are for whoever asks, who ends this process by leaving; the children have their own.
        signal.signal(number, signal.SIG_IGN)
    told = os.dup(1)
    os.dup2(2, 1)  # what modules print as they are imported is no message
    for module in modules:
        import_tensorflow() if module == "tensorflow" else importlib.import_module(module)
    gc.collect()
    gc.freeze()  # so that a collection in a child does not touch, and so copy, all of this
    parent = ForkServer(os.dup(0), told)
    why = why_not_fork()
    parent.tell("ready", why)
    if not why:
        parent.serve()


if __name__ == "__main__":
    _main(sys.argv[1:])
