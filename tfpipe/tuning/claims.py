"""Claims: who of several processes, on one machine or many, does what in a shared folder.

A claim is a file, `NAME.GENERATION`, that only one process can create. Its holder renews it: it
writes a heartbeat into the file every few seconds. Who sees no change for a while, on its own
clock, may create the next generation, and so take the claim over; the former holder finds that
generation, and knows that it has lost. Nothing is ever locked, so nothing needs to be unlocked
after a crash, and a network folder needs no more than exclusive creation of files (NFS 3 and
later, SMB, Lustre, and what Kubernetes mounts as ReadWriteMany).
"""

import contextlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import psutil

HEARTBEAT = 2.0  # seconds between two renewals
LEASE = 20.0  # seconds without a renewal after which a claim may be taken over
_POLL = 0.05
# Old generations that stay: who lists the folder while claims change hands sees one of them.
_KEPT = 20


class Claims:
    """The claims of one process in a folder, renewed until it is closed.

    Args:
        folder: the folder for the files, which is made.
        lease: seconds without a renewal after which a claim of another may be taken over.
        heartbeat: seconds between two renewals of its own.
        clock: seconds, rising.

    Example:
        with Claims(folder) as claims:
            if claims.take("trial-03"):
                ...
            with claims.turn("oracle"):
                ...
    """

    def __init__(
        self,
        folder: Path,
        *,
        lease: float = LEASE,
        heartbeat: float = HEARTBEAT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.owner = f"{_machine()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.lost: set[str] = set()  # what was held, and is another's by now
        self._folder, self._lease, self._clock = folder, lease, clock
        self._held: dict[str, int] = {}  # generations by name
        self._seen: dict[str, tuple[str, float]] = {}  # of others: the last content, and since when
        self._beats = 0
        self._guard = threading.RLock()
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._renew_regularly, args=(heartbeat,), name="tfpipe-claims", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> "Claims":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all that is held."""
        self._closed.set()
        self._thread.join()
        for name in list(self._held):
            self.release(name)

    def take(self, name: str) -> bool:
        """Claim something; whether it is held by this process now.

        It fails where another holds it; an expired claim is taken over.
        """
        with self._guard:
            if name in self._held:
                return self._is_held(name)
            # The one after what was looked at: another that comes in between has that one.
            generation = self._newest(name) + 1
            if not self._is_free(name, generation - 1):
                return False
            file = self._file(name, generation)
            try:
                with file.open("x") as stream:
                    stream.write(self._content())
            except FileExistsError:  # another was quicker
                return False
            if self._newest(name) != generation:  # it was decided without this process
                file.unlink(missing_ok=True)
                return False
            self._held[name] = generation
            self.lost.discard(name)
            for number in range(generation - _KEPT, 0, -1):
                try:
                    self._file(name, number).unlink()
                except OSError:
                    break
            return True

    def free(self, name: str) -> bool:
        """Whether nobody holds something, as far as it can be seen by now."""
        with self._guard:
            return self._is_free(name, self._newest(name))

    def holds(self, name: str) -> bool:
        """Whether this process holds something, and has not lost it."""
        with self._guard:
            return name in self._held and self._is_held(name)

    def release(self, name: str) -> None:
        """Let others have it at once; nothing happens where it is not held."""
        with self._guard:
            if self.holds(name):
                file = self._file(name, self._held[name])
                with contextlib.suppress(OSError):
                    file.write_text(self._content(released=True))
            self._held.pop(name, None)

    @contextlib.contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Hold something while the block runs, waiting until it can be had."""
        while not self.take(name):
            time.sleep(_POLL)
        try:
            yield
        finally:
            self.release(name)

    def _is_free(self, name: str, generation: int) -> bool:
        if not generation:
            return True
        try:
            content = self._file(name, generation).read_text()
        except OSError:  # a newer one is there, or it is being made
            return False
        seen = f"{generation} {content}"
        if self._seen.get(name, ("",))[0] != seen:
            self._seen[name] = seen, self._clock()
        return self._clock() - self._seen[name][1] > self._lease or _is_over(content)

    def _is_held(self, name: str) -> bool:
        if self._newest(name) == self._held[name]:
            return True
        del self._held[name]
        self.lost.add(name)
        return False

    def _renew_regularly(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            with self._guard:
                self._beats += 1
                for name in list(self._held):
                    if self._is_held(name):
                        with contextlib.suppress(OSError):  # a disk that is full for a moment
                            self._file(name, self._held[name]).write_text(self._content())

    def _content(self, released: bool = False) -> str:
        return json.dumps({"owner": self.owner, "beat": self._beats, "released": released})

    def _file(self, name: str, generation: int) -> Path:
        return self._folder / f"{name}.{generation}"

    def _newest(self, name: str) -> int:
        """The newest generation of a claim; 0 where there is none."""
        endings = (file.name.rpartition(".")[2] for file in self._folder.glob(f"{name}.*"))
        return max((int(ending) for ending in endings if ending.isdigit()), default=0)


@cache
def _machine() -> str:
    """This machine, or this container: where a process number means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{platform.node()}-{boot}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return platform.node() or "machine"


def _is_over(content: str) -> bool:
    """Whether a claim was released, or its holder is a process of this machine that has ended."""
    try:
        claim = json.loads(content)
        machine, process, _ = claim["owner"].rsplit(":", 2)
        if claim["released"]:
            return True
        return machine == _machine() and not psutil.pid_exists(int(process))
    except (ValueError, KeyError, TypeError):  # it is being written
        return False
