"""The scheduler of a search: keep so many trials running, and record what becomes of each.

Each trial is a process of its own. What it says last is in its outcome.json, what it measured in
its run's metrics.csv; one that leaves no word was killed, and the search goes on without it.
"""

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tfpipe.errors import Interrupted, StorageError, TrainingError
from tfpipe.processes.pool import Child, ProcessPool, ProcessSpec
from tfpipe.storage import read_small
from tfpipe.training.metrics_file import read_rows
from tfpipe.tuning.proposals import WAIT, Proposals
from tfpipe.tuning.records import Records
from tfpipe.tuning.store import LOG, OUTCOME, PROGRESS, Search, Trial

if TYPE_CHECKING:
    from tfpipe.devices.shares import Share

MODULE = "tfpipe.tuning.trial"

_POLL = 0.05
_REPORT_EVERY = 0.2
_PATIENCE = 0.5
_GRACE = 60.0  # seconds to save the state in, once a trial is asked to stop
# So many trials that fail for one reason, and none that does not, end the search. What the values
# bring about may happen a few times in a row; an error of the declaration repeats itself.
_ALIKE, _ALIKE_BY_VALUES = 3, 6
_BY_VALUES = ("nan", "memory", "killed")


class ProgressReporter(Protocol):
    """Is told how the search goes."""

    def began(self, trial: Trial) -> None:
        """A trial is begun, or taken up again."""

    def ended(self, trial: Trial) -> None:
        """A trial is over, or interrupted."""

    def tick(self, running: Mapping[str, str]) -> None:
        """A moment has gone by; what each running trial is doing, by its number."""

    def note(self, text: str) -> None:
        """Something that a person should know."""


@dataclass(frozen=True)
class Slot:
    """A place for one trial at a time.

    Args:
        name: what Keras Tuner calls who runs trials, such as "tuner0".
        share: its part of the machine.
    """

    name: str
    share: "Share"


@dataclass
class _Running:
    """A trial that is being trained."""

    trial: Trial
    child: Child
    since: float
    until: float | None = None  # when it is killed, once it was asked to stop


