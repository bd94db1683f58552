"""How much each column of a table says of the label, and which ones give it away."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_FOLDS = 5
_AWAY = 0.9  # of what is left to explain, beyond which one column gives the label away
_MOST_WORDS = 1000


class Association(NamedTuple):
    """What one column says of the label.

    `strength` is from 0 to 1: the correlation of two numbers (Pearson's, its sign left out), the
    root of the correlation ratio of a number and a category, Cramér's V of two categories.
    `alone` is what a shallow tree on this column alone reaches on rows it has not seen: a share of
    right answers, or R². `gives_away` is whether that is nearly all there is to know.
    """

    column: str
    how: str
    strength: float
    alone: float
    gives_away: bool


def associations(
    columns: Mapping[str, np.ndarray], labels: np.ndarray, *, classes: bool
) -> list[Association]:
    """Return what each column says of the label, the most telling first.

    Args:
        columns: [rows] numbers, NaN where one is missing, or words as bytes.
        labels: [rows] class indices, or numbers.
        classes: whether the labels are class indices.
    """
    base = float(np.bincount(labels.astype(int)).max() / len(labels)) if classes else 0.0
    found = []
    for name, values in columns.items():
        words = values.dtype == object
        codes = np.unique(values.astype(str), return_inverse=True)[1] if words else None
        if codes is not None and codes.max() >= _MOST_WORDS:
            continue
        how, strength = _strength(values if codes is None else codes, labels, words, classes)
        alone = _alone(values if codes is None else codes, labels, words, classes)
        left = (alone - base) / (1 - base) if base < 1 else 0.0
        found.append(Association(name, how, strength, alone, left > _AWAY))
    return sorted(found, key=lambda a: (-a.strength, a.column))


def _strength(
    values: np.ndarray, labels: np.ndarray, words: bool, classes: bool
) -> tuple[str, float]:
    if words and classes:
        from scipy.stats.contingency import association, crosstab

        table = crosstab(values, labels).count
        return "Cramér's V", float(association(table)) if min(table.shape) > 1 else 0.0
    groups, numbers = (values, labels) if words else (labels, values)
    known = np.isfinite(numbers.astype(np.float64))
    groups, numbers = groups[known], numbers[known].astype(np.float64)
    if len(numbers) < 2 or np.ptp(numbers) == 0:
        return "nothing", 0.0
    if not words and not classes:
        steady = np.ptp(groups) == 0
        return "Pearson", 0.0 if steady else abs(float(np.corrcoef(groups, numbers)[0, 1]))
    return "correlation ratio", float(np.sqrt(correlation_ratio(groups, numbers)))


def correlation_ratio(groups: np.ndarray, numbers: np.ndarray) -> float:
    """Return the share of the variance of numbers that lies between groups."""
    places = np.unique(groups, return_inverse=True)[1]
    counts = np.bincount(places)
    means = np.bincount(places, numbers) / counts
    between = float(counts @ np.square(means - numbers.mean()))
    return between / float(np.square(numbers - numbers.mean()).sum())


def _alone(values: np.ndarray, labels: np.ndarray, words: bool, classes: bool) -> float:
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if len(labels) < 2 * _FOLDS:
        return 0.0
    column = values.reshape(-1, 1)
    inputs = OneHotEncoder().fit_transform(column) if words else column.astype(np.float32)
    depth = 8 if words else 6
    tree = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(
        max_depth=depth, min_samples_leaf=2, random_state=0
    )
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    return float(np.mean(cross_val_score(tree, inputs, labels, cv=folds)))
