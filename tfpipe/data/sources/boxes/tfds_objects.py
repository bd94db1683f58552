"""TFDSObjects: images with boxes of TensorFlow Datasets."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.data.boxes.annotations import Annotation, Object
from tfpipe.data.broken_input import OnBad, Problem
from tfpipe.data.sources.base import HeldOut
from tfpipe.data.sources.boxes.box_images import BoxImages, Fit, Side
from tfpipe.data.sources.prepared_set import PreparedSet
from tfpipe.errors import DataError, suggest

if TYPE_CHECKING:
    from tfpipe.data.images.files import Problems, Store

_IGNORED = ("is_crowd", "is_difficult")
_TOGETHER = 256  # images that are decoded at a time


class TFDSObjects(BoxImages):
    """A data set of TensorFlow Datasets whose images have boxes, in its feature `objects`.

    The objects have a `bbox` and a `label`; those that are marked `is_crowd` or `is_difficult` are
    not trained on, and in an evaluation neither missed nor wrong. "voc/2007", "coco/2017" and
    "kitti" are such sets.

    Args:
        name: its name, with version or configuration where wanted: "voc/2007".
        size: (height, width) that the model sees.
        fit: how images get that size: "stretch", or "letterbox", which keeps their proportions and
            puts grey around them.
        validation: a split of the data set, a share of the training images, a number, which takes
            the last ones, or None. "auto" is the split "validation" where there is one, else a
            tenth.
        test: the same for the test; the default is left out where the data set has no such split.
        train: the split to train on, such as "train[:90%]"; the others may share no image with it.
        classes: the class names in order of their index, where the data set's own are not wanted.
        data_dir: where prepared data lies; None for TFDS_DATA_DIR, else ~/tensorflow_datasets.
        download: whether data that is not prepared may be downloaded.
        on_bad: "error" refuses broken boxes and images; "skip" leaves them out and says so.

    Raises:
        DataError: for an unknown name or split, a data set without boxes, and data that is neither
            prepared nor to be had.

    Example:
        data = TFDSObjects("voc/2007", size=(300, 300), validation="validation")
    """

    name: str
    size: tuple[Side, Side] = (256, 256)
    fit: Fit = "stretch"
    validation: HeldOut | None = "auto"
    test: HeldOut | None = "test"
    train: str = "train"
    classes: tuple[str, ...] = ()
    data_dir: str | None = None
    download: bool = True
    on_bad: OnBad = "error"

    @property
    def _owner(self) -> str:
        return f"TFDSObjects({self.name!r})"

    @cached_property
    def _set(self) -> PreparedSet:
        return PreparedSet(self._owner, self.name, self.data_dir, self.download)

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        known = self._known
        validation, test = self.validation, self.test
        if validation == "auto":
            validation = "validation" if "validation" in known else 0.1
        if test == "test" and "test" not in known:
            test = None
        return validation, test

    @cached_property
    def _known(self) -> Mapping[str, Any]:
        """The splits of the data set, which is prepared first."""
        self._set.prepare()
        known: Mapping[str, Any] = self._set.builder.info.splits
        return known

    def _overlap(self, one: str, other: str) -> bool:
        return self._set.overlap(one, other)

    @cached_property
    def _image(self) -> str:
        """The name of the image feature; raises DataError where objects are not what is read."""
        features = self._set.builder.info.features
        objects = getattr(features["objects"], "feature", None) if "objects" in features else None
        kinds = {name: type(kind).__name__ for name, kind in dict(objects or {}).items()}
        if kinds.get("bbox") != "BBoxFeature" or kinds.get("label") != "ClassLabel":
            has = f"Its objects have: {', '.join(kinds)}." if kinds else suggest("", [*features])
            raise DataError(
                f"{self._owner}: {self.name} has no feature `objects` with a bbox and a label, as "
                f"sets for detection have. {has}"
            )
        images = [name for name, kind in features.items() if type(kind).__name__ == "Image"]
        if not images:
            raise DataError(f"{self._owner}: {self.name} has no image.")
        return "image" if "image" in images else images[0]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        _ = self._image
        own = self._set.builder.info.features["objects"].feature["label"]
        if self.classes and len(self.classes) != own.num_classes:
            raise DataError(
                f"{self.name} has {own.num_classes} classes, {len(self.classes)} names were given."
            )
        return self.classes or tuple(own.names)

    def _split_of(self, stored: str) -> str:
        return self.train if stored == "train" else stored

    def _annotations(self, stored: str) -> Sequence[Annotation]:
        _ = self._known
        self._set.splits(self.train, *reversed(self._shares))
        split, names = self._split_of(stored), self._names
        self._set.split(split)
        examples = self._set.examples(self._split_of(stored), self._image)
        return [
            self._annotation(example, f"{split}, image {number}", names)
            for number, example in enumerate(examples.as_numpy_iterator())
        ]

    def _annotation(
        self, example: Mapping[str, Any], where: str, names: Sequence[str]
    ) -> Annotation:
        from tfpipe.data.images.formats import NotReadable, upright_size

        if file := example.get("image/filename"):
            where = f"{where} ({bytes(file).decode('utf-8', 'replace')})"
        try:
            size = upright_size(io.BytesIO(example[self._image]))
        except NotReadable as error:
            return Annotation(None, (), where, problems=(Problem(where, str(error)),))
        found = example["objects"]
        ignored = [found[name] for name in _IGNORED if name in found]
        objects = []
        for place, (box, label) in enumerate(zip(found["bbox"], found["label"], strict=True)):
            y1, x1, y2, x2 = map(float, box)
            name = names[label] if 0 <= label < len(names) else str(label)
            skipped = any(bool(column[place]) for column in ignored)
            objects.append(Object(name, (x1, y1, x2, y2), f"object {place + 1}", skipped))
        return Annotation(Path(where), tuple(objects), where, size, shares=True, in_file=False)

    # Pixels

    def _contents(self, stored: str) -> Iterator[list[bytes]]:
        """Yield the encoded images that are used, some at a time."""
        used = {*self._checked(stored).rows}
        examples = self._set.examples(self._split_of(stored), self._image)
        encoded = examples.map(lambda example: example[self._image]).as_numpy_iterator()
        kept = (content for row, content in enumerate(encoded) if row in used)
        while some := list(islice(kept, _TOGETHER)):
            yield some

    def _decode(self, stored: str, store: "Store") -> "Problems":
        import numpy as np

        from tfpipe.data.images.formats import NotReadable

        problems: Problems = []

        def one(content: bytes) -> np.ndarray | str:
            try:
                return self._decoder.of_content(content)
            except NotReadable as error:
                return str(error)

        start = 0
        with ThreadPoolExecutor() as threads:
            for some in self._contents(stored):
                for row, image in enumerate(threads.map(one, some), start):
                    if isinstance(image, str):
                        problems.append((row, image))
                    else:
                        store(row, image[None])
                start += len(some)
        return problems

    def _identity(self, stored: str) -> object:
        import tensorflow as tf

        split = self._set.split(self._split_of(stored))
        parts = [(str(i.filename), i.skip, i.take) for i in split.file_instructions]
        times = [Path(file).stat().st_mtime_ns for file, *_ in parts]
        return tf.__version__, self._image, parts, times, self._checked(stored).rows

    def read_from(self) -> list[Path]:
        split = self._set.split(self.train)
        return [Path(i.filename) for i in split.file_instructions]

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        def decode() -> Iterator[int]:
            for some in self._contents("train"):
                for content in some:
                    self._decoder.of_content(content)
                yield len(some)

        return {"read": lambda: (len(some) for some in self._contents("train")), "decode": decode}
