"""Bayesian optimization: a Gaussian process over the finished trials chooses the next values."""

import contextlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from keras_tuner.engine.hyperparameters import Int
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessRegressor
from threadpoolctl import threadpool_limits

from tfpipe.tuning.oracles.base import DurableOracle


class Bayesian(DurableOracle, BayesianOptimizationOracle):
    """A Gaussian process over what was measured, and the values where it promises most.

    Keras Tuner draws 3 times as many first points as there are ranges: in a search of 12 trials
    over 4 ranges that is all of them. Here at most a third of the trials are first points.
    """

    def prepare(
        self, seed: int, project: Path, declared: Mapping[str, Any] | None, size: int | None
    ) -> None:
        """As Durable; makes the random state of this seed."""
        super().prepare(seed, project, declared, size)
        usual = max(3 * len(self.hyperparameters.space), 3)
        self.num_initial_points = min(usual, max(2, (self.max_trials or 3 * usual) // 3))
        self._random_state = np.random.RandomState(seed)
        self.gpr = self._make_gpr()

    def _make_gpr(self) -> GaussianProcessRegressor:
        return _Process(**super()._make_gpr().get_params(deep=False))

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values that promise most, or untried ones by chance where those were tried."""
        proposal = self._most_promising(trial_id) if self.start_order else None
        if proposal is None or (proposal["values"] and self._duplicate(proposal["values"])):
            return self._random_populate_space()
        return proposal

    def _most_promising(self, trial_id: str) -> dict[str, Any] | None:
        """Keras Tuner's own proposal; None where its matrix cannot be factorised."""
        # On matrices as small as these, several threads take four times the processor time that one
        # takes, while trials run beside.
        with warnings.catch_warnings(), threadpool_limits(1):
            # scikit-learn tells of each kernel whose best length lies at its bound.
            warnings.simplefilter("ignore")
            with contextlib.suppress(np.linalg.LinAlgError):
                return dict(super().populate_space(trial_id))
        return None

    def _vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        """The points and values that the process is fitted to; a lower value is better.

        A trial that still runs counts with what the finished ones lead to expect, and a little
        worse, so that two slots do not get the same. Keras Tuner expects by an old fit, or before
        the first fit 1, whatever the scale of the objective.
        """
        finished = [t for t in self.trials.values() if t.status == TrialStatus.COMPLETED]
        sign = -1.0 if self.objective.direction == "max" else 1.0
        points = np.array([self._vector(trial) for trial in finished])
        values = np.array([sign * trial.score for trial in finished])
        if not self.ongoing_trials:
            return points, values
        self.gpr.fit(points, values)
        running = np.array([self._vector(trial) for trial in self.ongoing_trials.values()])
        mean, deviation = self.gpr.predict(running, return_std=True)
        return np.vstack([points, running]), np.concatenate([values, mean + deviation])

    def _vector_to_values(self, vector: np.ndarray) -> dict[str, Any]:
        # At the end of a logarithmic range Keras Tuner gives the whole number that comes after it.
        values = dict(super()._vector_to_values(vector))
        for hp in self.hyperparameters.space:
            if isinstance(hp, Int) and hp.name in values:
                values[hp.name] = min(values[hp.name], hp.max_value)
        return values

    def _vector(self, trial: Trial) -> list[float]:
        values = trial.hyperparameters.values
        return [hp.value_to_prob(values.get(hp.name, hp.default)) for hp in self._nonfixed_space()]

    def get_state(self) -> dict[str, Any]:
        """As Keras Tuner's, with the random state, without which a reload changes the proposals."""
        name, keys, *rest = self._random_state.get_state()
        return {**super().get_state(), "random_state": [name, np.array(keys).tolist(), *rest]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state."""
        super().set_state(state)
        if drawn := state.get("random_state"):  # Keras Tuner leaves it out when it saves
            name, keys, *rest = drawn
            self._random_state.set_state((name, np.array(keys, np.uint32), *rest))


class _Process(GaussianProcessRegressor):
    """A Gaussian process that does not check each point it is asked for.

    A proposal asks for five thousand, one by one, and checking them takes twice the time of the
    rest.
    """

    def predict(self, points: np.ndarray, return_std: bool) -> tuple[np.ndarray, np.ndarray]:
        """The mean and the standard deviation at some points, step by step as scikit-learn's."""
        between = self.kernel_(points, self.X_train_)
        mean = self._y_train_std * (between @ self.alpha_) + self._y_train_mean
        solved = solve_triangular(self.L_, between.T, lower=True, check_finite=False)
        variance = self.kernel_.diag(points).copy()
        variance -= np.einsum("ij,ji->i", solved.T, solved)
        variance[variance < 0] = 0.0  # rounding
        return mean, np.sqrt(variance * self._y_train_std**2)
