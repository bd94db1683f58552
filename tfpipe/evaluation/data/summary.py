"""What a split holds, gathered while its batches pass by."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.evaluation.predictions import sample_ids

KEPT_ROWS = 5000  # of tables and texts, for associations and vocabulary
KEPT_IMAGES = 2000  # of images, for near duplicates
_MOST_WORDS = 100_000  # that are counted apart


@dataclass
class Spread:
    """The values of one feature.

    Args:
        feature: which.
    """

    feature: Feature
    count: int = 0
    missing: int = 0
    least: float = float("inf")
    greatest: float = float("-inf")
    words: Counter[str] = field(default_factory=Counter)
    _sum: float = 0.0
    _squares: float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Take the values of a batch."""
        if values.dtype == object:
            texts = [bytes(v).decode("utf-8", "replace") for v in values.reshape(-1)]
            self.missing += texts.count("")
            self.count += len(texts)
            if len(self.words) < _MOST_WORDS:
                self.words.update(t for t in texts if t)
            return
        numbers = values.astype(np.float64, copy=False).reshape(-1)
        known = numbers[np.isfinite(numbers)]
        self.count, self.missing = (
            self.count + len(numbers),
            self.missing + len(numbers) - len(known),
        )
        if len(known):
            self.least = min(self.least, float(known.min()))
            self.greatest = max(self.greatest, float(known.max()))
            self._sum += float(known.sum())
            self._squares += float(np.square(known).sum())

    @property
    def mean(self) -> float:
        """The mean of what is a number; NaN without any."""
        size = self.count - self.missing
        return self._sum / size if size else float("nan")

    @property
    def deviation(self) -> float:
        """The standard deviation of what is a number."""
        size = self.count - self.missing
        return (
            float(np.sqrt(max(self._squares / size - self.mean**2, 0.0))) if size else float("nan")
        )


@dataclass
class SplitSummary:
    """What one split holds.

    Args:
        spec: what its samples are.
    """

    spec: ElementSpec
    spreads: dict[str, Spread] = field(default_factory=dict)
    _ids: list[np.ndarray] = field(default_factory=list)
    _labels: list[Any] = field(default_factory=list)
    _rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    _kept: int = 0

    def add(self, features: Any, labels: Any) -> None:
        """Take a batch."""
        named = features if isinstance(features, dict) else {self.spec.feature.name: features}
        arrays = {name: np.asarray(values) for name, values in named.items()}
        size = len(next(iter(arrays.values())))
        self._ids.append(sample_ids(arrays))
        self._labels.append(labels)
        most = KEPT_IMAGES if any(f.kind == "image" for f in self.spec.features) else KEPT_ROWS
        for feature in self.spec.features:
            values = arrays[feature.name]
            self.spreads.setdefault(feature.name, Spread(feature)).add(values)
            if self._kept < most:
                self._rows.setdefault(feature.name, []).append(values[: most - self._kept])
        self._kept += size

    @property
    def ids(self) -> np.ndarray:
        """[rows] a hash of each sample."""
        return np.concatenate(self._ids)

    def labels(self, name: str = "") -> np.ndarray:
        """[rows, ...] the labels; those of an output where there are several."""
        return np.concatenate(
            [np.asarray(batch[name] if name else batch) for batch in self._labels]
        )

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """The features of the first samples by name."""
        return {name: np.concatenate(parts) for name, parts in self._rows.items()}


def summary(spec: ElementSpec, batches: Iterable[Sequence[Any]]) -> SplitSummary:
    """Return what a split holds.

    Args:
        spec: what its samples are.
        batches: (features, label, ...) batches.
    """
    import tensorflow as tf

    found = SplitSummary(spec)
    for features, labels, *_ in batches:
        found.add(features, tf.nest.map_structure(np.asarray, labels))
    return found
