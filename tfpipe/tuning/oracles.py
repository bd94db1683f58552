"""What proposes the values of trials: Keras Tuner's oracles, made to outlive any kill.

oracle = make_oracle("bayesian", space.hyperparameters(), objective="val_loss", direction="min",
                     trials=12, seed=1, epochs=5, project=search / "tuner")
trial = oracle.create_trial("slot0")
oracle.update_trial(trial.trial_id, {"val_loss": 0.3}, step=1)
trial.status = "COMPLETED"
oracle.end_trial(trial)
"""

import functools
import itertools
import json
import math
import random
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from keras_tuner import HyperParameters, Objective, Oracle
from keras_tuner.engine.hyperparameters import Float, Int
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessRegressor
from threadpoolctl import threadpool_limits

from tfpipe.errors import ConfigError, RunError, suggest
from tfpipe.runs import write_whole

Kind = Literal["random", "bayesian", "hyperband", "grid"]
Values = dict[str, Any]

# Keras Tuner takes a space for exhausted after 20 values in a row that were tried. Where all
# settings can be listed, the rest is drawn from the list; elsewhere chance is given longer.
_COLLISIONS = 20
_PATIENCE = 2000
_LISTED = 100_000

_STOPPED = {"status": TrialStatus.STOPPED, "values": None}
_IDLE = {"status": TrialStatus.IDLE, "values": None}
_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


@dataclass(frozen=True)
class Plan:
    """What a search will train when no trial fails.

    Args:
        trials: how many trials; None for a search without an end.
        epochs: how many epochs they train together; one that goes on with another trial counts
            only what it adds. None for a search without an end.
        settings: how many different settings they need; None for a search without an end.
    """

    trials: int | None
    epochs: int | None
    settings: int | None


