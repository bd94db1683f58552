"""The chief of a search on several machines: workers ask it for trials and tell it how they ended.

It serves Keras Tuner's messages over gRPC, see `tfpipe.tuning.wire`. Unlike Keras Tuner's own chief
it never shares its port with another one, notices when a worker is gone, and ends as soon as all
workers have heard that nothing is left.

A worker that is not heard of for a while is gone: its trials go to others, who resume their runs.
Should it come back, it hears that they are not its own any more, and what it says of them is not
taken. A worker that only the network has cut off still trains and holds the lock of its run: that
trial waits, for two processes may not write into one run.
"""

import contextlib
import platform
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from tfpipe.declare.loading import shown
from tfpipe.errors import Interrupted, TfpipeError
from tfpipe.tuning import wire
from tfpipe.tuning.conduct import Watcher, all_alike, doing
from tfpipe.tuning.proposals import WAIT, NoTrial
from tfpipe.tuning.records import Records
from tfpipe.tuning.service import bind
from tfpipe.tuning.stored import Search, Trial

SILENCE = 30.0  # seconds without a word, after which a worker is gone

_HELD = 20.0  # times that, while a process of the lost worker still holds the run
_FAREWELL = 10.0  # seconds for the workers to hear that nothing is left
_PATIENCE = 0.5  # seconds to wait while another worker's values are chosen
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_POLL, _TOLD = 0.05, 0.2
# What a worker says of its trial; all else of the record is the chief's own.
_SAID = (
    "state",
    "kind",
    "reason",
    "objective",
    "epoch",
    "metrics",
    "began",
    "ended",
    "seconds",
    "attempts",
)

Stop = Literal["", "finish", "now"]


class TrialSource(Protocol):
    """Where trials come from and go to: `tfpipe.tuning.proposals.Proposals`."""

    oracle: Any

    def next(self, slot: str) -> Trial | Literal[NoTrial.WAIT] | None:
        """A trial for a slot; WAIT where one may come later, None where none will."""

    def end(self, trial: Trial) -> None:
        """Take a trial back that is over."""

    def put_back(self, trial: Trial) -> None:
        """Take a trial back that is not over, for somebody to go on with."""


def serve(
    search: Search,
    proposals: TrialSource,
    watcher: Watcher,
    address: str,
    asked: Callable[[], int],
    records: Records,
    *,
    silence: float = SILENCE,
) -> None:
    """Hand out trials to workers until there are no more, or somebody stops it.

    Args:
        search: whose trials.
        proposals: where they come from.
        watcher: told how it goes.
        address: HOST:PORT to listen on, or a port of this machine.
        asked: how often a person has asked to stop: once lets the workers save their states,
            twice does not wait.
        records: what writes the search's files.
        silence: seconds without a word, after which a worker is gone.

    Raises:
        ConfigError: when the address cannot be listened on.
        Interrupted: when a person stopped it.
        TrainingError: when all trials fail for one reason.
        StorageError: when the folder cannot be written.
    """
    with Chief(address, proposals, search, silence=silence) as chief:
        watcher.note(_how_to_join(chief.address, search))
        _Service(search, watcher, chief, records).run(asked)


def _how_to_join(address: str, search: Search) -> str:
    host, _, port = address.rpartition(":")
    if host in ("0.0.0.0", "[::]"):
        host = platform.node()
    file, colons, name = search.target.partition("::")
    # Nobody asks for a password.
    open_to = "" if host in _LOOPBACK else " Whoever reaches this port can take part."
    return (
        f"Waiting for workers at {address}.{open_to} Start them with: tfpipe search "
        f"{shown(Path(file))}{colons}{name} --worker {host}:{port} --root {search.root.absolute()}"
    )


