"""Where trials come from and go to: Keras Tuner's oracle, and a record of each trial on disk.

Several processes may take trials of one search, on one machine or on several that share its folder.
They take turns at the oracle, whose files each reads anew where another has written them, and each
trial is claimed by who trains it (`tfpipe.tuning.claims`). What nobody holds any more is taken up
by the next that asks.
"""

import os
import platform
from dataclasses import replace
from enum import Enum
from typing import Any, Literal

from keras_tuner.src.engine.metrics_tracking import MetricsTracker
from keras_tuner.src.engine.trial import TrialStatus

from tfpipe.tuning.claims import Claims
from tfpipe.tuning.oracles.base import DurableOracle
from tfpipe.tuning.space import Space
from tfpipe.tuning.store import Search, Trial

# Keras Tuner's own entries among a trial's values.
_INTERNAL = "tuner/"
_ORACLE = "oracle"


class NoTrial(Enum):
    """What is said instead of a trial."""

    WAIT = "wait"


WAIT: Literal[NoTrial.WAIT] = NoTrial.WAIT


class Proposals:
    """The trials of one search, as its oracle proposes them.

    Args:
        search: where they are recorded.
        space: the ranges.
        oracle: Keras Tuner's (`tfpipe.tuning.oracles.make.make_oracle`).
        claims: of this process, in the search's folder.
    """

    def __init__(self, search: Search, space: Space, oracle: DurableOracle, claims: Claims) -> None:
        self.search, self.oracle = search, oracle
        self._space, self._claims = space, claims

    @property
    def lost(self) -> set[str]:
        """The numbers of trials that were given out here and are somebody else's by now."""
        return self._claims.lost - {_ORACLE}

    def next(self, slot: str) -> Trial | Literal[NoTrial.WAIT] | None:
        """A trial for a slot; WAIT where one may come later, None where none will."""
        with self._claims.turn(_ORACLE):
            self._refresh()
            while True:
                proposed = self.oracle.create_trial(f"{self._claims.owner}/{slot}")
                if proposed.status == TrialStatus.IDLE:
                    return WAIT
                if proposed.status == TrialStatus.STOPPED:
                    # What others train may come back, should they fail to finish it.
                    return WAIT if any(map(self._is_elsewhere, self.oracle.open_trials())) else None
                if trial := self._claimed(proposed, slot):
                    return trial

    def end(self, trial: Trial) -> None:
        """Take a trial back that is over, and let the oracle learn from it; not a lost one."""
        with self._claims.turn(_ORACLE):
            if not self._claims.holds(trial.id):
                return
            self._refresh()
            self._learn(trial)
            self._claims.release(trial.id)

    def leave(self, trial: Trial) -> None:
        """Give up a trial that is not over, for others, or for this search another time."""
        if self._claims.holds(trial.id):
            trial.write(self.search.folder(trial.id))
        self._claims.release(trial.id)

    def _refresh(self) -> None:
        """Read what others have changed, and put back what nobody holds any more."""
        if self.oracle.is_changed():
            self.oracle.reload()
        self.oracle.await_again(
            [trial for trial in self.oracle.open_trials() if self._is_abandoned(trial)]
        )

    def _is_elsewhere(self, trial_id: str) -> bool:
        return not self._claims.holds(trial_id)

    def _is_abandoned(self, trial_id: str) -> bool:
        """Whether nobody trains a trial that is not over; a run that is locked is still written."""
        return (
            not self._claims.holds(trial_id)
            and self._claims.free(trial_id)
            and not self.search.is_active(trial_id)
        )

    def _claimed(self, proposed: Any, slot: str) -> Trial | None:
        """Our record of a proposed trial, claimed for this process; None for one that is over."""
        folder = self.search.folder(proposed.trial_id)
        if not (folder / "trial.json").is_file():
            trial = self._recorded(proposed)
        elif (trial := Trial.read(folder)).over:  # killed before the oracle was told so
            self._learn(trial)
            return None
        else:
            trial = replace(trial, state="running", kind="", reason="", ended=None)
        trial.worker = f"{platform.node()}-{os.getpid()}/{slot}"
        trial.write(folder)
        if not self._claims.take(trial.id):
            raise RuntimeError(f"Trial {trial.id} is held by another while it is given out.")
        return trial

    def _learn(self, trial: Trial) -> None:
        trial.write(self.search.folder(trial.id))
        if trial.id in self.oracle.end_order:
            return
        known = self.oracle.get_trial(trial.id)
        known.metrics = MetricsTracker()  # as one that was taken up again may have some
        known.status, known.message = TrialStatus.FAILED, trial.reason or None
        if trial.completed:
            assert trial.objective is not None
            assert trial.epoch is not None
            measured = trial.metrics | {self.search.options.objective: trial.objective}
            self.oracle.update_trial(trial.id, measured, step=trial.epoch - 1)
            known.status = TrialStatus.COMPLETED
        self.oracle.end_trial(known)

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
