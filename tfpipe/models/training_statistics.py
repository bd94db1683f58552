"""What preprocessing layers learn from the training split: means, variances and categories."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import Feature


@dataclass
class Moments:
    """Mean and variance of rows that come batch by batch; numbers that are missing do not count.

    The batches' moments are merged (Chan, Golub and LeVeque, 1979), which stays exact where a
    difference of large sums would not.
    """

    count: Any = 0.0
    mean: Any = 0.0
    _squares: Any = 0.0

    def add(self, rows: np.ndarray) -> None:
        """Take in [rows, ...] numbers; NaN stands for one that is missing."""
        rows = rows.astype(np.float64)
        there = ~np.isnan(rows)
        count = there.sum(axis=0)
        divisor = np.maximum(count, 1)
        mean = np.where(there, rows, 0.0).sum(axis=0) / divisor
        squares = np.where(there, (rows - mean) ** 2, 0.0).sum(axis=0)
        total = self.count + count
        shift = mean - self.mean
        weight = count / np.maximum(total, 1)
        self._squares = self._squares + squares + shift**2 * self.count * weight
        self.mean = self.mean + shift * weight
        self.count = total

    @property
    def variance(self) -> Any:
        """The variance; 1 where all numbers are alike, so that dividing by it changes nothing.

        Numbers are alike where their variance is no more than what rounding leaves of equal ones,
        as in scikit-learn's StandardScaler.
        """
        variance = self._squares / np.maximum(self.count, 1)
        rounding = np.finfo(np.float64).eps * self.count
        alike = variance <= rounding * variance + (rounding * self.mean) ** 2
        return np.where(alike, 1.0, variance)

    def scaled(self, factor: float, offset: float) -> "Moments":
        """The moments of the same numbers times a factor plus an offset."""
        return Moments(self.count, self.mean * factor + offset, self._squares * factor**2)


@dataclass
class TrainingStatistics:
    """What the training split says of its features.

    Args:
        moments: mean and variance of each feature that holds numbers, by name.
        words: how often each word of each category occurs, by name.
    """

    moments: dict[str, Moments] = field(default_factory=dict)
    words: dict[str, Counter[str]] = field(default_factory=dict)

    def categories(self, feature: Feature) -> tuple[str, ...]:
        """The words of a category: as declared, else as found, in the order of the alphabet."""
        words = sorted(w for w in self.words.get(feature.name, ()) if w)
        return feature.categories or tuple(words) or ("",)


def training_statistics(
    features: tuple[Feature, ...], train: Training | None
) -> TrainingStatistics:
    """Go through the training split once.

    Args:
        features: those to learn about: numbers and vectors have moments, categories have words.
        train: gives batches of the training split's features; None to learn nothing.
    """
    statistics = TrainingStatistics()
    if train is None or not features:
        return statistics
    for name, rows in _rows(features, train):
        if rows.dtype.kind in "OS":
            counter = statistics.words.setdefault(name, Counter())
            counter.update(word.decode("utf-8") for word in rows.tolist())
        else:
            statistics.moments.setdefault(name, Moments()).add(rows)
    return statistics


def _rows(features: tuple[Feature, ...], train: Training) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the rows of each feature batch by batch; texts of numbers and dates as numbers."""
    readers: dict[str, Callable[[np.ndarray], Any]] = {}
    if any(feature.format for feature in features):
        from tfpipe.models.text_columns import text_column

        readers = {f.name: text_column(f) for f in features if f.format}
    for batch in train().as_numpy_iterator():
        for feature in features:
            rows = batch[feature.name] if isinstance(batch, dict) else batch
            reader = readers.get(feature.name)
            yield feature.name, rows if reader is None else np.asarray(reader(rows))