class _Service:
    """What the chief's own process does meanwhile."""

    def __init__(self, search: Search, watcher: Watcher, chief: "Chief", records: Records) -> None:
        self._search, self._watcher, self._chief, self._records = search, watcher, chief, records
        self._failure: TfpipeError | None = None
        self._told = 0.0

    def run(self, asked: Callable[[], int]) -> None:
        """Until all is done."""
        while not self._chief.finished and asked() < 2:
            self._halt(bool(asked()))
            self._chief.sweep()
            self._hear()
            self._tell()
            time.sleep(_POLL)
        self._hear()
        if self._failure is not None:
            raise self._failure
        if asked():
            raise Interrupted("Stopped; everything so far is saved.")

    def _halt(self, asked: bool) -> None:
        """Hand out no more trials when it is time to stop."""
        wanted, budget = self._search.asked, self._search.asked.budget
        if self._failure is not None:
            self._chief.halt("now", str(self._failure))
        elif asked:
            self._chief.halt("now", "A person has stopped the search.")
        elif budget is not None and self._records.spent >= budget:
            self._chief.halt("now" if wanted.hard else "finish", "The search's time is used up.")

    def _hear(self) -> None:
        """Pass on what has happened, in this thread: neither files nor terminal bear several."""
        while not self._chief.events.empty():
            what, about = self._chief.events.get()
            if what == "note":
                self._watcher.note(about)
            elif what == "began":
                self._watcher.began(about)
            else:
                self._records.trial_ended()
                self._watcher.ended(about)
                if about.state == "failed" and self._failure is None:
                    self._failure = self._all_alike()

    def _all_alike(self) -> TfpipeError | None:
        """The error for trials that all fail for one reason, unless it is that of one worker."""
        trials = self._search.trials()
        at = {_worker_of(trial.worker) for trial in trials if trial.state == "failed"}
        return all_alike(trials) if len(at) > 1 or set(self._chief.workers) <= at else None

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told >= _TOLD:
            self._told = now
            running = self._chief.running()
            self._watcher.tick({number: doing(self._search.folder(number)) for number in running})


@dataclass
class _Worker:
    """A worker that has been heard of.

    Args:
        silent: the seconds since then.
        gone: whether it has said goodbye, or was given up.
    """

    silent: float = 0.0
    gone: bool = True