class Durable(Oracle):
    """What tfpipe asks of every oracle, whatever proposes its values.

    Its files appear whole, and a trial's file before the oracle's, which names it: a process that
    is killed at any moment leaves a project that reloads. `create_trial` and `end_trial` may be
    called again with the same arguments, as a worker does that has lost the answer. Keras Tuner's
    own lock stays locked after an exception and so is not used.
    """

    def prepare(
        self, seed: int, project: Path, declared: Mapping[str, Any] | None, size: int | None
    ) -> None:
        """Finish what Keras Tuner's own constructor cannot be told.

        Args:
            seed: of all random choices. Keras Tuner takes 0 for none.
            project: the folder of its files.
            declared: the values of the first trial; drawn as those of any other without.
            size: how many different settings there are; None for no end of them.
        """
        self.seed = self._seed_state = seed
        self.verbose = 0
        self._lock = threading.RLock()
        self._max_collisions = _COLLISIONS
        self._declared = dict(declared) if declared is not None else None
        self.size = size
        self._set_project_dir(str(project.parent), project.name)

    @property
    def project(self) -> Path:
        """The folder of its files."""
        return Path(self._directory) / self._project_name

    ongoing_trials: dict[str, Trial]
    _retry_queue: list[str]

    # Trials come and go

    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial of a slot; one without values where there is none (now, or any more)."""
        with self._lock:
            if tuner_id in self.ongoing_trials:
                return self.ongoing_trials[tuner_id]
            trial = self._repeated() if self._retry_queue else self._proposed()
            if trial.status == TrialStatus.RUNNING:
                self.ongoing_trials[tuner_id] = trial
                self._save_trial(trial)
                self.save()
            return trial

    def _repeated(self) -> Trial:
        trial = self.trials[self._retry_queue.pop(0)]
        trial.status, trial.message = TrialStatus.RUNNING, None
        # What it measured before it was cut off, it measures again.
        trial.metrics, trial.score, trial.best_step = type(trial.metrics)(), None, 0
        return trial

    def _proposed(self) -> Trial:
        trial_id = self._next_id()
        full = self.max_trials is not None and len(self.trials) >= self.max_trials
        proposal = _STOPPED if full else self.populate_space(trial_id)
        hyperparameters = self.hyperparameters.copy()
        hyperparameters.values = proposal.get("values") or {}
        trial = Trial(hyperparameters, trial_id, proposal["status"])
        if trial.status == TrialStatus.RUNNING:
            self._record_values(trial)
            self.trials[trial_id] = trial
            self.start_order.append(trial_id)
        return trial

    def _next_id(self) -> str:
        """As long as the first trial's, so that a search that is prolonged keeps its names."""
        first = self.start_order[0] if self.start_order else str((self.max_trials or 100) - 1)
        return f"{len(self.trials):0{max(2, len(first))}d}"

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Take what a trial measured after an epoch; written when it ends.

        Args:
            trial_id: the trial.
            metrics: value by name.
            step: the epoch.
        """
        with self._lock:
            trial = self.trials[trial_id]
            for name, value in metrics.items():
                if not trial.metrics.exists(name):
                    # Keras Tuner would build the metric to learn its direction, and that starts
                    # TensorFlow's devices in the process that searches.
                    trial.metrics.register(name, self._direction(name))
                # Its tracker would warn of what is not a number.
                trial.metrics.metrics[name].update(float(value), step=step)
            return trial

    def _direction(self, metric: str) -> str:
        # Keras Tuner, too, takes min for those that it does not know.
        judged = self.objective.name.removeprefix("val_")
        return self.objective.direction if metric.removeprefix("val_") == judged else "min"

    def end_trial(self, trial: Trial) -> None:
        """Keep how a trial ended; nothing happens where it has ended before.

        Args:
            trial: its id, its status (COMPLETED or FAILED) and its message count: its values are
                known, and may have been rounded on their way from another machine. One whose
                objective was never a finite number has failed.
        """
        with self._lock:
            known = self.trials[trial.trial_id]
            if known.trial_id in self.end_order:
                return
            known.status, known.message = trial.status, trial.message
            if known.status == TrialStatus.COMPLETED:
                self.score_trial(known)
            elif known.status != TrialStatus.FAILED:
                known.status = TrialStatus.FAILED
            self._save_trial(known)
            self._close(known.trial_id)
            self.save()

    def score_trial(self, trial: Trial) -> None:
        """Find the best epoch of a trial; one without a finite value has failed."""
        name, direction = self.objective.name, self.objective.direction
        history = trial.metrics.get_history(name) if trial.metrics.exists(name) else []
        finite = [one for one in history if math.isfinite(one.mean())]
        if not finite:
            trial.status = TrialStatus.FAILED
            trial.message = trial.message or f"{name} was never a finite number."
            return
        best = (min if direction == "min" else max)(finite, key=lambda one: one.mean())
        trial.score, trial.best_step = float(best.mean()), best.step

    def _close(self, trial_id: str) -> None:
        self.ongoing_trials = {
            slot: trial for slot, trial in self.ongoing_trials.items() if trial.trial_id != trial_id
        }
        self._retry_queue = [waiting for waiting in self._retry_queue if waiting != trial_id]
        self._run_times[trial_id] += 1
        self.end_order.append(trial_id)

    def put_back(self, trial_id: str) -> None:
        """Take a trial from its slot, which is lost, and give it to the next that asks."""
        with self._lock:
            if trial_id in self.end_order or trial_id in self._retry_queue:
                return
            self.ongoing_trials = {
                slot: trial
                for slot, trial in self.ongoing_trials.items()
                if trial.trial_id != trial_id
            }
            self._retry_queue = sorted([*self._retry_queue, trial_id], key=int)
            self.save()

    def update_space(self, hyperparameters: HyperParameters) -> None:
        """Nothing: the whole space is known from the start."""

    # Values

    def _random_values(self) -> Values | None:
        if self._declared is not None and not self.start_order:
            return dict(self._declared)
        values = super()._random_values()
        return values if values is not None else self._untried()

    def _untried(self) -> Values | None:
        """Values that no trial had, where chance alone did not find them; None without any."""
        if self.size is None or self.size > _LISTED:
            self._max_collisions = _PATIENCE
            values = super()._random_values()
            self._max_collisions = _COLLISIONS
            return values
        listed = settings(self.hyperparameters.space, every)
        left = [values for values in listed if not self._duplicate(values)]
        self._seed_state += 1
        return random.Random(self._seed_state).choice(left) if left else None

    def _compute_values_hash(self, values: Mapping[str, Any]) -> str:
        # 0.3 as declared and 3 steps of 0.1 are one value.
        return super()._compute_values_hash({name: _short(value) for name, value in values.items()})

    # Files

    def save(self) -> None:
        """Write oracle.json."""
        _write(self.project / "oracle.json", self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        folder = self.project / f"trial_{trial.trial_id}"
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "trial.json", trial.get_state())

    def reload(self) -> None:
        """Go on where the files are.

        A trial that oracle.json does not know was cut off between the two writes: its file is
        removed, and its values come again. One that has ended by its own file has ended. The others
        that had begun wait to be taken up again, in the order in which they began.

        Raises:
            RunError: when a file is missing, broken, or of another space.
        """
        with self._lock:
            state = _read(self.project / "oracle.json")
            try:
                self._restore(state)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise RunError(
                    f"{self.project / 'oracle.json'} is no state of this search: {error!r}."
                ) from None
            self.save()

    def _restore(self, state: dict[str, Any]) -> None:
        asked = json.loads(json.dumps(self.hyperparameters.get_config()["space"]))
        if state["hyperparameters"]["space"] != asked:
            raise RunError(
                f"{self.project} belongs to other ranges than those of the declaration: start a "
                "new search, or put back the declaration as it was."
            )
        self._forget_others(known=state["start_order"])
        self.trials = {trial_id: self._read_trial(trial_id) for trial_id in state["start_order"]}
        self.set_state({**state, "ongoing_trials": {}})
        open_trials = [one for one in self.start_order if one not in self.end_order]
        self._retry_queue = sorted(open_trials, key=int)
        for trial_id in open_trials:
            if self.trials[trial_id].status in _ENDED:
                self._close(trial_id)

    def _forget_others(self, known: Sequence[str]) -> None:
        folders = {f"trial_{trial_id}" for trial_id in known}
        for folder in self.project.glob("trial_*"):
            if folder.name not in folders:
                shutil.rmtree(folder, ignore_errors=True)

    def _read_trial(self, trial_id: str) -> Trial:
        if not trial_id.isdecimal():
            raise ValueError(f"{trial_id!r} is no trial's number")
        return Trial.from_state(_read(self.project / f"trial_{trial_id}" / "trial.json"))


class RandomSearch(Durable, RandomSearchOracle):
    """Values drawn by chance, never the same twice."""


class Bayesian(Durable, BayesianOptimizationOracle):
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
        if not self.start_order:  # the declared ones, where they come first
            return self._random_populate_space()
        # On matrices as small as these, several threads take four times the processor time that one
        # takes, while trials run beside.
        with warnings.catch_warnings(), threadpool_limits(1):
            # scikit-learn tells of each kernel whose best length lies at its bound.
            warnings.simplefilter("ignore")
            proposal: dict[str, Any] = super().populate_space(trial_id)
        if proposal["values"] is not None and self._duplicate(proposal["values"]):
            return self._random_populate_space()
        return proposal

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


class Hyperband(Durable, HyperbandOracle):
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
            return _IDLE if self.ongoing_trials else _STOPPED
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
            ended = [trial for trial in left if trial.status in _ENDED]
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


class Grid(Durable, GridSearchOracle):
    """Every setting once, the declared values first, the last range varied fastest.

    Keras Tuner's own cannot be taken up again, and fails on whole numbers on a logarithmic scale.
    """

    _settings: Iterator[Values] | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next setting."""
        if self._settings is None:
            everything = settings(self.hyperparameters.space, samples)
            self._settings = itertools.islice(everything, len(self.start_order), None)
        values = next(self._settings, None)
        return _STOPPED if values is None else {"status": TrialStatus.RUNNING, "values": values}


