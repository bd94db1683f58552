"""What proposes the values of trials: Keras Tuner's oracles, made to outlive any kill.

oracle = make_oracle("bayesian", space.hyperparameters(), objective="val_loss", direction="min",
                     trials=12, seed=1, epochs=5, project=search / "tuner")
trial = oracle.create_trial("slot0")
oracle.update_trial(trial.trial_id, {"val_loss": 0.3}, step=1)
trial.status = "COMPLETED"
oracle.end_trial(trial)
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from keras_tuner import HyperParameters, Objective
from keras_tuner.engine.hyperparameters import Float, Int
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.oracles import GridSearchOracle, RandomSearchOracle

from tfpipe.errors import ConfigError, RunError, suggest
from tfpipe.tuning.oracles.base import LISTED, STOPPED, DurableOracle, write_json
from tfpipe.tuning.oracles.bayesian import Bayesian
from tfpipe.tuning.oracles.hyperband import Hyperband
from tfpipe.tuning.oracles.settings import Values, samples, settings

Kind = Literal["random", "bayesian", "hyperband", "grid"]


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


class RandomSearch(DurableOracle, RandomSearchOracle):
    """Values drawn by chance, never the same twice."""


class Grid(DurableOracle, GridSearchOracle):
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
        return STOPPED if values is None else {"status": TrialStatus.RUNNING, "values": values}


_ORACLES: dict[str, type[DurableOracle]] = {
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
) -> DurableOracle:
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
        size: how many different settings there are (`Space.size_for`); None for no end of
            them.
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
    there = any(project.glob("oracle.json")) or any(project.glob("trial_*"))
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
    project.mkdir(parents=True, exist_ok=True)
    # What Keras Tuner looks for to see that a project can be reloaded.
    write_json(project / "tuner0.json", {})
    oracle.save()
    return oracle


def _check_steps(space: Sequence[Any]) -> None:
    for hp in space:
        if isinstance(hp, Float | Int) and hp.sampling == "linear" and hp.step is not None:
            number = int((hp.max_value - hp.min_value) / hp.step) + 1
            if number > LISTED:
                raise ConfigError(
                    f"{hp.name}: a grid would take each of its {number:,} values. Give it a larger "
                    "step, or choose another tuner."
                )


def plan(oracle: DurableOracle, epochs: int) -> Plan:
    """What a search will train when no trial fails and the space is large enough.

    Args:
        oracle: what proposes its trials.
        epochs: how many epochs a trial trains; with Hyperband, the most.
    """
    if isinstance(oracle, Hyperband):
        return _hyperband_plan(oracle)
    known = [limit for limit in (oracle.max_trials, oracle.size) if limit is not None]
    if not known:
        return Plan(None, None, None)
    trials = min(known)
    return Plan(trials, trials * epochs, trials)


def _hyperband_plan(oracle: Hyperband) -> Plan:
    trials = epochs = settings = 0
    for added, is_first in itertools.islice(oracle.planned(), oracle.max_trials):
        trials, epochs, settings = trials + 1, epochs + added, settings + is_first
    return Plan(trials, epochs, settings)