class Chief:
    """Serves the trials of a search to workers, from `with` to its end.

    Args:
        address: HOST:PORT to listen on, or a port of this machine; port 0 takes any that is free.
        proposals: where the trials come from.
        search: the search, whose folder the workers see too.
        silence: seconds without a word, after which a worker is gone.
        clock: seconds, rising.

    Raises:
        ConfigError: when the address cannot be listened on.

    Example:
        with Chief("8000", proposals, search) as chief:
            while not chief.finished:
                chief.sweep()
                time.sleep(0.1)
    """

    def __init__(
        self,
        address: str,
        proposals: TrialSource,
        search: Search,
        *,
        silence: float = SILENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = wire.address(address, "--chief")
        self.search, self.proposals = search, proposals
        self.identity = wire.identity(search)
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.failure: Exception | None = None
        self._silence, self._clock, self._swept = silence, clock, clock()
        self._workers: dict[str, _Worker] = {}
        self._out: dict[str, Trial] = {}  # by slot
        self._stop: tuple[Stop, str] = ("", "")
        self._exhausted, self._farewell = False, 0.0
        self._lock = threading.RLock()

    def __enter__(self) -> "Chief":
        self._server, port = bind(self)
        self.address = f"{self.address.rpartition(':')[0]}:{port}"
        self._server.start()
        self._swept = self._clock()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.stop(grace=1.0).wait()

    # For the process that conducts the search

    @property
    def finished(self) -> bool:
        """Whether all trials are back, and the workers have heard that there are no more."""
        with self._lock:
            return self._over and (not self.workers or self._farewell > _FAREWELL)

    @property
    def _over(self) -> bool:
        return (self._exhausted or bool(self._stop[0])) and not self._out

    @property
    def workers(self) -> list[str]:
        """The names of the workers that are there."""
        with self._lock:
            return [name for name, worker in self._workers.items() if not worker.gone]

    def running(self) -> list[str]:
        """The numbers of the trials that workers have."""
        with self._lock:
            return sorted(trial.id for trial in self._out.values())

    def sweep(self) -> None:
        """Notice who is gone; to be called a few times a second.

        Raises:
            Exception: what went wrong in a worker's call, such as a full disk.
        """
        now = self._clock()
        # Where this process itself was held up, it did not listen, and nobody was silent.
        passed, self._swept = min(now - self._swept, 1.0), now
        if self.failure is not None:
            raise self.failure
        with self._lock:
            self._farewell = self._farewell + passed if self._over else 0.0
            for name, worker in self._workers.items():
                worker.silent += passed
                if worker.silent > self._silence:
                    self._lose(name, worker)

    def halt(self, how: Stop, reason: str) -> None:
        """Hand out no more trials.

        Args:
            how: what becomes of the running ones: "finish" lets them, "now" has their states saved.
            reason: why, for people at the workers.
        """
        with self._lock:
            self._stop = (how, reason)

    # For workers

    def describe(self) -> dict[str, Any]:
        """Which search this is."""
        return {
            "version": wire.VERSION,
            "identity": self.identity,
            "name": self.search.name,
            "objective": self.search.asked.objective,
        }

    def alive(self, worker: str, trials: Mapping[str, str], leaving: bool) -> dict[str, Any]:
        """Hear of a worker, and tell it what it should know.

        Args:
            worker: its name.
            trials: the numbers of the trials that it has, by slot.
            leaving: whether this is goodbye.
        """
        with self._lock:
            if leaving:
                self._leave(worker)
            else:
                self._hear_of(worker)
            lost = [n for slot, n in trials.items() if not self._has(slot, n)]
            return {"lost": lost, "stop": self._stop[0], "reason": self._stop[1]}

    def hand_out(self, slot: str) -> Trial | Literal[NoTrial.WAIT] | None:
        """As `Source.next`; a slot that has not ended its trial gets the same one again."""
        if not self._lock.acquire(timeout=_PATIENCE):
            return WAIT  # values for somebody else are being chosen
        try:
            self._hear_of(_worker_of(slot))
            if slot in self._out:
                return self._out[slot]
            found = None if self._stop[0] else self.proposals.next(slot)
            if isinstance(found, Trial) and self._still_trained(found):
                found = WAIT
            elif isinstance(found, Trial):
                self._out[slot] = found
                self.events.put(("began", found))
            elif found is None and not self._stop[0]:
                # Another worker's trial may yet come back.
                found, self._exhausted = (WAIT, False) if self._out else (None, True)
            return found
        finally:
            self._lock.release()

    def take_back(self, said: Trial) -> bool:
        """Take what a worker says of the end of a trial; False when the trial is not its own."""
        slot = said.worker
        with self._lock:
            self._hear_of(_worker_of(slot))
            if not self._has(slot, said.id):
                return False
            own = self._out[slot]
            self._end(slot, replace(own, **{name: getattr(said, name) for name in _SAID}))
            return True

    # Inside

    def _still_trained(self, trial: Trial) -> bool:
        """Put back a trial that a worker of an earlier chief is at, until it hears of this one."""
        if not self.search.run(trial).is_active():
            return False
        self.proposals.put_back(trial)
        return True

    def _has(self, slot: str, number: str) -> bool:
        return slot in self._out and self._out[slot].id == number

    def _end(self, slot: str, trial: Trial) -> None:
        self.proposals.end(trial)
        del self._out[slot]
        wanted = self.search.asked.trials
        if wanted is not None and sum(one.over for one in self.search.trials()) >= wanted:
            self._exhausted = True  # whether or not anybody asks once more
        self.events.put(("ended", trial))

    def _hear_of(self, name: str) -> None:
        worker = self._workers.setdefault(name, _Worker())
        if worker.gone:
            self.events.put(("note", f"{name} has come."))
        worker.silent, worker.gone = 0.0, False

    def _leave(self, name: str) -> None:
        worker = self._workers.setdefault(name, _Worker())
        if not worker.gone:
            self.events.put(("note", f"{name} has left."))
        worker.gone = True
        for slot in self._slots(name):
            self._put_back(slot, f"{name} has left.")

    def _lose(self, name: str, worker: _Worker) -> None:
        """Give up a worker that is not heard of, and its trials."""
        said = f"{name} has not been heard of for {worker.silent:.0f} s"
        if not worker.gone:
            self.events.put(("note", f"{said}: its trials go to others."))
        worker.gone = True
        for slot in self._slots(name):
            trial = self._out[slot]
            if not self.search.run(trial).is_active():
                self._put_back(slot, f"{said}.")
            elif worker.silent > _HELD * self._silence:
                reason = f"{said}, and a process of it still holds the run."
                failed = replace(trial, state="failed", kind="lost", reason=reason)
                self._end(slot, replace(failed, ended=time.time()))

    def _slots(self, worker: str) -> list[str]:
        return [slot for slot in self._out if _worker_of(slot) == worker]

    def _put_back(self, slot: str, reason: str) -> None:
        """Let another worker go on with a trial."""
        trial = self._out[slot]
        with contextlib.suppress(TfpipeError):  # what the worker has written of it is newer
            trial = Trial.read(self.search.folder(trial.id))
        trial.reason = trial.reason or reason
        self.proposals.put_back(trial)
        del self._out[slot]
        self.events.put(("ended", trial))


def _worker_of(slot: str) -> str:
    """A slot is called by its worker's name and its own: `host-17-a3f0/tuner0`."""
    return slot.rpartition("/")[0]
