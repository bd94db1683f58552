"""How much each column of a table says of the label, and which ones give it away."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

AWAY = 0.9  # of what is left to explain, beyond which one column gives the label away
MOST_COLUMNS = 200
_FOLDS = 5
_MOST_WORDS = 1000
_DISTINCT = 0.95  # of the rows, beyond which words or whole numbers name the row


class Association(NamedTuple):
    """What one column says of the label.

    `strength` is from 0 to 1: the correlation of two numbers (Pearson's, its sign left out), the
    root of the correlation ratio of a number and a category, Cramér's V of two categories, less
    what chance alone gives (Bergsma, A bias-correction for Cramér's V, 2013). `alone` is what a
    shallow tree on this column alone reaches on rows it has not seen: a share of right answers, or
    R². `gives_away` is whether that is nearly all there is to know. `identifies` is whether nearly
    every row has a value of its own, as a customer's number or a name; what such a column says of
    the rows at hand it says of no other.
    """

    column: str
    how: str
    strength: float
    alone: float
    gives_away: bool
    identifies: bool


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
    for name, values in list(columns.items())[:MOST_COLUMNS]:
        words = values.dtype == object
        codes = np.unique(values.astype(str), return_inverse=True)[1] if words else values
        known = codes if words else codes[np.isfinite(codes)]
        identifies = words or bool(len(known) and np.all(known == np.round(known)))
        identifies &= len(np.unique(known)) > max(_DISTINCT * len(values), 20)
        if words and (identifies or codes.max() >= _MOST_WORDS):
            how, strength, alone = "too many words", 0.0, base
        else:
            how, strength = _strength(codes, labels, words, classes)
            alone = _alone(codes, labels, words, classes)
        left = (alone - base) / (1 - base) if base < 1 else 0.0
        found.append(Association(name, how, strength, alone, left > AWAY, identifies))
    return sorted(found, key=lambda a: (-a.strength, a.column))


def _strength(
    values: np.ndarray, labels: np.ndarray, words: bool, classes: bool
) -> tuple[str, float]:
    if words and classes:
        return "Cramér's V", cramers_v(values, labels)
    groups, numbers = (values, labels) if words else (labels, values)
    known = np.isfinite(numbers.astype(np.float64))
    groups, numbers = groups[known], numbers[known].astype(np.float64)
    if len(numbers) < 2 or np.ptp(numbers) == 0:
        return "nothing", 0.0
    if not words and not classes:
        steady = np.ptp(groups) == 0
        return "Pearson", 0.0 if steady else abs(float(np.corrcoef(groups, numbers)[0, 1]))
    return "correlation ratio", float(np.sqrt(correlation_ratio(groups, numbers)))


def cramers_v(one: np.ndarray, other: np.ndarray) -> float:
    """Return Cramér's V of two categories, [rows] codes, corrected for what chance gives."""
    from scipy.stats import chi2_contingency
    from scipy.stats.contingency import crosstab

    counts = crosstab(one, other).count
    rows, columns = counts.shape
    size = float(counts.sum())
    if min(rows, columns) < 2 or size < 2:
        return 0.0
    squared = float(chi2_contingency(counts, correction=False).statistic) / size
    squared = max(squared - (rows - 1) * (columns - 1) / (size - 1), 0.0)
    least = min(rows - (rows - 1) ** 2 / (size - 1), columns - (columns - 1) ** 2 / (size - 1))
    return float(np.sqrt(squared / (least - 1))) if least > 1 else 0.0


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
    inputs: Any = column.astype(np.float32)
    if words:
        inputs = OneHotEncoder().fit_transform(column)
    # As many leaves as there are classes, some times over: a copy of the label needs that.
    leaves = 2 * max(len(np.unique(labels)) if classes else 0, 32)
    tree = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(
        max_leaf_nodes=leaves, min_samples_leaf=2, random_state=0
    )
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    return float(np.mean(cross_val_score(tree, inputs, labels, cv=folds)))
