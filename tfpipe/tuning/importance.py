"""Which ranges matter: how much worse a random forest foretells a trial without each of them.

The forest learns the objective of some trials from their values and foretells that of the others.
Then the values of one range are shuffled among those others: the more the error grows, the more the
range matters (Breiman, "Random Forests", 2001, section 10). Trials that the forest has learned from
would flatter it, so each is foretold by forests that have not seen it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.tuning.dimension import Dimension
from tfpipe.tuning.store import Trial

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

_LEAST, _LEAST_EACH = 10, 2  # trials in all, and for each range
_MOST = 240  # trials that the forests learn from: a report is written while a search goes on
_FOLDS, _TREES, _SHUFFLES = 4, 40, 3


@dataclass(frozen=True)
class Importance:
    """Which ranges matter.

    Args:
        shares: of each range, of all that the forest found; they sum to 1. Empty where nothing can
            be said.
        explained: the share of the differences between trials that the forest foretells.
        note: what a reader should know of it.
    """

    shares: dict[str, float] = field(default_factory=dict)
    explained: float = 0.0
    note: str = ""


def importance(
    dimensions: Sequence[Dimension], trials: Sequence[tuple[Trial, float]]
) -> Importance:
    """Which ranges matter most for the objective.

    Of many trials some are taken, from the best to the worst.

    Args:
        dimensions: the ranges.
        trials: those that count with their objectives, the best first.
    """
    trials = [trials[i] for i in evenly(len(trials), _MOST)]
    least = max(_LEAST, _LEAST_EACH * len(dimensions))
    if len(trials) < least:
        return Importance(
            note="Too few trials have finished to say which ranges matter: "
            f"{len(trials)} of at least {least} for {len(dimensions)} "
            f"range{'s' if len(dimensions) > 1 else ''}."
        )
    values = np.array([value for _, value in trials])
    if not np.ptp(values):
        return Importance(note="All trials are equally good, so no range matters.")
    columns = [_column(d, [t for t, _ in trials]) for d in dimensions]
    epochs = [float(t.epochs) for t, _ in trials]  # of Hyperband's trials some train longer
    explained, harm = _cross_validate(np.array([*columns, epochs]).T, values)
    harm = harm[:-1]
    if explained <= 0 or not harm.sum():
        return Importance(
            note="The forest cannot foretell a trial from the others, so it cannot say which "
            "ranges matter: more trials may help, or chance decides more than the ranges do."
        )
    shares = {d.name: float(h) for d, h in zip(dimensions, harm / harm.sum(), strict=True)}
    doubt = "" if explained >= 0.3 else " That is little: read the shares with care."
    given_epochs = ", told how many epochs each has trained" if len(set(epochs)) > 1 else ""
    note = f"It foretells {explained:.0%} of the differences between trials{given_epochs}.{doubt}"
    return Importance(shares, explained, note)


def evenly(count: int, most: int) -> list[int]:
    """The places 0 to `count`, or, where these are too many, as many of them as there may be."""
    return [number * count // min(count, most) for number in range(min(count, most))]


def _cross_validate(columns: "np.ndarray", values: "np.ndarray") -> "tuple[float, np.ndarray]":
    """The share of the differences that is foretold, and by how much the error grows without each
    column."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    folds = np.random.default_rng(0).permutation(len(values)) % _FOLDS
    error, harm = 0.0, np.zeros(columns.shape[1])
    for fold in range(_FOLDS):
        known, held = folds != fold, folds == fold
        forest = RandomForestRegressor(_TREES, random_state=fold).fit(columns[known], values[known])
        held_out = columns[held], values[held]
        error -= _score(forest, *held_out) * held.sum()
        shuffled = permutation_importance(
            forest, *held_out, scoring=_score, n_repeats=_SHUFFLES, random_state=fold
        )
        harm += shuffled.importances_mean * held.sum()
    return 1 - error / float(((values - values.mean()) ** 2).sum()), np.maximum(harm, 0.0)


def _score(forest: "RandomForestRegressor", columns: "np.ndarray", values: "np.ndarray") -> float:
    """The negative mean squared error.

    The trees are asked themselves: `forest.predict` takes 20 times as long for so few trials.
    """
    rows = np.ascontiguousarray(columns, np.float32)
    answers = np.mean([tree.tree_.predict(rows) for tree in forest.estimators_], axis=0)
    return -float(((answers.ravel() - values) ** 2).mean())


def _column(d: Dimension, trials: Sequence[Trial]) -> list[float]:
    """A range's values as numbers; where a trial has none, what the others have on average.

    Any other number would tell the forest of the choice on which the range depends.
    """
    there = {t.id: d.range.position(t.values[d.name]) for t in trials if d.name in t.values}
    usual = sum(there.values()) / len(there) if there else 0.0
    return [there.get(t.id, usual) for t in trials]