_ORACLES: dict[str, type[Durable]] = {
    "random": RandomSearch,
    "bayesian": Bayesian,
    "hyperband": Hyperband,
    "grid": Grid,
}


def make_oracle(
    kind: Kind,
    hyperparameters: HyperParameters,
    *,
    objective: str,
    direction: Literal["min", "max"],
    trials: int | None,
    seed: int,
    epochs: int,
    project: Path,
    declared: Mapping[str, Any] | None = None,
    size: int | None = None,
    reload: bool = False,
) -> Durable:
    """An oracle whose project is a folder that Keras Tuner can open too.

    Args:
        kind: what proposes values: random, bayesian, hyperband or grid.
        hyperparameters: the whole space, conditions included, each default the declared value.
        objective: the metric to optimise, as in "val_loss".
        direction: min or max.
        trials: the most trials; None for as many as there are (grid, Hyperband), or no end.
        seed: of all random choices, from 0.
        epochs: the most epochs that a trial trains (Hyperband).
        project: the folder of its files, which is made.
        declared: the values of the first trial; drawn as those of any other without.
        size: how many different settings there are (`Space.size`); None for no end of them.
        reload: whether to go on with what the folder holds.

    Raises:
        ConfigError: on a kind or a seed that there is not, or a range too fine for a grid.
        RunError: when the folder holds a search and is not to be reloaded, or cannot be.
    """
    if kind not in _ORACLES:
        raise ConfigError(f"There is no tuner {kind!r}. {suggest(kind, _ORACLES)}")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed={seed} is no seed: give a whole number from 0 to {2**32 - 1}.")
    if kind == "grid":
        _check_steps(hyperparameters.space)
    there = (project / "oracle.json").exists()
    if there and not reload:
        raise RunError(f"{project} holds a search already: go on with it with --resume.")
    # Hyperband's constructor knows epochs where those of the others know trials.
    limit = {"max_epochs": epochs} if kind == "hyperband" else {"max_trials": trials}
    oracle = _ORACLES[kind](
        objective=Objective(objective, direction),
        hyperparameters=hyperparameters,
        seed=seed,
        **limit,
    )
    oracle.max_trials = trials
    oracle.prepare(seed, project, declared, size)
    if there:
        oracle.reload()
        return oracle
    oracle._forget_others(known=())
    project.mkdir(parents=True, exist_ok=True)
    # What Keras Tuner looks for to see that a project can be reloaded.
    _write(project / "tuner0.json", {})
    oracle.save()
    return oracle


