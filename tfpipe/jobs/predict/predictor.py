"""A model that is ready to say what is in pictures, however many there are."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from tfpipe.data.images.formats import SUFFIXES
from tfpipe.data.layouts import images_below
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import DataError
from tfpipe.tasks.several import rows_of
from tfpipe.tasks.task import Task

_BATCH, _BATCH_BYTES = 32, 64_000_000


@dataclass(frozen=True)
class Prediction:
    """What a model says of a file.

    Args:
        file: the file, as it was named or found.
        values: the names of the answers with their values, the most probable first.
        error: why there is no answer; empty where there is one.
    """

    file: str
    values: tuple[tuple[str, float], ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to answer.

    Args:
        name: the pipeline's or the run's.
        model: the keras.Model.
        task: what its outputs mean.
        spec: what it reads and what its answers are called.
        notes: what a person must not overlook about the answers.
    """

    nouns: ClassVar[str] = "files"  # what is answered one by one
    name: str
    model: Any
    task: Task
    spec: ElementSpec
    notes: tuple[str, ...] = ()

    @property
    def has_probabilities(self) -> bool:
        """Whether the answers are probabilities of classes; else they are real numbers."""
        return self.task.output == "probabilities"

    def find(self, paths: Iterable[str]) -> tuple[list[str], list[str]]:
        """The files that are named or lie in folders, and notes on what was left out.

        Raises:
            DataError: when there is none that the model can read.
        """
        return find_images(paths)

    def answers(self, files: Iterable[str], top: int = 5) -> Iterator[Prediction]:
        """What the model says of each file, in order; those that cannot be read have an error.

        However many there are, a few are in memory at a time: while some are computed, the next
        are read.

        Args:
            files: image files.
            top: how many answers of each to give.
        """
        rest = iter(files)
        size = max(1, min(_BATCH, _BATCH_BYTES // self._feature.nbytes))
        with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
            reading: list[tuple[str, Future[Any]]] = []
            while chunk := list(islice(rest, size)):
                before, reading = reading, [(f, threads.submit(self._read, f)) for f in chunk]
                yield from self._answer(before, top)
            yield from self._answer(reading, top)

    @property
    def _feature(self) -> Feature:
        return self.spec.feature

    @cached_property
    def _decode(self) -> Any:
        """The decoding of a file's bytes, which runs without Python, so that threads help."""
        import tensorflow as tf

        from tfpipe.data.images.decoding import decode

        signature = [tf.TensorSpec([], tf.string)]
        return tf.function(lambda encoded: decode(encoded, self._feature), signature)

    def _read(self, file: str) -> Any:
        """The pixels of a file, or what is wrong with it."""
        import tensorflow as tf

        from tfpipe.data.images.files import decoded
        from tfpipe.data.images.formats import OF_TENSORFLOW, NotReadable, kind_of

        with contextlib.suppress(OSError, tf.errors.OpError):
            encoded = Path(file).read_bytes()
            if kind_of(encoded) in OF_TENSORFLOW:
                return self._decode(tf.constant(encoded))
        try:
            return decoded(Path(file), self._feature)
        except NotReadable as error:
            return str(error)

    def _answer(
        self, reading: Sequence[tuple[str, "Future[Any]"]], top: int
    ) -> Iterator[Prediction]:
        import tensorflow as tf

        from tfpipe.evaluation.predict import answers

        read = [(file, future.result()) for file, future in reading]
        images = [image for _, image in read if not isinstance(image, str)]
        rows = iter(rows_of(answers(self.model, self.task, tf.stack(images))) if images else ())
        for file, image in read:
            if isinstance(image, str):
                yield Prediction(file, error=image)
            else:
                yield Prediction(file, self.task.named(next(rows), top))


def check_images(spec: ElementSpec, name: str) -> None:
    """Refuse what does not read one image; raises DataError."""
    fitting = [f.kind == "image" and f.dtype == "uint8" for f in spec.features]
    if fitting != [True]:
        inputs = ", ".join(f"{f.name} ({f.kind}, {f.dtype})" for f in spec.features)
        raise DataError(
            f"{name} reads {inputs}; tfpipe predict gives it image files, or rows of CSV files."
        )


def find_images(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """The image files that are named or lie in folders, and notes on what was left out.

    Raises:
        DataError: when there is no image at all, or a folder cannot be read.
    """
    files: list[str] = []
    notes: list[str] = []
    for given in paths:
        path = Path(given).expanduser()
        if not path.is_dir():
            files.append(str(path))
            continue
        try:
            below = images_below(path)
        except OSError as error:
            where = error.filename or path
            raise DataError(f"{where} cannot be read: {error.strerror}.") from None
        files += [str(path / name) for name in below]
        others = sum(len(names) for _, _, names in os.walk(path)) - len(below)
        if others > 0:
            them = "1 file that is" if others == 1 else f"{others:,} files that are"
            notes.append(f"{given}: {them} hidden or no images left out.")
    if not files:
        kinds = ", ".join(s.removeprefix(".") for s in SUFFIXES)
        raise DataError(f"There is no image in {', '.join(paths)}; looked for {kinds}.")
    return files, notes