class Scheduler:
    """Runs trials of a search in the slots of this process.

    Args:
        search: whose trials.
        proposals: where they come from.
        reporter: told how it goes.
        pool: what starts their processes.
        records: what writes the search's files.
    """

    def __init__(
        self,
        search: Search,
        proposals: Proposals,
        reporter: ProgressReporter,
        pool: ProcessPool,
        records: Records,
    ) -> None:
        self._search, self._proposals, self._reporter = search, proposals, reporter
        self._pool, self._records = pool, records
        self._running: dict[str, _Running] = {}
        self._exhausted = False
        self._ask_after = 0.0
        self._reported = 0.0
        self._announced = False
        self._failure: Exception | None = None

    def run(self, slots: Sequence[Slot], stops: Callable[[], int]) -> None:
        """Run trials until there are no more, or somebody stops it; leave no process behind.

        Args:
            slots: the places for trials.
            stops: how often a person has asked to stop: once saves states, twice does not wait.

        Raises:
            Interrupted: when a person stopped it.
            TrainingError: when all trials fail for one reason.
            StorageError: when the folder cannot be written.
        """
        try:
            self._run(slots, stops)
        finally:
            for running in self._running.values():
                running.child.kill()

    def _run(self, slots: Sequence[Slot], stops: Callable[[], int]) -> None:
        while True:
            closing = bool(stops()) or self._failure is not None or self._spent()
            if not closing:
                self._start_trials(slots)
            elif stops() or self._failure is not None or self._search.options.hard:
                self._stop_all(at_once=stops() > 1)
            if not self._running and (closing or self._exhausted):
                break
            self._kill_lost()
            self._pool.poll(_POLL)
            self._collect(stops)
            self._report()
        if self._failure is not None:
            raise self._failure
        if stops():
            raise Interrupted("Stopped; everything so far is saved.")

    def _spent(self) -> bool:
        """Whether the budget is used up."""
        budget = self._search.options.budget
        return budget is not None and self._records.spent >= budget

    def _start_trials(self, slots: Sequence[Slot]) -> None:
        """Begin a trial in each free slot."""
        for slot in slots:
            if slot.name in self._running or self._exhausted or time.monotonic() < self._ask_after:
                continue
            trial = self._proposals.next(slot.name)
            if trial is None:
                self._exhausted = True
            elif trial is WAIT:
                self._ask_after = time.monotonic() + _PATIENCE
            else:
                self._begin(slot, trial)

    def _begin(self, slot: Slot, trial: Trial) -> None:
        folder = self._search.folder(trial.id)
        trial.began = trial.began or time.time()
        trial.attempts += 1
        trial.write(folder)
        for name in (OUTCOME, PROGRESS):
            (folder / name).unlink(missing_ok=True)
        spec = ProcessSpec(
            MODULE,
            json.dumps(
                {
                    "search": str(self._search.directory.path.absolute()),
                    "root": str(self._search.root.absolute()),
                    "trial": trial.id,
                    "target": self._search.target,
                }
            ),
            folder / LOG,
            slot.share.environ,
            slot.share.cpus,
            self._search.options.memory,
        )
        self._running[slot.name] = _Running(trial, self._pool.start(spec), time.monotonic())
        self._reporter.began(trial)

    def _stop_all(self, at_once: bool) -> None:
        """Ask the running trials to save their states and end; kill those that take too long."""
        if not at_once and self._failure is None and not self._announced:
            self._announced = True
            self._reporter.note("Stopping: what runs saves its state.")
        for running in self._running.values():
            if running.until is None:
                running.child.terminate()
                running.until = time.monotonic() + _GRACE
            if at_once or time.monotonic() > running.until:
                running.child.kill()

    def _kill_lost(self) -> None:
        """End what another process has taken over: two must not write into one run."""
        for running in self._running.values():
            if running.trial.id in self._proposals.lost:
                running.child.kill()

    def _collect(self, stops: Callable[[], int]) -> None:
        for name, running in list(self._running.items()):
            if running.child.exit_code is None:
                continue
            del self._running[name]
            self._ask_after = 0.0  # what was waited for may have come
            trial = running.trial
            trial.seconds += time.monotonic() - running.since
            trial.peak = max(trial.peak, running.child.peak_memory)
            self._set_outcome(trial, running)
            if trial.id in self._proposals.lost:  # its record is somebody else's
                trial.state, trial.reason = "interrupted", "Another process has taken it over."
            elif trial.state == "interrupted":
                self._proposals.leave(trial)
            else:
                trial.ended = time.time()
                self._proposals.end(trial)
            self._records.trial_ended()
            self._reporter.ended(trial)
            if trial.state == "failed" and self._failure is None:
                self._failure = common_failure(self._search.trials())

    def _set_outcome(self, trial: Trial, running: _Running) -> None:
        """What became of a trial."""
        folder = self._search.folder(trial.id)
        outcome = read_small(folder / OUTCOME)
        state = outcome.get("state")
        if state in ("finished", "stopped"):
            trial.state, trial.reason = state, outcome.get("reason", "")
            self._measure(trial)
        elif running.until is not None:  # it was asked to stop, and may have been killed for it
            trial.state = "interrupted"
        elif outcome.get("kind") == "StorageError":  # nothing that another trial does better
            trial.state = "interrupted"
            self._failure = StorageError(outcome["reason"])
        elif state == "interrupted":
            trial.state, trial.kind = "failed", "killed"
            trial.reason = "Something else than the search told its process to stop."
        elif state == "failed":
            trial.state, trial.kind = "failed", outcome["kind"]
            trial.reason = outcome["reason"]
        else:
            trial.state = "failed"
            trial.kind, trial.reason = running.child.exit_reason()

    def _measure(self, trial: Trial) -> None:
        """The best epoch of a trial, from what its run has written."""
        options = self._search.options
        rows = read_rows(self._search.run(trial).metrics_file, trial.epochs)[: trial.epochs]
        known = [r for r in rows if math.isfinite(r.metrics.get(options.objective, math.nan))]
        if not known:
            trial.state, trial.kind = "failed", "nan"
            trial.reason = f"Its {options.objective} was never a finite number."
            return
        choose = max if options.direction == "max" else min
        best = choose(known, key=lambda row: row.metrics[options.objective])
        trial.objective, trial.epoch = best.metrics[options.objective], best.epoch
        trial.metrics = {n: v for n, v in best.metrics.items() if math.isfinite(v)}

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY:
            self._reported = now
            self._reporter.tick(
                {
                    r.trial.id: activity_of(self._search.folder(r.trial.id))
                    for r in self._running.values()
                }
            )


def activity_of(folder: Path) -> str:
    """What the trial of a folder says that it is doing."""
    progress = read_small(folder / PROGRESS)
    return str(progress.get("doing", "starting"))


def common_failure(trials: Sequence[Trial]) -> TrainingError | None:
    """The error for a search whose trials have all failed for one reason; None for any other.

    Args:
        trials: all of them.
    """
    over = [trial for trial in trials if trial.over]
    failed = [trial for trial in over if trial.state == "failed"]
    if not failed or len(failed) < len(over):
        return None
    if len({(t.kind, _without_numbers(t.reason)) for t in failed}) > 1:
        return None
    needed = _ALIKE_BY_VALUES if failed[0].kind in _BY_VALUES else _ALIKE
    if len(failed) < needed:
        return None
    return TrainingError(
        f"All {len(failed)} trials failed for one reason, so no other is begun: {failed[-1].reason}"
    )


def _without_numbers(text: str) -> str:
    return re.sub(r"\d[\d.,e+-]*", "#", text)
