"""Where trials come from and go to: Keras Tuner's oracle, and a record of each trial on disk.

The record is written before the trial begins, so that whoever runs it, on this machine or another,
reads the exact values; Keras Tuner's protocol rounds them.
"""

from collections.abc import Collection
from dataclasses import replace
from enum import Enum
from typing import Any, Literal, Protocol

from keras_tuner.src.engine.metrics_tracking import MetricsTracker
from keras_tuner.src.engine.trial import TrialStatus

from tfpipe.tuning.space import Space
from tfpipe.tuning.stored import Search, Trial

# Keras Tuner's own entries among a trial's values.
_INTERNAL = "tuner/"


class NoTrial(Enum):
    """What is said instead of a trial."""

    WAIT = "wait"


WAIT: Literal[NoTrial.WAIT] = NoTrial.WAIT


class Proposing(Protocol):
    """Gives trials out and takes them back, here or at the chief."""

    def next(self, slot: str) -> Trial | Literal[NoTrial.WAIT] | None:
        """A trial for a slot; WAIT where one may come later, None where none will."""

    def end(self, trial: Trial) -> None:
        """Take a trial back that is over."""

    @property
    def lost(self) -> Collection[str]:
        """The numbers of trials that were given out here and are somebody else's by now."""


class Proposals:
    """The trials of one search, as its oracle proposes them.

    Args:
        search: where they are recorded.
        space: the ranges.
        oracle: Keras Tuner's (`tfpipe.tuning.oracles.make_oracle`).
    """

    lost: Collection[str] = ()

    def __init__(self, search: Search, space: Space, oracle: Any) -> None:
        self.search, self.oracle = search, oracle
        self._space = space

    def next(self, slot: str) -> Trial | Literal[NoTrial.WAIT] | None:
        """A trial for a slot; WAIT where one may come later, None where none will."""
        proposed = self.oracle.create_trial(slot)
        if proposed.status == TrialStatus.STOPPED:
            return None
        if proposed.status == TrialStatus.IDLE:
            return WAIT
        folder = self.search.folder(proposed.trial_id)
        if not (folder / "trial.json").is_file():
            trial = self._recorded(proposed)
        elif (found := Trial.read(folder)).over:  # killed before the oracle was told so
            self.end(found)
            return self.next(slot)
        else:
            trial = replace(found, state="running", kind="", reason="", ended=None)
        trial.worker = slot
        trial.write(folder)
        return trial

    def end(self, trial: Trial) -> None:
        """Take a trial back that is over, and let the oracle learn from it."""
        trial.write(self.search.folder(trial.id))
        if trial.id in self.oracle.end_order:
            return
        known = self.oracle.get_trial(trial.id)
        known.metrics = MetricsTracker()  # as one that was taken up again may have some
        known.status, known.message = TrialStatus.FAILED, trial.reason or None
        if trial.completed:
            assert trial.objective is not None
            assert trial.epoch is not None
            measured = trial.metrics | {self.search.asked.objective: trial.objective}
            self.oracle.update_trial(trial.id, measured, step=trial.epoch - 1)
            known.status = TrialStatus.COMPLETED
        self.oracle.end_trial(known)

    def put_back(self, trial: Trial) -> None:
        """Take a trial back that is not over, for somebody to go on with."""
        trial.state = "interrupted"
        trial.write(self.search.folder(trial.id))
        self.oracle.put_back(trial.id)

    def _recorded(self, proposed: Any) -> Trial:
        """Our record of a trial that Keras Tuner proposes for the first time."""
        given = proposed.hyperparameters.values
        values = {n: v for n, v in given.items() if not n.startswith(_INTERNAL)}
        overrides = self._space.overrides(values)
        number = proposed.trial_id
        if before := given.get("tuner/trial_id"):
            run = Trial.read(self.search.folder(before)).run
        else:
            run = number
        epochs = given.get("tuner/epochs")
        if epochs is None:
            epochs = self._space.resolved(values).all_epochs
        first = given.get("tuner/initial_epoch", 0)
        return Trial(number, values, overrides, run, int(epochs), int(first))