def _check_steps(space: Sequence[Any]) -> None:
    for hp in space:
        if isinstance(hp, Float | Int) and hp.sampling == "linear" and hp.step is not None:
            number = int((hp.max_value - hp.min_value) / hp.step) + 1
            if number > _LISTED:
                raise ConfigError(
                    f"{hp.name}: a grid would take each of its {number:,} values. Give it a larger "
                    "step, or choose another tuner."
                )


def plan(oracle: Durable, epochs: int) -> Plan:
    """What a search will train when no trial fails and the space is large enough.

    Args:
        oracle: what proposes its trials.
        epochs: how many epochs a trial trains; with Hyperband, the most.
    """
    if isinstance(oracle, Hyperband):
        return _hyperband_plan(oracle)
    size = oracle.size
    if isinstance(oracle, Grid):
        size = count(oracle.hyperparameters.space, samples)
    known = [limit for limit in (oracle.max_trials, size) if limit is not None]
    if not known:
        return Plan(None, None, None)
    trials = min(known)
    return Plan(trials, trials * epochs, trials)


def _hyperband_plan(oracle: Hyperband) -> Plan:
    trials = epochs = settings = 0
    for added, is_first in itertools.islice(_hyperband_trials(oracle), oracle.max_trials):
        trials, epochs, settings = trials + 1, epochs + added, settings + is_first
    return Plan(trials, epochs, settings)


