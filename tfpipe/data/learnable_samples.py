"""Samples that can be learnt, of any shape and label, drawn with a seed.

Each class of images has a tint and a shading, which any network finds, and a texture of a certain
fineness and colour at a random angle and place, which convolutions find. Vectors and numbers lie
around a centre for each class; texts and categories favour words of their class. Where labels are
no classes, a few hidden numbers decide both the inputs, as the strengths of patterns, and the
answers.
"""

import datetime
from collections.abc import Callable
from math import prod

import numpy as np

from tfpipe.data.columns import Columns
from tfpipe.declare.formats import DateFormat, NumberFormat
from tfpipe.declare.spec import Feature, Label
from tfpipe.tasks.task import inferred

_AT_ONCE = 128  # samples made at once: large images would not fit in memory all together as floats
_HIDDEN = 4
_EPOCH = datetime.datetime(2020, 1, 1)
_GOLDEN_RATIO = 0.6180339887

_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "mo", "ne", "ri", "su", "ta", "ve")
_VOCABULARY = tuple(a + b for a in _SYLLABLES for b in _SYLLABLES)

Maker = Callable[[slice], np.ndarray]  # the values of some rows


def generate(
    features: tuple[Feature, ...], label: Label, size: int, seed: int, number: int
) -> Columns:
    """Return samples of a task that the seed decides.

    Args:
        features: what the inputs look like.
        label: what is predicted.
        size: how many samples.
        seed: decides the task: what the classes look like, what the answers follow.
        number: which samples of that task: 0 for those to train on, 1 for those to test on.
    """
    rng = np.random.default_rng([seed, number])
    task = np.random.default_rng([seed, 2])
    if label.parts:  # all follow from the first, which the inputs tell
        first, *others = label.parts
        made = generate(features, first, size, seed, number)
        following = {part.name: _following(part, made.labels, rng) for part in others}
        return Columns(made.features, {first.name: made.labels} | following)
    if label.is_class:
        count = len(label.classes)
        labels = rng.permutation(np.arange(size) % count).astype(np.int64)
        makers = [_of_classes(f, labels, count, rng, task) for f in features]
    else:
        width = min(_HIDDEN, sum(prod(f.shape) for f in features))
        hidden = rng.normal(size=(size, width))
        labels = _answers(label, hidden, rng, task)
        makers = [_of_hidden(f, hidden, rng, task) for f in features]
    generated = zip(features, makers, strict=True)
    return Columns({f.name: _stored(f, size, make) for f, make in generated}, labels)


def _stored(feature: Feature, size: int, make: Maker) -> np.ndarray:
    """Return samples in the feature's type, made a part at a time."""
    if feature.format is not None:
        return np.array([_write(feature.format, v) for v in make(slice(0, size))], object)
    if feature.dtype == "string":
        return make(slice(0, size))
    dtype = np.dtype(feature.dtype)
    stored = np.empty((size, *feature.stored_shape), dtype)
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
        return lambda rows: scale * _images(feature.stored_shape, labels[rows], count, rng)
    if feature.dtype == "string" and feature.format is None:
        strengths = np.eye(count)[labels]
        return lambda rows: _words(feature, strengths[rows], rng, task)
    centres = task.normal(size=(count, *feature.shape)) * 1.5

    def make(rows: slice) -> np.ndarray:
        values = centres[labels[rows]]
        return _in_range(feature, values + rng.normal(size=values.shape))

    return make


def _of_hidden(
    feature: Feature, hidden: np.ndarray, rng: np.random.Generator, task: np.random.Generator
) -> Maker:
    if feature.dtype == "string" and feature.format is None:
        return lambda rows: _words(feature, np.exp(hidden[rows]), rng, task)
    patterns = task.normal(size=(hidden.shape[1], *feature.stored_shape))
    if feature.kind == "image":
        coarse = task.normal(size=(hidden.shape[1], 4, 4, feature.shape[2]))
        rows, columns = (np.arange(n) * 4 // n for n in feature.stored_shape[:2])
        patterns = coarse[:, rows][:, :, columns]

    def make(rows: slice) -> np.ndarray:
        values = np.tensordot(hidden[rows], patterns, axes=1)
        return _in_range(feature, values + 0.1 * rng.normal(size=values.shape))

    return make


def _words(
    feature: Feature, strengths: np.ndarray, rng: np.random.Generator, task: np.random.Generator
) -> np.ndarray:
    """Return texts of words, or single words, that are drawn as often as a sample's strengths say.

    Args:
        feature: a text or a category.
        strengths: [rows, causes] how strong each cause is in each sample, of at least 0.
        rng: draws the samples.
        task: draws what the causes favour.
    """
    known = [w.encode() for w in feature.categories or _VOCABULARY]
    favours = task.dirichlet(np.full(len(known), 0.2), size=strengths.shape[1]) + 0.1 / len(known)
    chances = strengths @ favours
    upto = np.cumsum(chances / chances.sum(axis=1, keepdims=True), axis=1)
    lengths = rng.integers(8, 40, len(upto)) if feature.kind == "text" else np.ones(len(upto), int)
    texts = []
    for length, limits in zip(lengths, upto, strict=True):
        drawn = np.minimum(np.searchsorted(limits, rng.random(length)), len(known) - 1)
        texts.append(b" ".join(known[i] for i in drawn))
    return np.array(texts, object)


def _write(form: NumberFormat | DateFormat, value: float) -> bytes:
    """Return a value around 0 as a text: a number, or a date in the years around 2020."""
    if isinstance(form, NumberFormat):
        return form.write(1000 + 500 * value).encode()
    return form.write(_EPOCH + datetime.timedelta(days=365 * float(value))).encode()


def _in_range(feature: Feature, values: np.ndarray) -> np.ndarray:
    """Return values around 0, moved to where a feature's are."""
    if feature.dtype == "uint8":
        return 128.0 + 40.0 * values
    return 0.5 + 0.16 * values if feature.kind == "image" else values


def _images(
    shape: tuple[int, ...], labels: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw images in 0 to 255: a tint, a shading, a texture at any angle and place, and noise."""
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


def _following(label: Label, first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return labels that follow from those of another output, with a little noise."""
    scores = np.asarray(first, float).reshape(len(first), -1)[:, 0]
    if label.is_class:
        ranks = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
        return (ranks * len(label.classes) // max(len(ranks), 1)).astype(np.int64)
    task = inferred(label)
    assert task is not None
    scores = (scores - scores.mean()) / (scores.std() + 1e-6)
    wide = np.repeat(scores[:, None], prod(label.shape), axis=1)
    return task.generate(wide, rng).reshape(len(first), *label.shape)


def _answers(
    label: Label, hidden: np.ndarray, rng: np.random.Generator, task: np.random.Generator
) -> np.ndarray:
    """Return labels that are a smooth function of the hidden numbers, with a little noise."""
    size, width = hidden.shape
    weights = task.normal(size=(width, prod(label.shape))) / np.sqrt(width)
    scores = hidden @ weights
    task_of_labels = inferred(label)
    assert task_of_labels is not None
    return task_of_labels.generate(scores, rng).reshape(size, *label.shape)
