"""Properties of samples by which a split is sliced, gathered while its batches pass by."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpipe.declare.spec import Feature

FIRST = 1000  # rows whose features are kept
_MOST_FILES = 50_000  # whose sizes are read


@dataclass
class Traits:
    """Watches batches.

    Args:
        features: what the samples are.
    """

    features: Sequence[Feature]
    _traits: dict[str, list[np.ndarray]] = field(default_factory=dict)
    _first: dict[str, list[np.ndarray]] = field(default_factory=dict)
    _kept: int = 0

    def add(self, features: object) -> None:
        """Take the features of a batch: an array, or a mapping of names to them."""
        named = features if isinstance(features, dict) else {self.features[0].name: features}
        arrays = {name: np.asarray(values) for name, values in named.items()}
        size = len(next(iter(arrays.values())))
        for feature in self.features:
            for name, values in _of(feature, arrays[feature.name]).items():
                self._traits.setdefault(name, []).append(values)
        if self._kept < FIRST and all(f.kind not in ("image", "text") for f in self.features):
            for name, values in arrays.items():
                self._first.setdefault(name, []).append(values[: FIRST - self._kept])
            self._kept += size

    def traits(self) -> dict[str, np.ndarray]:
        """Return [rows] of each property by name."""
        return {name: np.concatenate(parts) for name, parts in self._traits.items()}

    def first(self) -> dict[str, np.ndarray]:
        """Return the features of the first rows, of tables, vectors and arrays."""
        return {name: np.concatenate(parts) for name, parts in self._first.items()}


def sizes_of(places: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the pixels of image files, by their headers; nothing for what is no such file.

    Args:
        places: the file of each sample.
    """
    from PIL import Image

    sizes = np.full(len(places), np.nan)
    if not 0 < len(places) <= _MOST_FILES or not Path(places[0]).is_file():
        return {}
    for row, place in enumerate(places):
        with contextlib.suppress(OSError), Image.open(place) as image:
            sizes[row] = image.width * image.height
    return {"pixels of the file": sizes} if len(np.unique(sizes)) > 1 else {}


def _of(feature: Feature, values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the properties of a batch of one feature."""
    name = feature.name
    if feature.kind == "image":
        pixels = values.reshape(len(values), -1).astype(np.float32)
        return {"brightness": pixels.mean(axis=1), "contrast": pixels.std(axis=1)}
    if feature.kind == "text":
        lengths = [len(bytes(text).split()) for text in values.reshape(-1)]
        return {"words": np.asarray(lengths, np.int64)}
    if feature.kind in ("number", "category") and values.ndim == 1:
        if values.dtype != object:
            return {name: values}
        return {name: np.asarray([bytes(v).decode("utf-8", "replace") for v in values])}
    if feature.kind == "vector" and values.ndim == 2 and values.shape[1] <= 20:
        return {f"{name}[{i}]": values[:, i] for i in range(values.shape[1])}
    return {}