def _hyperband_trials(oracle: Hyperband) -> Iterator[tuple[int, bool]]:
    """The epochs that each trial adds, and whether it begins with values of its own."""
    left = math.inf if oracle.size is None else oracle.size
    for bracket in reversed(range(oracle._get_num_brackets())):
        places, before = left, 0
        for rung in range(oracle._get_num_rounds(bracket)):
            places = min(places, oracle._get_size(bracket, rung))
            upto = oracle._get_epochs(bracket, rung)
            yield from [(upto - before, rung == 0)] * int(places)
            left -= places if rung == 0 else 0
            before = upto


# Spaces

Candidates = Callable[[Any], Sequence[Any] | None]


def every(hp: Any) -> list[Any] | None:
    """All values of a hyperparameter, the declared one first; None where they have no end."""
    if isinstance(hp, Float) and hp.step is None:
        return None
    if isinstance(hp, Int) and hp.step is None:
        return _declared_first(hp, range(hp.min_value, hp.max_value + 1))
    return _declared_first(hp, hp.values)


def samples(hp: Any) -> list[Any]:
    """The values that a grid tries: all, or ten samples of a range without steps."""
    is_sampled = isinstance(hp, Float | Int) and hp.step is None
    return _declared_first(hp, sorted(hp.values) if is_sampled else hp.values)


def _declared_first(hp: Any, values: Any) -> list[Any]:
    # Whole numbers with steps on a logarithmic scale come as fractions.
    exact = [int(value) for value in values] if isinstance(hp, Int) else values
    return [hp.default, *(value for value in exact if _short(value) != _short(hp.default))]


def settings(space: Sequence[Any], candidates: Candidates) -> Iterator[Values]:
    """Every setting of a space once, the last hyperparameter varied fastest.

    Args:
        space: the hyperparameters; what others depend on comes before them.
        candidates: the values of one, which must have an end.
    """
    return _settings(space, [candidates(hp) or [] for hp in space], {})


def _settings(
    space: Sequence[Any], candidates: Sequence[Sequence[Any]], values: Values
) -> Iterator[Values]:
    place = next((n for n, hp in enumerate(space) if _is_active(hp, values)), None)
    if place is None:
        yield values
        return
    rest, name = slice(place + 1, None), space[place].name
    for value in candidates[place]:
        yield from _settings(space[rest], candidates[rest], {**values, name: value})


def count(space: Sequence[Any], candidates: Candidates) -> int | None:
    """How many settings a space has; None where they have no end.

    Args:
        space: the hyperparameters; what others depend on comes before them.
        candidates: the values of one; None where they have no end.
    """
    values = [candidates(hp) for hp in space]
    if any(one is None for one in values):
        return None
    # What is chosen matters as long as others depend on it.
    asked = [{c.name for hp in space[place:] for c in hp.conditions} for place in range(len(space))]

    @functools.cache
    def below(place: int, chosen: frozenset[tuple[str, Any]]) -> int:
        if place == len(space):
            return 1
        hp, known = space[place], dict(chosen)
        kept = frozenset((n, v) for n, v in chosen if n in asked[place])
        if not _is_active(hp, known):
            return below(place + 1, kept)
        options = values[place] or ()
        if hp.name not in asked[place]:
            return len(options) * below(place + 1, kept)
        return sum(below(place + 1, kept | {(hp.name, value)}) for value in options)

    return below(0, frozenset())


def _is_active(hp: Any, values: Mapping[str, Any]) -> bool:
    return all(condition.is_active(values) for condition in hp.conditions)


def _short(value: Any) -> Any:
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _write(path: Path, state: Any) -> None:
    write_whole(path, json.dumps(state).encode())


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
