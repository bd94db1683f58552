"""Generated data of a given element spec: `--sample` trains on it, with no download.

It can be learnt, and not by heart alone. Each class of images has a tint and a shading, which any
network finds, and a texture of a certain fineness and colour at a random angle and place, which
convolutions find. Vectors lie around a centre for each class. Where labels are no classes, a few
hidden numbers decide both the inputs, as the strengths of patterns, and the answers.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tfpipe.data.columns import Columns
from tfpipe.data.source import Share, StoredSplits
from tfpipe.declare.fieldtypes import Positive
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import Feature, Label

DEFAULT_SIZE = 5000
_AT_ONCE = 128  # samples made at once: large images would not fit in memory all together as floats
_HIDDEN = 4
_GOLDEN_RATIO = 0.6180339887

Maker = Callable[[slice], np.ndarray]  # the values of some rows


class Sample(StoredSplits):
    """Generated samples with the features, label and class names of another source.

    Args:
        features: what the inputs look like.
        label: what is predicted.
        size: how many training samples to make, before validation is held out. The test split,
            where there is one, has a fifth as many.
        seed: the same seed makes the same samples.
        validation: a share of the training samples, "test", or None.
        test: "test", a share of the training samples, or None.
    """

    features: tuple[Feature, ...]
    label: Label
    size: Positive = DEFAULT_SIZE
    seed: int = 0
    validation: Share | str | None = None
    test: Share | str | None = "test"

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        return self.features, self.label

    def _stored_sizes(self) -> dict[str, int]:
        return {"train": self.size, "test": max(1, self.size // 5)}

    def _read(self, stored: str) -> Columns:
        size = self._stored_sizes()[stored]
        rng = np.random.default_rng([self.seed, ["train", "test"].index(stored)])
        task = np.random.default_rng([self.seed, 2])
        if self.label.kind == "class":
            count = len(self.label.classes)
            labels = rng.permutation(np.arange(size) % count).astype(np.int64)
            makers = [_of_classes(f, labels, count, rng, task) for f in self.features]
        else:
            width = min(_HIDDEN, sum(prod(f.shape) for f in self.features))
            hidden = rng.normal(size=(size, width))
            labels = _answers(self.label, hidden, rng, task)
            makers = [_of_hidden(f, hidden, rng, task) for f in self.features]
        made = zip(self.features, makers, strict=True)
        return Columns({f.name: _stored(f, size, make) for f, make in made}, labels)


def sample_of(source: Source, size: int | None, seed: int) -> Sample:
    """Generated data in place of a source's own, with its splits.

    Args:
        source: whose element spec and class names to take; its data is not read where it can be
            described without.
        size: how many training samples; None for 5,000.
        seed: the pipeline's seed.
    """
    features, label = source.element()
    validation = getattr(source, "validation", 0.1)
    test = getattr(source, "test", "test")
    if isinstance(validation, str):
        validation = "test" if validation == test else 0.1
    if isinstance(test, str):
        test = "test"
    return Sample(
        features, label, size=size or DEFAULT_SIZE, seed=seed, validation=validation, test=test
    )


def _stored(feature: Feature, size: int, make: Maker) -> np.ndarray:
    """Samples in the feature's type, made a part at a time."""
    dtype = np.dtype(feature.dtype)
    stored = np.empty((size, *feature.shape), dtype)
    for start in range(0, size, _AT_ONCE):
        rows = slice(start, min(size, start + _AT_ONCE))
        values = make(rows)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        stored[rows] = values > 0 if dtype.kind == "b" else values
    return stored


def _of_classes(
    feature: Feature,
    labels: np.ndarray,
    count: int,
    rng: np.random.Generator,
    task: np.random.Generator,
) -> Maker:
    if feature.kind == "image":
        scale = 1.0 if feature.dtype == "uint8" else 1 / 255
        return lambda rows: scale * _images(feature.shape, labels[rows], count, rng)
    centres = task.normal(size=(count, *feature.shape)) * 1.5

    def make(rows: slice) -> np.ndarray:
        values = centres[labels[rows]]
        return _in_range(feature, values + rng.normal(size=values.shape))

    return make


def _of_hidden(
    feature: Feature, hidden: np.ndarray, rng: np.random.Generator, task: np.random.Generator
) -> Maker:
    patterns = task.normal(size=(hidden.shape[1], *feature.shape))
    if feature.kind == "image":
        coarse = task.normal(size=(hidden.shape[1], 4, 4, feature.shape[2]))
        rows, columns = (np.arange(n) * 4 // n for n in feature.shape[:2])
        patterns = coarse[:, rows][:, :, columns]

    def make(rows: slice) -> np.ndarray:
        values = np.tensordot(hidden[rows], patterns, axes=1)
        return _in_range(feature, values + 0.1 * rng.normal(size=values.shape))

    return make


def _in_range(feature: Feature, values: np.ndarray) -> np.ndarray:
    """Values around 0, moved to where a feature's are."""
    if feature.dtype == "uint8":
        return 128.0 + 40.0 * values
    return 0.5 + 0.16 * values if feature.kind == "image" else values


def _images(
    shape: tuple[int, ...], labels: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Images in 0 to 255: a tint, a shading, a texture at a random angle and place, and noise."""
    height, width, channels = shape
    n, pixels = len(labels), np.float32
    steps = np.arange(count)
    hue = 2 * np.pi * steps / count
    colours = np.stack([np.cos(hue + shift) for shift in np.arange(channels) * 2.1], axis=1)
    cycles = 1.5 + 5.0 * (steps * _GOLDEN_RATIO % 1)  # any two classes differ, neighbours most
    tint = (colours * 30.0)[labels] + rng.normal(size=(n, channels)) * 24.0
    angle, phase = rng.uniform(0, np.pi, n), rng.uniform(0, 2 * np.pi, n)
    y, x = np.mgrid[0:height, 0:width].astype(pixels) / max(height, width)
    turns = (2 * np.pi * cycles[labels] * np.stack([np.cos(angle), np.sin(angle)])).astype(pixels)
    along = turns[0, :, None, None] * x + turns[1, :, None, None] * y
    wave = np.sin(along + phase.astype(pixels)[:, None, None])
    direction = 45.0 * np.roll(colours, count // 3, axis=0)[labels]
    images = 18.0 * rng.standard_normal((n, height, width, channels), pixels)
    images += wave[..., None] * direction.astype(pixels)[:, None, None, :]
    shading = (22.0 * np.sin(hue)[labels] + 16.0 * rng.normal(size=n)).astype(pixels)
    images += (shading[:, None, None] * (2 * y - 1))[..., None]
    images += (128.0 + tint).astype(pixels)[:, None, None, :]
    return np.asarray(images)


def _answers(
    label: Label, hidden: np.ndarray, rng: np.random.Generator, task: np.random.Generator
) -> np.ndarray:
    """Labels that are a smooth function of the hidden numbers, with a little noise."""
    size, width = hidden.shape
    weights = task.normal(size=(width, prod(label.shape))) / np.sqrt(width)
    scores = hidden @ weights
    if label.kind == "multilabel":
        answers: Any = (scores > 0).astype(np.int64)
    else:
        noise = 0.1 * rng.normal(size=scores.shape)
        answers = (scores + 0.3 * np.sin(2 * scores) + noise).astype(np.float32)
    return np.asarray(answers.reshape(size, *label.shape))
