"""Files to arrays of pixels, with several threads, and what is wrong with those that are none."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfpipe.data.images.decoding import covered, fitted, jpeg_pixels, pixels
from tfpipe.text import counted

# Takes the rows that begin at a row number.
Store = Callable[[int, np.ndarray], None]
# Pixels of an encoded image, with a number of channels; 0 for those it has.
Read = Callable[[tf.Tensor, int], tf.Tensor]
# How an image of another size is made to fit.
Fit = Literal["stretch", "cover"]

_CHUNK, _CHUNK_BYTES = 256, 8_000_000
_JPEG = (".jpg", ".jpeg")
_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP"}


@dataclass(frozen=True)
class Decoder:
    """Makes files into images of one shape.

    Args:
        shape: (height, width, channels) of every image.
        fit: how images of other sizes are resized: stretched, or to cover the size, of which the
            centre is cut out; None where they are a problem.
        converted: whether images of other channels are converted; else they are a problem.
    """

    shape: tuple[int, ...]
    fit: Fit | None
    converted: bool

    def decode(self, paths: Sequence[Path], store: Store) -> list[tuple[int, str]]:
        """Decode files, whatever their number, with little more memory than `store` takes.

        Args:
            paths: the files.
            store: takes uint8 rows and where the first of them belongs; called from threads, in no
                order. The row of a file that cannot be used is not stored, or holds nothing of use.

        Returns:
            The index of each file that cannot be used, and what is wrong with it, in order.
        """
        size = max(1, min(_CHUNK, _CHUNK_BYTES // max(1, prod(self.shape))))

        def chunk(start: int) -> list[tuple[int, str]]:
            return self._chunk(start, paths[start : start + size], store)

        with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
            return [*itertools.chain(*threads.map(chunk, range(0, len(paths), size)))]

    def one(self, path: Path) -> np.ndarray:
        """Return the pixels of a file; raise tf.errors.OpError where it cannot be used."""
        return self._decode(tf.constant([os.fsencode(path)]), pixels).numpy()[0]

    def _chunk(self, start: int, paths: Sequence[Path], store: Store) -> list[tuple[int, str]]:

        jpegs = len(paths) > 1 and all(p.suffix.lower() in _JPEG for p in paths)
        many = self._jpegs if jpegs else self._any
        try:
            images = many(tf.constant([os.fsencode(p) for p in paths]))
            store(start, np.asarray(memoryview(images)))  # numpy() would copy
        except tf.errors.OpError:  # says neither which file nor, for people, what
            if len(paths) == 1:
                return [(start, self._problem(paths[0]))]
            alone = (self._chunk(start + i, [p], store) for i, p in enumerate(paths))
            return [*itertools.chain.from_iterable(alone)]
        return []

    @cached_property
    def _jpegs(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The compiled decoding of files that are JPEG by name, with fewer steps an image."""
        return self._compiled(jpeg_pixels)

    @cached_property
    def _any(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return self._compiled(pixels)

    def _compiled(self, read: "Read") -> Callable[[tf.Tensor], tf.Tensor]:
        """Return a function that runs without Python, so that several threads help."""
        signature = [tf.TensorSpec([None], tf.string)]
        return tf.function(partial(self._decode, read=read), signature, autograph=False)

    def _decode(self, paths: tf.Tensor, read: "Read") -> tf.Tensor:

        def one(path: tf.Tensor) -> tf.Tensor:
            image = read(tf.io.read_file(path), self.shape[2] if self.converted else 0)
            return tf.ensure_shape(self._fitted(image), self.shape)

        return tf.map_fn(one, paths, fn_output_signature=tf.uint8, parallel_iterations=1)

    def _fitted(self, image: tf.Tensor) -> tf.Tensor:

        if self.fit is None:
            return image
        fit = fitted if self.fit == "stretch" else covered
        return fit(tf.ensure_shape(image, [None, None, self.shape[2]]), self.shape[:2])

    def _problem(self, path: Path) -> str:
        """Return what is wrong with a file that cannot be used."""
        shape = shape_of(path)
        if isinstance(shape, str):
            return shape
        if self.fit is None and shape[:2] != self.shape[:2]:
            height, width = self.shape[:2]
            return (
                f"{_size(shape)} pixels where {_size(self.shape)} were expected; "
                f"data.size=({height}, {width}) resizes"
            )
        own, expected = counted(shape[2], "channel"), counted(self.shape[2], "channel")
        if not self.converted and shape[2] != self.shape[2]:
            return f"{own} where {expected} were expected; data.channels={self.shape[2]} converts"
        try:
            self.one(path)
        except tf.errors.OpError:
            return f"cannot be read with {expected}; it has {own}"
        return "changed while it was read"


def shape_of(path: Path) -> tuple[int, ...] | str:
    """(height, width, channels) of an image file, or what is wrong with it."""
    try:
        encoded = path.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    kind = next((kind for magic, kind in _MAGIC.items() if encoded.startswith(magic)), None)
    if kind is None:
        return "is no JPEG, PNG, GIF or BMP image" if encoded else "is empty"
    try:
        return tuple(pixels(tf.constant(encoded), 0).shape)
    except tf.errors.OpError:
        return f"is truncated or damaged ({kind})"


def a_few(items: Sequence[Any], most: int = 32) -> list[Any]:
    """Return some of the items, evenly spread over them."""
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else [*items]


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]}x{shape[1]}"
