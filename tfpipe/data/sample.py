"""Generated data of a given element spec: `--sample` trains on it, with no download.

It can be learnt, and not by heart alone. Each class of images has a tint, which any network finds,
and a texture of a certain fineness and colour at a random angle and place, which convolutions find.
Vectors lie around a centre for each class; real numbers follow a smooth function of the inputs.
"""

from typing import Any

import numpy as np

from tfpipe.data.columns import Columns
from tfpipe.data.source import Share, StoredSplits
from tfpipe.declare.fieldtypes import Positive
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import Feature, Label

DEFAULT_SIZE = 2000


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
        labels = _labels(self.label, size, rng, task)
        columns = {f.name: _values(f, self.label, labels, rng, task) for f in self.features}
        if self.label.kind != "class":
            labels = _follow(self.label, columns, rng, task)
        return Columns(columns, labels)


def sample_of(source: Source, size: int | None, seed: int) -> Sample:
    """Generated data in place of a source's own, with its splits.

    Args:
        source: whose element spec and class names to take; its data is not read where it can be
            described without.
        size: how many training samples; None for 2,000.
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


def _labels(
    label: Label, size: int, rng: np.random.Generator, task: np.random.Generator
) -> np.ndarray:
    """Class indices, equally many of each; for other labels something to be replaced."""
    if label.kind != "class":
        return np.zeros(size, np.int64)
    return rng.permutation(np.arange(size) % len(label.classes)).astype(np.int64)


def _values(
    feature: Feature,
    label: Label,
    labels: np.ndarray,
    rng: np.random.Generator,
    task: np.random.Generator,
) -> np.ndarray:
    if label.kind == "class" and feature.kind == "image":
        values = _images(feature.shape, labels, len(label.classes), rng)
    else:
        centres = task.normal(size=(max(1, len(label.classes)), *feature.shape)) * 1.5
        values = rng.normal(size=(len(labels), *feature.shape))
        if label.kind == "class":
            values += centres[labels]
        if feature.dtype == "uint8":
            values = 128.0 + 40.0 * values
    if np.issubdtype(np.dtype(feature.dtype), np.integer):
        limits = np.iinfo(feature.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(feature.dtype)


def _images(
    shape: tuple[int, ...], labels: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Images in 0 to 255: a tint, a texture at a random angle and place, and noise."""
    height, width, channels = (*shape, 1)[:3]
    n = len(labels)
    steps = np.arange(count)
    hue = 2 * np.pi * steps / count
    colours = np.stack([np.cos(hue + shift) for shift in np.arange(channels) * 2.1], axis=1)
    cycles = 2.0 + 6.0 * ((steps * 7) % count) / max(1, count - 1)
    tint = (colours * 22.0)[labels] + rng.normal(size=(n, channels)) * 16.0
    angle, phase = rng.uniform(0, np.pi, n), rng.uniform(0, 2 * np.pi, n)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    along = x * np.cos(angle)[:, None, None] + y * np.sin(angle)[:, None, None]
    wave = np.sin(2 * np.pi * cycles[labels][:, None, None] * along + phase[:, None, None])
    direction = np.roll(colours, count // 3, axis=0)[labels]
    texture = 45.0 * wave[..., None] * direction[:, None, None, :]
    noise = rng.normal(scale=18.0, size=(n, height, width, channels))
    return np.asarray(128.0 + tint[:, None, None, :] + texture + noise).reshape(n, *shape)


def _follow(
    label: Label,
    columns: dict[str, np.ndarray],
    rng: np.random.Generator,
    task: np.random.Generator,
) -> np.ndarray:
    """Labels that are a smooth function of the inputs, with a little noise."""
    flat = [_standard(c.reshape(len(c), -1)) for c in columns.values()]
    inputs = np.concatenate(flat, axis=1)
    outputs = int(np.prod(label.shape)) if label.shape else 1
    weights = task.normal(size=(inputs.shape[1], outputs)) / np.sqrt(inputs.shape[1])
    scores = inputs @ weights
    if label.kind == "multilabel":
        answers: Any = (scores > 0).astype(np.int64)
    else:
        answers = scores + 0.3 * np.sin(2 * scores) + 0.1 * rng.normal(size=scores.shape)
        answers = answers.astype(np.float32)
    return np.asarray(answers.reshape(len(inputs), *label.shape))


def _standard(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    return np.asarray((values - values.mean(0)) / (values.std(0) + 1e-9))
