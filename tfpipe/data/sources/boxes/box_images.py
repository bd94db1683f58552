"""What all sources of images with boxes share: checked annotations, decoded images, splits."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import annotated_types

from tfpipe.data.boxes.annotations import (
    COLUMNS,
    Annotation,
    Checked,
    checked,
    class_names,
    padded,
)
from tfpipe.data.broken_input import OnBad, Problem, left_out, refuse
from tfpipe.data.columns import Columns
from tfpipe.data.input_fn import InMemory, Options
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.data.splits import Split
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError
from tfpipe.text import counted, listed

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.data.images.files import Decoder, Problems, Store

Side = Annotated[int, annotated_types.Ge(16)]
Fit = Literal["stretch", "letterbox"]


class BoxImages(StoredSplits):
    """Images with the boxes of their objects, which a subclass reads from annotations.

    A subclass has the fields `size`, `fit`, `classes`, `validation`, `test` and `on_bad`, and gives
    `_annotations`, and where classes are said elsewhere `_class_names`.
    """

    streams: ClassVar[bool] = True
    if TYPE_CHECKING:  # fields that a subclass declares in its own order

        @property
        def size(self) -> tuple[int, int]: ...
        @property
        def fit(self) -> Fit: ...
        @property
        def classes(self) -> tuple[str, ...]: ...
        @property
        def on_bad(self) -> OnBad: ...

    def validate(self) -> None:
        """Refuse a class that is named twice."""
        if isinstance(self.classes, tuple) and len({*self.classes}) < len(self.classes):
            twice = next(c for c in self.classes if self.classes.count(c) > 1)
            raise ConfigError(f"{type(self).__name__}.classes names {twice!r} twice.")

    def _annotations(self, stored: str) -> Sequence[Annotation]:
        """Return the annotations of a stored split, in order; raise DataError without any."""
        raise NotImplementedError

    @property
    def _ready(self) -> Mapping[str, object]:
        """The ready splits by name, of a source that has lists or folders of them."""
        return {}

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        validation, test = super()._shares
        if validation == "auto":
            validation = "val" if "val" in self._ready else 0.1
        if test == "test" and "test" not in self._ready:
            test = None
        return validation, test

    def _used(self) -> list[str]:
        """Return the names of the stored splits that are read, "train" first."""
        return ["train", *dict.fromkeys(n for n in self._shares if isinstance(n, str))]

    def _class_names(self) -> tuple[str, ...]:
        """Return the names of the classes where none are declared."""
        every = [a for name in self._used() for a in self._read_annotations(name)]
        return class_names(every, self._owner)

    @property
    def _owner(self) -> str:
        return f"{type(self).__name__}({str(getattr(self, 'path', ''))!r})"

    # What a sample is

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        return self._element

    @cached_property
    def _element(self) -> tuple[tuple[Feature, ...], Label]:
        where = getattr(self, "path", getattr(self, "annotations", None))
        there = where is None or Path(str(where)).expanduser().exists()
        if self.classes and not there:  # what generated data stands in for
            return self._described(self.classes, 1)
        classes = self._names
        most = max((len(b) for n in self._used() for b in self._checked(n).boxes), default=0)
        return self._described(classes, max(1, most))

    def _described(self, classes: tuple[str, ...], most: int) -> tuple[tuple[Feature, ...], Label]:
        letterbox = self.fit == "letterbox"
        image = Feature("image", (*self.size, 3), "uint8", "image", letterbox=letterbox)
        return (image,), Label("boxes", "boxes", (most, len(COLUMNS)), classes)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return self.classes or self._class_names()

    def label_reading(self) -> str:
        total = sum(len(b) for n in self._used() for b in self._checked(n).boxes)
        return f"boxes of {counted(len(self._names), 'class')}, {total:,} in all"

    def notes(self) -> list[str]:
        found = [self._checked(name) for name in self._used()]
        notes = super().notes()
        if cut := sum(part.cut for part in found):
            notes.append(
                f"Cut at the edge of their image, out of which they stuck: {counted(cut, 'box')}."
            )
        if self.on_bad == "skip":
            self.verify()
            total = sum(part.objects for part in found)
            notes += left_out(self._problems(), total, "objects")
        trained, *others = ({*map(str, part.images)} for part in found)
        if twice := len(trained & set().union(*others)):
            notes.append(
                f"{counted(twice, 'image')} of validation or test are trained on as well: what is "
                "measured on them says little."
            )
        if empty := sum(not len(b) for part in found for b in part.boxes):
            notes.append(f"Without an object, and so background alone: {counted(empty, 'image')}.")
        return notes

    def object_counts(self) -> dict[str, dict[str, int]]:
        """Return the objects of each class, by stored split."""
        counts = {}
        for name in self._used():
            classes = [int(row[4]) for boxes in self._checked(name).boxes for row in boxes]
            counts[name] = {c: classes.count(i) for i, c in enumerate(self._names)}
        return counts

    # Annotations

    def _read_annotations(self, stored: str) -> Sequence[Annotation]:
        return self._once(("annotations", stored), lambda: self._annotations(stored))

    def _checked(self, stored: str) -> Checked:
        """Return what can be used of a stored split; raise DataError for what cannot."""

        def read() -> Checked:
            found = checked(self._read_annotations(stored), self._names)
            if self.on_bad == "error":
                refuse(found.problems, found.objects, "objects", self._owner)
            if not found.images:
                raise DataError(
                    f"{self._owner}: not one image of the {stored} split can be used"
                    + (f"; the first problem is {found.problems[0]}." if found.problems else ".")
                )
            return found

        return self._once(("checked", stored), read)

    def _problems(self) -> list[Problem]:
        found: list[Problem] = []
        for name in self._used():
            part = self._checked(name)
            wrong = self._results.get(("wrong", name), [])
            broken = [Problem(str(part.images[row]), what) for row, what in wrong]
            found += [*part.problems, *broken]
        return found

    def _stored_sizes(self) -> dict[str, int]:
        return {name: len(self._good(name)) for name in self._used()}

    def _good(self, stored: str) -> "np.ndarray":
        """Return the rows of a stored split whose images can be decoded, as far as that is known.

        Where broken files are left out all are decoded first, else they are refused later.
        """
        import numpy as np

        rows = np.arange(len(self._checked(stored).images))
        if self.on_bad == "skip":
            self._images(stored, self._keeps_all("auto"))
        return np.delete(rows, [row for row, _ in self._results.get(("wrong", stored), [])])

    def _stored_places(self, stored: str) -> list[str]:
        images = self._checked(stored).images
        return [str(images[row]) for row in self._good(stored).tolist()]

    def verify(self, cache: bool | str = "auto") -> None:
        for name in self._used():
            self._images(name, self._keeps_all(cache))

    # Pixels

    @cached_property
    def _decoder(self) -> "Decoder":
        from tfpipe.data.images.files import Decoder

        return Decoder((*self.size, 3), self.fit, counts=False)

    def _keeps_all(self, cache: bool | str) -> bool:
        """Decide once whether the images of all splits are kept in memory, and log it."""
        if isinstance(cache, bool):
            return cache

        def fits() -> bool:
            from tfpipe.data import disk_cache

            count = sum(len(self._checked(name).images) for name in self._used())
            size = count * 3 * self.size[0] * self.size[1]
            return self._fits(
                size, f"{count:,} images", f"kept on disk in {disk_cache.folder.get()}"
            )

        return self._once("kept", fits)

    def _kept(self, stored: str, cache: bool | str) -> bool:
        return self._keeps_all(cache)

    def keeps(self, cache: bool | str) -> Literal["memory", "disk", "nowhere"]:
        return "memory" if self._keeps_all(cache) else "disk"

    def _images(self, stored: str, kept: bool) -> "np.ndarray":
        """Return the decoded images of a stored split, the broken ones among them."""

        def decoded() -> "np.ndarray":
            return self._in_memory(stored) if kept else self._on_disk(stored)

        images = self._once(("images", stored, kept), decoded)
        if self.on_bad == "error":
            wrong = self._results.get(("wrong", stored), [])
            files = self._checked(stored).images
            broken = [Problem(str(files[row]), what) for row, what in wrong]
            refuse(broken, len(files), "images", self._owner)
        return images

    def _in_memory(self, stored: str) -> "np.ndarray":
        from tfpipe.data.tensors import aligned

        rows = aligned((len(self._checked(stored).images), *self.size, 3))

        def store(start: int, values: "np.ndarray") -> None:
            rows[start : start + len(values)] = values

        self._results["wrong", stored] = self._decode(stored, store)
        return rows

    def _on_disk(self, stored: str) -> "np.ndarray":
        from tfpipe.data import disk_cache

        shape = (len(self._checked(stored).images), *self.size, 3)
        digest = hashlib.sha256(repr((self._decoder, self._identity(stored))).encode())
        (rows, wrong), _ = disk_cache.obtain(
            digest.hexdigest()[:32], shape, lambda store: self._decode(stored, store)
        )
        self._results["wrong", stored] = [(int(row), str(what)) for row, what in wrong]
        return rows

    def _decode(self, stored: str, store: "Store") -> "Problems":
        """Decode the images of a stored split; return the rows of those that cannot be, and why."""
        return self._decoder.decode(self._checked(stored).images, store)[0]

    def _identity(self, stored: str) -> object:
        """Return what decides, beside the decoder, what decoding a stored split gives."""
        import tensorflow as tf

        files = self._checked(stored).images
        known = [(str(f), (status := f.stat()).st_size, status.st_mtime_ns) for f in files]
        return tf.__version__, known

    def _read(self, stored: str) -> Columns:
        return self._columns_of(stored, kept=True)

    def _columns_of(self, stored: str, kept: bool) -> Columns:
        from tfpipe.data.tensors import shared

        images = shared(self._images(stored, kept))
        return Columns({"image": images}, self._read_all_labels(stored))

    def _columns(self, stored: str) -> Columns:
        return self._once(("columns", stored), lambda: self._columns_of(stored, kept=True))

    def _read_all_labels(self, stored: str) -> "np.ndarray":
        """Return the boxes of all images of a stored split as the model sees these."""
        most = self.element()[1].shape[0]
        found = self._checked(stored)
        boxes = [self._placed(b, s) for b, s in zip(found.boxes, found.sizes, strict=True)]
        return padded(boxes, most)

    def _read_labels(self, stored: str) -> "np.ndarray":
        return self._read_all_labels(stored)[self._good(stored)]

    def _placed(self, boxes: "np.ndarray", size: tuple[int, int]) -> "np.ndarray":
        """Return boxes of an image where they are in what a model sees of it."""
        import numpy as np

        from tfpipe.data.images.sizes import within

        if self.fit == "stretch":
            return boxes
        inner, corner = within(size, self.size)
        share = np.array([inner[1] / self.size[1], inner[0] / self.size[0]] * 2, np.float32)
        first = np.array([corner[1] / self.size[1], corner[0] / self.size[0]] * 2, np.float32)
        return np.concatenate([boxes[:, :4] * share + first, boxes[:, 4:]], axis=1)

    def _memory(self, split: str, part: Split, options: Options) -> InMemory:
        return self._held(part, options, kept=True)

    def _stream(self, split: Split, options: Options) -> Any:
        return self._held(split, options, kept=False).batches(options)

    def _held(self, part: Split, options: Options, kept: bool) -> InMemory:
        from tfpipe.data.boxes.in_memory import BoxesInMemory

        def hold() -> BoxesInMemory:
            good = self._good(part.stored)
            rows = good if part.rows is None else good[part.rows]
            columns = self._columns_of(part.stored, kept)
            return BoxesInMemory(columns, rows, self.element()[0])

        key = (part.stored, None if part.rows is None else part.rows.tobytes(), kept)
        return self._once(("held", *key), hold)

    def _known_split(self, split: str, options: Options) -> Split:
        from tfpipe.data.augment.patches import crop

        if any(isinstance(a, crop) for a in options.augment):
            raise ConfigError(
                "augment.crop moves an image without its boxes. Use augment.shift, or "
                "augment.random_resized_crop."
            )
        part = super()._known_split(split, options)

        def look() -> bool:
            labels = self._read_labels(part.stored)
            labels = labels if part.rows is None else labels[part.rows]
            return bool(((labels[..., 4] >= 0) & (labels[..., 5] == 0)).any())

        held_out = split in ("validation", "test")
        if held_out and not self._once(("objects", split, options.seed), look):
            raise DataError(
                f"{self._owner}: its {split} split of {counted(part.size, 'image')} has no object "
                f"that counts, so that nothing can be measured on it. Set data.{split} otherwise, "
                f"or to None."
            )
        return part

    # For measuring how fast data comes

    def read_from(self) -> list[Path]:
        return self._checked("train").images

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        from tfpipe.data.images.files import passes_of

        return passes_of(self._decoder, self.read_from)


def check_shares(owner: str, shares: Sequence[HeldOut | None], splits: Sequence[str]) -> None:
    """Refuse splits that are not there; raise DataError.

    Args:
        owner: the source, for the message.
        shares: what is held out for validation and for the test.
        splits: the names of those that are there.
    """
    for share in shares:
        if isinstance(share, str) and share not in splits:
            there = listed(sorted(splits)) or "none"
            raise DataError(f"{owner} has no split {share!r}; there are: {there}.")
