"""What a split holds, gathered while its batches pass by."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.evaluation.data.duplicates import Fingerprints
from tfpipe.evaluation.predictions import sample_ids
from tfpipe.evaluation.samples import Sample, shown

KEPT_ROWS = 20_000  # of tables and texts, for associations and vocabulary
KEPT_IMAGES = 256  # of samples with images, for what a model makes of them
COMPARED = 10_000  # images of a split, for near duplicates
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
        kept: which rows are kept, ascending.
        compared: which images are compared with others, ascending; none where there are no images.
    """

    spec: ElementSpec
    kept: np.ndarray
    compared: np.ndarray
    spreads: dict[str, Spread] = field(default_factory=dict)
    prints: Fingerprints = field(default_factory=Fingerprints)
    _ids: list[np.ndarray] = field(default_factory=list)
    _labels: list[Any] = field(default_factory=list)
    _rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    _size: int = 0

    def add(self, features: Any, labels: Any) -> None:
        """Take a batch."""
        named = features if isinstance(features, dict) else {self.spec.feature.name: features}
        arrays = {name: np.asarray(values) for name, values in named.items()}
        ids = sample_ids(arrays)
        self._ids.append(ids)
        # Images may be of any size: whether two are equal is all that is asked of them.
        self._labels.append(sample_ids(labels) if self.spec.gives_images else labels)
        ends = (self._size, self._size + len(ids))
        self._size = ends[1]
        first, last = np.searchsorted(self.kept, ends)
        here = self.kept[first:last] - ends[0]
        for feature in self.spec.features:
            values = arrays[feature.name]
            self.spreads.setdefault(feature.name, Spread(feature)).add(values)
            self._rows.setdefault(feature.name, []).append(values[here])
        first, last = np.searchsorted(self.compared, ends)
        for row in self.compared[first:last].tolist():
            sample = {name: values[row - ends[0]] for name, values in arrays.items()}
            image = shown(sample, self.spec.features).image
            if image is not None:
                self.prints.add(row, image)

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
        """The features of the kept rows by name."""
        return {name: np.concatenate(parts) for name, parts in self._rows.items()}


def summary(
    spec: ElementSpec,
    batches: Iterable[Sequence[Any]],
    size: int,
    seed: int = 0,
    compared: int = COMPARED,
) -> SplitSummary:
    """Return what a split holds.

    Args:
        spec: what its samples are.
        batches: (features, label, ...) batches.
        size: how many samples they have.
        seed: draws the rows that are kept, and the images that are compared with others.
        compared: how many images to compare at the most.
    """
    import tensorflow as tf

    images = any(feature.kind == "image" for feature in spec.features)
    draw = np.random.default_rng([seed, 0x5EE]).permutation(size)
    kept = np.sort(draw[: KEPT_IMAGES if images else KEPT_ROWS])
    found = SplitSummary(spec, kept, np.sort(draw[: compared if images else 0]))
    for features, labels, *_ in batches:
        found.add(features, tf.nest.map_structure(np.asarray, labels))
    return found


def picked(
    batches: Iterable[Sequence[Any]], rows: Iterable[int], spec: ElementSpec
) -> dict[int, tuple[Sample, dict[str, np.ndarray]]]:
    """Return some samples of a split by their row, ascending, each with its labels by name.

    Images that the source holds as bytes are bytes also where augmentation made numbers of them.

    Args:
        batches: (features, labels, ...) batches.
        rows: which.
        spec: what the features are called.
    """
    wanted, start = sorted(set(rows)), 0
    found: dict[int, tuple[Sample, dict[str, np.ndarray]]] = {}
    for features, labels, *_ in batches:
        if not wanted:
            break
        named = features if isinstance(features, dict) else {spec.feature.name: features}
        answers = labels if isinstance(labels, dict) else {"": labels}
        size = len(next(iter(named.values())))
        here = [row for row in wanted if row < start + size]
        for row in here:
            sample = {
                f.name: _as_held(np.asarray(named[f.name][row - start]), f) for f in spec.features
            }
            found[row] = (sample, {n: np.asarray(v[row - start]) for n, v in answers.items()})
        wanted, start = wanted[len(here) :], start + size
    return found


def _as_held(value: np.ndarray, feature: Feature) -> np.ndarray:
    if feature.kind != "image" or feature.dtype != "uint8" or value.dtype == np.uint8:
        return value
    return np.asarray(np.clip(np.round(value), 0, 255), np.uint8)
