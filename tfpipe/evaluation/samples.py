"""Samples as people see them: a picture, a row of a table, a text, or a line of numbers."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.declare.formats import PAD, SPECIAL
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.text import number

_MOST_TEXT = 400  # characters
_MOST_COLUMNS = 40

# A sample as the source gives it: an array for each feature by name.
Sample = dict[str, np.ndarray]


@dataclass(frozen=True)
class Shown:
    """A sample as a page or a figure shows it; what it has not is empty.

    Args:
        image: [height, width, channels] uint8, of 1, 3 or 4 channels.
        curve: [steps, series] float32, of numbers in an order.
        columns: name and value of each column of a row.
        text: the beginning of a text.
    """

    image: np.ndarray | None = None
    curve: np.ndarray | None = None
    columns: tuple[tuple[str, str], ...] = field(default=())
    text: str = ""

    def png(self, least: int = 96, most: int = 320) -> bytes:
        """Return the picture as a PNG file, small ones enlarged by whole pixels.

        Args:
            least: pixels that the longer side has at the least, as whole multiples allow.
            most: pixels that it has at the most.
        """
        from PIL import Image

        assert self.image is not None
        pixels = self.image[..., 0] if self.image.shape[-1] == 1 else self.image
        picture = Image.fromarray(pixels)
        longer = max(picture.size)
        times = max(1, least // longer) if longer < least else min(1.0, most / longer)
        size = [max(1, round(length * times)) for length in picture.size]
        how = Image.Resampling.NEAREST if times >= 1 else Image.Resampling.LANCZOS
        written = io.BytesIO()
        picture.resize((size[0], size[1]), how).save(written, "PNG", optimize=True)
        return written.getvalue()


def chosen(batches: Iterable[Any], rows: Iterable[int], spec: ElementSpec) -> dict[int, Sample]:
    """Return some samples of a split by their row, without keeping the others.

    Args:
        batches: (features, label, ...) batches in an order of their own.
        rows: which, in any order.
        spec: what the features are called.
    """
    wanted, found, start = sorted(set(rows)), dict[int, Sample](), 0
    for features, *_ in batches:
        if not wanted:
            break
        named = features if isinstance(features, dict) else {spec.feature.name: features}
        size = len(next(iter(named.values())))
        here = [row for row in wanted if row < start + size]
        if here:
            arrays = {name: np.asarray(values) for name, values in named.items()}
            found |= {r: {n: np.asarray(v[r - start]) for n, v in arrays.items()} for r in here}
        wanted, start = wanted[len(here) :], start + size
    return found


def shown(sample: Sample, features: Sequence[Feature]) -> Shown:
    """Return how a sample looks: its image, its text, or its columns."""
    image, curve, text = None, None, ""
    columns: list[tuple[str, str]] = []
    for feature in features:
        value = np.asarray(sample[feature.name])
        if feature.kind == "image" and image is None:
            image = _bytes_of(value)
        elif feature.kind == "text":
            text = text or _cut(_text(value))
        elif feature.kind == "tokens":
            padded = feature.categories[: len(SPECIAL)] == SPECIAL
            numbers = [n for n in value.tolist() if not padded or n != PAD]
            text = text or _cut(Tokenizer.of(feature).decode(numbers))
        elif value.ndim and value.size > 8 and feature.kind in ("vector", "array"):
            if curve is None and value.ndim <= 2:
                curve = np.asarray(value, np.float32).reshape(len(value), -1)
        elif len(columns) < _MOST_COLUMNS:
            columns.append((feature.name, _cell(value)))
    return Shown(image, curve, tuple(columns), text)


def _bytes_of(image: np.ndarray) -> np.ndarray:
    """Return an image as bytes; one of real numbers from its least value to its greatest."""
    if image.dtype == np.uint8:
        return image
    values = np.nan_to_num(np.asarray(image, np.float32))
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return np.asarray(255 * (values - low) / max(high - low, 1e-12)).round().astype(np.uint8)


def _cell(value: np.ndarray) -> str:
    if value.dtype.kind in "OSU":
        return _cut(_text(value), 60)
    numbers = [f"{v:.6g}" if abs(v) < 1e6 else number(v) for v in map(float, value.reshape(-1))]
    return ", ".join(numbers)


def _text(value: np.ndarray) -> str:
    item = value.reshape(-1)[0]
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _cut(text: str, most: int = _MOST_TEXT) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
