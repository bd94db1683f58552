"""Pictures for a model: files and frames of clips, decoded in threads ahead of it."""

import contextlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.data.csv.parts import taken
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import DataError
from tfpipe.jobs.predict.clips import SUFFIXES, frames
from tfpipe.jobs.predict.paths import STANDARD_INPUT, images_in, sources
from tfpipe.jobs.predict.prediction import Chunk
from tfpipe.jobs.predict.standard_input import StandardInput

if TYPE_CHECKING:
    import tensorflow as tf

_BATCH, _BATCH_BYTES = 32, 64_000_000
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

# A file, the pixels of a frame, or what is wrong with either.
Picture = Path | np.ndarray | str
Read = tuple[str, Picture, "Future[Any]"]


class ImageReader:
    """Reads the pictures that some paths lead to.

    Args:
        feature: what the model takes.
        every: of a clip, one frame in so many.
        decodes: whether files are decoded here; else those of a format that TensorFlow reads are
            left to the model.
        signs: whether each picture is of one sign, whose ink is cut out and centred.
        sized: whether the size of each picture is to be known, and the picture itself.
    """

    def __init__(
        self,
        feature: Feature,
        every: int = 1,
        decodes: bool = True,
        signs: bool = False,
        sized: bool = False,
    ) -> None:
        self._feature, self._every, self._signs = feature, every, signs
        self._decodes = decodes or signs
        self._sized = sized
        self._input: StandardInput | None = None

    def chunks(self, paths: Iterable[str]) -> Iterator[Chunk]:
        """Yield the pictures in order, however many: the next ones are read in the meantime.

        Args:
            paths: files, folders, patterns, clips, or "-" for a path a line on standard input.
        """
        one = self._feature.any_size  # and another size may be anything
        size = 1 if one else max(1, min(_BATCH, _BATCH_BYTES // self._feature.nbytes))
        with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
            rest = (
                (p, what, threads.submit(self._read, what)) for p, what in self._pictures(paths)
            )
            reading: deque[list[Read]] = deque()
            while some := taken(rest, size, self._late):
                reading.append(some)
                ahead = 0 if self._late() else 1
                while len(reading) > ahead:
                    yield self._chunk(reading.popleft())
            for some in reading:
                yield self._chunk(some)

    def _late(self) -> bool:
        return self._input is not None and self._input.late()

    def _pictures(self, paths: Iterable[str]) -> Iterator[tuple[str, Picture]]:
        for source in sources(paths, images_in):
            if source.error:
                yield source.path, source.error
            elif source.path == STANDARD_INPUT:
                self._input = StandardInput()
                if not self._input.begins_with():
                    yield StandardInput.shown, "is empty."
                lines = iter(self._input.readline, "")
                yield from self._pictures(line.strip() for line in lines if line.strip())
            elif source.path.lower().endswith(SUFFIXES):
                yield from frames(source.path, self._every)
            else:
                yield source.path, Path(source.path)

    def _read(self, picture: Picture) -> "tf.Tensor | bytes | str":
        """The pixels of a picture, a file for the model to decode, or what is wrong with it."""
        import tensorflow as tf

        from tfpipe.data.images.decoding import placed, seen
        from tfpipe.data.images.files import decoded
        from tfpipe.data.images.formats import OF_TENSORFLOW, NotReadable, kind_of, read
        from tfpipe.data.images.ink import centred

        if isinstance(picture, str):
            return picture
        if self._feature.any_size:
            return self._as_it_is(picture)
        if isinstance(picture, np.ndarray):
            from PIL import Image

            if self._signs:
                grey = np.asarray(Image.fromarray(picture).convert("L"))
                return tf.constant(centred(grey, self._feature.shape[:2])[..., None])
            mode = _MODES[self._feature.shape[2]]
            pixels = np.asarray(Image.fromarray(picture).convert(mode), np.uint8)
            pixels = pixels if pixels.ndim == 3 else pixels[..., None]
            return seen(placed(tf.constant(pixels), self._feature), self._feature)
        if self._signs:
            try:
                grey = read(picture.read_bytes(), 1)[0][..., 0]
            except (OSError, NotReadable) as error:
                return str(error)
            return tf.constant(centred(grey, self._feature.shape[:2])[..., None])
        with contextlib.suppress(OSError, tf.errors.OpError):
            encoded = picture.read_bytes()
            if kind_of(encoded) in OF_TENSORFLOW:
                return self._decode(tf.constant(encoded)) if self._decodes else encoded
        try:
            return decoded(picture, self._feature)
        except NotReadable as error:
            return str(error)

    def _as_it_is(self, picture: Path | np.ndarray) -> "np.ndarray | str":
        """The pixels of a picture in its own size, or what is wrong with it."""
        from PIL import Image

        from tfpipe.data.images.formats import NotReadable, read

        channels = self._feature.shape[2]
        if isinstance(picture, np.ndarray):
            pixels = np.asarray(Image.fromarray(picture).convert(_MODES[channels]), np.uint8)
            return pixels if pixels.ndim == 3 else pixels[..., None]
        try:
            return read(picture.read_bytes(), channels)[0]
        except (OSError, NotReadable) as error:
            return str(error)

    @cached_property
    def _decode(self) -> Any:
        """The decoding of a file's bytes, which runs without Python, so that threads help."""
        import tensorflow as tf

        from tfpipe.data.images.decoding import decode

        signature = [tf.TensorSpec([], tf.string)]
        return tf.function(lambda encoded: decode(encoded, self._feature), signature)

    def _chunk(self, reading: list[Read]) -> Chunk:
        from tfpipe.data.images.formats import upright_size

        read = [future.result() for _, _, future in reading]
        chunk = Chunk([place for place, _, _ in reading])
        images = []
        for index, picture in enumerate(read):
            if isinstance(picture, str):
                chunk.errors[index] = picture
            elif isinstance(picture, bytes):
                chunk.encoded[index] = picture
            else:
                images.append(picture)
                whole = reading[index][1]
                if self._sized and not isinstance(whole, str):
                    chunk.pictures[index] = whole
                    height, width = (
                        whole.shape[:2] if isinstance(whole, np.ndarray) else upright_size(whole)
                    )
                    chunk.sizes[index] = height, width
        if images:
            chunk.samples = {self._feature.name: np.stack(images)}
        return chunk


def reads_images(spec: ElementSpec) -> bool:
    """Return whether a model reads one picture of bytes, as files hold them."""
    return [(f.kind, f.dtype) for f in spec.features] == [("image", "uint8")]


def check_images(spec: ElementSpec, name: str) -> None:
    """Refuse what does not read one image; raises DataError."""
    if not reads_images(spec):
        inputs = ", ".join(f"{f.name} ({f.kind}, {f.dtype})" for f in spec.features)
        raise DataError(
            f"{name} reads {inputs}; tfpipe predict gives it image files, or rows of CSV files."
        )
