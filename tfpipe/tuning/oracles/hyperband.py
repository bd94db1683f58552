"""Hyperband: many trials for few epochs, the best of them for more.

Li and others, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", 2018,
https://jmlr.org/papers/v18/16-558.html. A bracket is one such race; a rung is one of its rounds.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import HyperbandOracle

from tfpipe.tuning.oracles.base import ENDED, IDLE, STOPPED, DurableOracle


class Hyperband(DurableOracle, HyperbandOracle):
    """Many trials for few epochs, the best of them for more, and so on.

    Keras Tuner's own leaves places empty where trials fail, and promotes none where a space has
    fewer settings than the first rung has places. Here the best of those that there are go on.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """A trial of the oldest bracket that has a place to fill."""
        self._remove_completed_brackets()
        for bracket in self._brackets:
            proposal = self._first(trial_id, bracket) or self._promotion(trial_id, bracket)
            if proposal is not None:
                return proposal
        is_last = self._current_iteration + 1 == self.hyperband_iterations
        if self._current_bracket == 0 and is_last:
            return IDLE if self.ongoing_trials else STOPPED
        self._increment_bracket_num()
        self._start_new_bracket()
        return self.populate_space(trial_id)

    def _first(self, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any] | None:
        """A trial with values of its own; None where there are enough, or no more values."""
        if len(bracket["rounds"][0]) >= self._places(bracket, 0):
            return None
        proposal: dict[str, Any] = self._random_trial(trial_id, bracket)
        if proposal["status"] == TrialStatus.RUNNING:
            return proposal
        bracket["no_more"] = True
        return None

    def _promotion(self, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any] | None:
        """A trial that goes on with the best of the rung below; None where that is not decided."""
        for rung in range(1, len(bracket["rounds"])):
            promoted = {place["past_id"] for place in bracket["rounds"][rung]}
            left = [
                trial for trial in self._in(bracket, rung - 1) if trial.trial_id not in promoted
            ]
            ended = [trial for trial in left if trial.status in ENDED]
            finished = [trial for trial in ended if trial.status == TrialStatus.COMPLETED]
            thrown_out = self._places(bracket, rung - 1) - self._places(bracket, rung)
            if finished and len(ended) > thrown_out:
                return self._continued(trial_id, bracket, rung, self._best(finished))
        return None

    def _places(self, bracket: dict[str, Any], rung: int) -> int:
        """How many trials a rung takes, as far as is known."""
        size: int = self._get_size(bracket["bracket_num"], rung)
        if rung == 0:
            return len(bracket["rounds"][0]) if bracket.get("no_more") else size
        below = self._in(bracket, rung - 1)
        failed = sum(trial.status == TrialStatus.FAILED for trial in below)
        return min(size, self._places(bracket, rung - 1) - failed)

    def _in(self, bracket: dict[str, Any], rung: int) -> list[Trial]:
        # The place that is being filled has no trial yet.
        ids = [place["id"] for place in bracket["rounds"][rung]]
        return [self.trials[trial_id] for trial_id in ids if trial_id in self.trials]

    def _best(self, trials: Sequence[Trial]) -> Trial:
        best = min if self.objective.direction == "min" else max
        return best(trials, key=lambda trial: trial.score)

    def _continued(
        self, trial_id: str, bracket: dict[str, Any], rung: int, trial: Trial
    ) -> dict[str, Any]:
        number = bracket["bracket_num"]
        values = {
            **trial.hyperparameters.values,
            "tuner/trial_id": trial.trial_id,
            "tuner/epochs": self._get_epochs(number, rung),
            "tuner/initial_epoch": self._get_epochs(number, rung - 1),
            "tuner/bracket": number,
            "tuner/round": rung,
        }
        bracket["rounds"][rung].append({"past_id": trial.trial_id, "id": trial_id})
        return {"status": TrialStatus.RUNNING, "values": values}

    def planned(self) -> Iterator[tuple[int, bool]]:
        """What each trial adds when none fails: its epochs, and whether its values are its own."""
        left = math.inf if self.size is None else self.size
        for bracket in reversed(range(self._get_num_brackets())):
            places, before = left, 0
            for rung in range(self._get_num_rounds(bracket)):
                places = min(places, self._get_size(bracket, rung))
                upto = self._get_epochs(bracket, rung)
                yield from [(upto - before, rung == 0)] * int(places)
                left -= places if rung == 0 else 0
                before = upto
