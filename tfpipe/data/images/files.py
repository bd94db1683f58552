"""Files to arrays of pixels, with several threads, and what is wrong with those that are none."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfpipe.data.images.decoding import (
    channels_of,
    covered,
    fitted,
    jpeg_pixels,
    letterboxed,
    pixels,
    placed,
    seen,
)
from tfpipe.data.images.formats import OF_TENSORFLOW, NotReadable, kind_of, read
from tfpipe.declare.spec import Feature

# Takes the rows that begin at a row number.
Store = Callable[[int, np.ndarray], None]
# How an image of another size is made to fit.
Fit = Literal["stretch", "cover", "letterbox"]
# The index of each file that cannot be used, and what is wrong with it, in order.
Problems = list[tuple[int, str]]
# How many files have so many channels, as `formats.read` counts them.
Channels = Counter[int]

_MEASURED = 512  # files at a time, when reading is measured
_CHUNK, _CHUNK_BYTES = 256, 8_000_000
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_OF_TENSORFLOW = (*_JPEG, ".png")


@dataclass(frozen=True)
class Decoder:
    """Makes files into images of one shape.

    Args:
        shape: (height, width, channels) of every image, to which those of others are converted.
        fit: how images of other sizes are resized: stretched, to cover the size, of which the
            centre is cut out, or to fit in it, with grey around; None where they are a problem.
        counts: whether it is counted how many channels the files have.
    """

    shape: tuple[int, ...]
    fit: Fit | None
    counts: bool = True

    def decode(self, paths: Sequence[Path], store: Store) -> tuple[Problems, Channels]:
        """Decode files, whatever their number, with little more memory than `store` takes.

        Args:
            paths: the files.
            store: takes uint8 rows and where the first of them belongs; called from threads, in no
                order. The row of a file that cannot be used is not stored, or holds nothing of use.

        Returns:
            What cannot be used and why, and the channels of the files.
        """
        size = max(1, min(_CHUNK, _CHUNK_BYTES // max(1, prod(self.shape))))
        problems: Problems = []
        channels: Channels = Counter()
        with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
            starts = range(0, len(paths), size)
            chunks = threads.map(lambda i: self._chunk(i, paths[i : i + size], store), starts)
            for wrong, counts in chunks:
                problems += wrong
                channels += counts
        return problems, channels

    def one(self, path: Path) -> np.ndarray:
        """Return the pixels of a file; raise NotReadable where it cannot be used."""
        return self._read(path)[0]

    def of_content(self, encoded: bytes) -> np.ndarray:
        """Return the pixels of a file's content; raise NotReadable where it cannot be used."""
        if kind_of(encoded) in OF_TENSORFLOW:
            try:
                image: np.ndarray = self._content(tf.constant(encoded)).numpy()
            except tf.errors.OpError:
                pass  # Pillow says why
            else:
                return image
        return self._by_pillow(encoded)[0]

    def _chunk(self, start: int, paths: Sequence[Path], store: Store) -> tuple[Problems, Channels]:
        """Decode some files: by TensorFlow all at once where it can, else one after the other."""
        suffixes = {path.suffix.lower() for path in paths}
        if len(paths) > 1 and suffixes <= {*_OF_TENSORFLOW}:
            many = self._jpegs if suffixes <= {*_JPEG} else self._any
            try:
                images, channels = many(tf.constant([os.fsencode(path) for path in paths]))
            except tf.errors.OpError:  # says neither which file nor, for people, what
                pass
            else:
                store(start, np.asarray(memoryview(images)))  # numpy() would copy
                return [], Counter(channels.numpy().tolist())
        problems: Problems = []
        counts: Channels = Counter()
        for index, path in enumerate(paths, start):
            try:
                image, own = self._read(path)
            except NotReadable as error:
                problems.append((index, str(error)))
            else:
                store(index, image[None])
                counts[own] += 1
        return problems, counts

    def _read(self, path: Path) -> tuple[np.ndarray, int]:
        """Return the pixels of a file and its channels, whatever its name; raise NotReadable."""
        encoded = _content(path)
        if kind_of(encoded) in OF_TENSORFLOW:
            try:
                images, channels = self._any(tf.constant([os.fsencode(path)]))
                return images.numpy()[0], int(channels[0])
            except tf.errors.OpError:
                pass  # Pillow says why, or knows a kind that TensorFlow does not
        return self._by_pillow(encoded)

    def _by_pillow(self, encoded: bytes) -> tuple[np.ndarray, int]:
        pixels, own = read(encoded, self.shape[2])
        if self.fit is None and pixels.shape[:2] != self.shape[:2]:
            height, width = self.shape[:2]
            raise NotReadable(
                f"{_size(pixels.shape)} pixels where {_size(self.shape)} were expected; "
                f"data.size=({height}, {width}) resizes"
            )
        return self._fitted(tf.constant(pixels)).numpy(), own

    @cached_property
    def _jpegs(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """The compiled decoding of files that are JPEG by name, with fewer steps an image."""
        return self._compiled(jpeg_pixels)

    @cached_property
    def _any(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        return self._compiled(pixels)

    @cached_property
    def _content(self) -> Callable[[tf.Tensor], tf.Tensor]:
        def one(encoded: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(self._fitted(pixels(encoded, self.shape[2])), self.shape)

        return tf.function(one, [tf.TensorSpec([], tf.string)], autograph=False)

    def _compiled(
        self, decode: Callable[[tf.Tensor, int], tf.Tensor]
    ) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Return a function that runs without Python, so that several threads help."""

        def one(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            encoded = tf.io.read_file(path)
            image = self._fitted(decode(encoded, self.shape[2]))
            with tf.control_dependencies([image]):  # of a file that is whole
                own = channels_of(encoded) if self.counts else tf.constant(self.shape[2])
                return tf.ensure_shape(image, self.shape), own

        def all_of(paths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            types = (tf.uint8, tf.int32)
            return tf.map_fn(one, paths, fn_output_signature=types, parallel_iterations=1)

        return tf.function(all_of, [tf.TensorSpec([None], tf.string)], autograph=False)

    def _fitted(self, image: tf.Tensor) -> tf.Tensor:
        if self.fit is None:
            return image
        fit = {"stretch": fitted, "cover": covered, "letterbox": letterboxed}[self.fit]
        return fit(tf.ensure_shape(image, [None, None, self.shape[2]]), self.shape[:2])


def read_files(paths: Sequence[Path]) -> Iterator[int]:
    """Read files with as many threads as `Decoder` has; yield how many have come."""
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
        for start in range(0, len(paths), _CHUNK):
            yield len([*threads.map(_content, paths[start : start + _CHUNK])])


def passes_of(
    decoder: Decoder, files: Callable[[], Sequence[Path]]
) -> dict[str, Callable[[], Iterator[int]]]:
    """Return what it is to read image files, and to decode them; see `StoredSplits.passes`.

    Args:
        decoder: decodes them.
        files: gives them.
    """

    def decode() -> Iterator[int]:
        paths = files()
        for start in range(0, len(paths), _MEASURED):
            some = paths[start : start + _MEASURED]
            decoder.decode(some, lambda *_: None)
            yield len(some)

    return {"read": lambda: read_files(files()), "decode": decode}


def shape_of(path: Path) -> tuple[int, ...] | str:
    """(height, width, channels) of an image file, or what is wrong with it."""
    try:
        image, channels = read(_content(path), 0)
    except NotReadable as error:
        return str(error)
    return (*image.shape[:2], channels)


def decoded(path: Path, feature: Feature) -> np.ndarray:
    """Return what a model gets of a file, uint8 of `feature.shape`; raise NotReadable."""
    image, _ = read(_content(path), feature.shape[2])
    return np.asarray(seen(placed(tf.constant(image), feature), feature))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotReadable(f"cannot be read: {error.strerror}") from None


def a_few(items: Sequence[Any], most: int = 32) -> list[Any]:
    """Return some of the items, evenly spread over them."""
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else [*items]


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]}x{shape[1]}"
