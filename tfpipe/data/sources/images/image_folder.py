"""Folders of image files as a source: decoded once, kept in memory or in a file beside the run."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import annotated_types

from tfpipe.data.broken_input import OnBad, Problem, left_out, refuse
from tfpipe.data.columns import Columns
from tfpipe.data.images.sizes import check_sizes
from tfpipe.data.input_fn import InMemory, Options
from tfpipe.data.layouts import VALIDATION, Layout, Listing, Paths, split_names
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.data.splits import Split
from tfpipe.declare.field_types import Positive
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError, suggest

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfpipe.data.images.files import Decoder, Store

logger = logging.getLogger("tfpipe.data")

Several = Annotated[int, annotated_types.Ge(2)]

_COMPARED = 8
_SHARE = 0.1


class ImageFolder(StoredSplits):
    """Images in a folder for each class: JPEG, PNG, GIF, BMP, WebP, TIFF and AVIF.

    A file is read by its content, whatever its name ends in; of one that moves the first picture.
    Photos are turned upright as the camera noted (EXIF).

    Read as they lie there: `<class>/*.jpg`; or ready splits, `train/<class>/*.jpg` beside `valid/`
    (or `val/`, `validation/`) and `test/`; with more folders within a class's, such as
    `train/<class>/images/`; and Tiny ImageNet's `val/images/` with `val_annotations.txt`.

    All files are decoded once, before training, and kept as bytes in memory; where they do not fit,
    or with cache=false, in a file in `runs/.cache`, which the next run uses again.

    Args:
        path: the folder, relative to the current one.
        size: (height, width) that the model sees; None where the images are alike. Without a resize
            all are stretched to it.
        resize: (height, width) that images just cover when they are resized, their proportions
            kept; the model sees the centre of `size`, or what augmentation draws of the whole.
        kept: (height, width) at which images are held in memory, covering it in the same way, where
            that is less than `resize`; they are enlarged batch by batch.
        channels: 1 for grey, 3 for colour, 4 for colour and transparency; None for what most of the
            images have. Those that have others are converted.
        validation: a share of the training images to hold out, a number, which takes the last ones,
            the name of a ready split, or None. "auto" is the ready split where there is one, else a
            tenth of the training images.
        test: the same for the test split. The default is left out where there is no such folder.
        classes: the class folders to read, in order of their index; all of them, sorted as text,
            when not given. Or how many there are, which is then checked.
        names: a file that says what the class folders are called, here or in `path`: a JSON map of
            folder to name, or lines of folder, tab, name.
        on_bad: "error" refuses files that cannot be used; "skip" leaves them out and says so.

    Raises:
        DataError: when there is no such folder, fewer than two classes, a class without an image,
            or a file that cannot be used.

    Example:
        data = ImageFolder("flowers", size=(224, 224), resize=(256, 256), channels=3)
    """

    path: str
    size: tuple[Positive, Positive] | None = None
    resize: tuple[Positive, Positive] | None = None
    kept: tuple[Positive, Positive] | None = None
    channels: Literal[1, 3, 4] | None = None
    validation: HeldOut | None = "auto"
    test: HeldOut | None = "test"
    classes: tuple[str, ...] | Several = ()
    names: str | None = None
    on_bad: OnBad = "error"
    streams: ClassVar[bool] = True

    def validate(self) -> None:
        """Refuse sizes that do not go together."""
        check_sizes("ImageFolder", self.size, self.resize, self.kept)

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        return self._element

    def label_reading(self) -> str:
        return f"{len(self.element()[1].classes)} classes: the folders of the images"

    def verify(self, cache: bool | str = "auto") -> None:
        self._decoded(self._kept("train", cache))

    def notes(self) -> list[str]:
        from tfpipe.data.images.formats import converted

        layout = self._layout
        notes = [*layout.notes, *left_out(layout.problems, layout.lines, "lines")]
        if self.on_bad == "skip":
            self.verify()
            notes += left_out(self._problems(), self._total, "images")
        if self.channels is None and self._channels:
            counts = sum(self._channels.values(), Counter[int]())
            notes += converted(counts, self._decoder.shape[2])
        return notes + super().notes()

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser()

    @property
    def _owner(self) -> str:
        return f"ImageFolder({self.path!r})"

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        if self.validation != "auto":
            return self.validation, self.test
        return next((n for n in self._layout.splits if n in VALIDATION), _SHARE), self.test

    @cached_property
    def _layout(self) -> Layout:
        if not self._root.is_dir():
            raise DataError(
                f"{self._owner}: there is no folder {self._root.absolute()}. Set data.path, which "
                "is relative to the current folder; or, to try the pipeline without it by "
                "--sample, declare data.size=(height, width) and data.classes, by name or how many."
            )
        ready, skip = split_names(self._root), self.on_bad == "skip"
        declared = [name for name in (self.validation, self.test) if isinstance(name, str)]
        auto = [name for name in VALIDATION if name in ready and self.validation == "auto"]
        chosen = self.classes if isinstance(self.classes, tuple) else ()
        layout = Layout(self._root, self._owner, chosen, skip).read([*auto[:1], *declared])
        for name in declared:
            if name not in ("auto", "test", *layout.splits):
                raise DataError(
                    f"{self._owner}: {self._root.resolve()} has no split {name!r} with classes. "
                    f"{suggest(name, ready[1:])}".strip()
                )
        if isinstance(self.classes, int) and len(layout.classes) != self.classes:
            count = len(layout.classes)
            raise DataError(
                f"{self._owner}: {self._root.resolve()} has {count} class folders where "
                f"data.classes={self.classes} says how many there are. Set data.classes={count}, "
                "or find out what is missing or too many."
            )
        if not skip:
            refuse(layout.problems, layout.lines, "lines", self._owner)
        return layout

    @cached_property
    def _element(self) -> tuple[tuple[Feature, ...], Label]:
        if not self._root.is_dir() and self.size and self.classes:
            channels: int = self.channels or 3
            several = self.classes
            if isinstance(several, int):
                several = tuple(str(number) for number in range(1, several + 1))
            folders = several
        else:
            channels, folders = self._decoder.shape[2], self._layout.classes
        size = self.size or self._decoder.shape[:2]
        label = Label("label", "class", (), self._named(folders))
        shape, kept = (*size, channels), self.kept or self.resize
        return (Feature("image", shape, "uint8", "image", kept=kept, resize=self.resize),), label

    def _named(self, folders: tuple[str, ...]) -> tuple[str, ...]:
        """Return what the class folders are called."""
        from tfpipe.data.class_names import class_names

        if self.names is None:
            return folders
        path = Path(self.names).expanduser()
        path = path if path.is_file() else self._root / path
        if not path.is_file() and not self._root.is_dir():
            return folders
        return class_names(path, self._owner, folders)

    @cached_property
    def _decoder(self) -> "Decoder":
        from tfpipe.data.images.files import Decoder, Fit

        held: tuple[int, ...] | None = self.kept or self.resize or self.size
        if held and self.channels:
            shape = (*held, self.channels)
        else:
            shapes = self._shapes()
            size = held or self._common_size([s[:2] for s in shapes])
            most = Counter(1 if s[2] == 2 else s[2] for s in shapes)
            shape = (*size, self.channels or max(most, key=lambda n: (most[n], n == 3)))
        fit: Fit | None = None if held is None else "stretch" if self.resize is None else "cover"
        return Decoder(shape, fit, counts=self.channels is None)

    def _shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of a few training images."""
        from tfpipe.data.images.files import a_few, shape_of

        files = a_few(list(self._layout.splits["train"]))
        shapes = [shape_of(self._root / file) for file in files]
        usable = [shape for shape in shapes if isinstance(shape, tuple)]
        if not usable:
            raise DataError(
                f"{self._owner}: none of the {len(files)} images looked at can be used; the first "
                f"is {self.path}/{files[0]}: {shapes[0]}."
            )
        return usable

    def _common_size(self, sizes: list[tuple[int, ...]]) -> tuple[int, ...]:
        """Return the size of most of the images; refused where they are of many sizes."""
        common = Counter(sizes).most_common()
        if 2 * common[0][1] > len(sizes):
            return common[0][0]
        shown = [f"{count} of {height}x{width}" for (height, width), count in common[:3]]
        raise DataError(
            f"{self._owner}: the images are of differing sizes: among {len(sizes)} there are "
            f"{', '.join(shown)}. Declare data.size=(height, width) to have all of them made alike."
        )

    # Splits

    @property
    def _used(self) -> dict[str, Listing]:
        """The stored splits that are read."""
        named = [name for name in self._shares if isinstance(name, str)]
        return {
            name: listing
            for name, listing in self._layout.splits.items()
            if name == "train" or name in named
        }

    @property
    def _total(self) -> int:
        return sum(len(listing) for listing in self._used.values())

    def _stored_sizes(self) -> dict[str, int]:
        return {name: len(self._read_labels(name)) for name in self._used}

    def _all_labels(self, stored: str) -> "np.ndarray":
        import numpy as np

        return np.array([*self._layout.splits[stored].values()], np.int64)

    def _read_labels(self, stored: str) -> "np.ndarray":
        return self._all_labels(stored)[self._good(stored)]

    def _good(self, stored: str) -> "np.ndarray":
        """Return the rows of a stored split that are left; no file is decoded where all must be."""
        import numpy as np

        rows = np.arange(len(self._layout.splits[stored]))
        if self.on_bad == "error":
            return rows
        if not self._wrong:
            self.verify()
        return np.delete(rows, [row for row, _ in self._wrong[stored]])

    def _labels(self, stored: str, cache: bool | str) -> "np.ndarray":
        return self._read_labels(stored)  # which decodes nothing

    # Pixels

    def _kept(self, stored: str, cache: bool | str) -> bool:
        """Decide once whether the images of all splits are kept in memory, and log it."""
        from tfpipe.data import disk_cache

        if isinstance(cache, bool):
            return cache

        def fits() -> bool:
            size = self._total * self.element()[0][0].nbytes
            on_disk = f"kept on disk in {disk_cache.folder.get()}"
            return self._fits(size, f"{self._total:,} images", on_disk)

        return self._once("kept", fits)

    def _read(self, stored: str) -> Columns:
        from tfpipe.data.tensors import shared

        rows = self._decoded(True)[stored]
        return Columns({"image": shared(rows)}, self._read_labels(stored))

    def _stream(self, split: Split, options: Options) -> "tf.data.Dataset":
        """Return batches from the mapped file, which are those from memory in the same order."""
        from tfpipe.data.tensors import shared

        def mapped() -> InMemory:
            rows = self._decoded(False)[split.stored]
            labels = self._all_labels(split.stored)
            good = self._good(split.stored)
            chosen = good if split.rows is None else good[split.rows]
            return InMemory(Columns({"image": shared(rows)}, labels), chosen, self.element()[0])

        return self._once(("disk", options.seed, id(split)), mapped).batches(options)

    @cached_property
    def _places(self) -> "dict[bool, dict[str, np.ndarray]]":
        return {}

    @cached_property
    def _wrong(self) -> dict[str, list[tuple[int, str]]]:
        """The rows that cannot be used and why, by stored split; known once it was decoded."""
        return {}

    @cached_property
    def _channels(self) -> dict[str, Counter[int]]:
        """How many files have so many channels, by stored split; known once it was decoded."""
        return {}

    def _decoded(self, kept: bool) -> "dict[str, np.ndarray]":
        """Return the images of all splits: the good ones in memory, or a row for each file on disk.

        Raises:
            DataError: for files that cannot be used, or a class of which nothing is left.
        """
        if kept not in self._places:
            read = self._in_memory if kept else self._on_disk
            self._places[kept] = {name: read(name, files) for name, files in self._used.items()}
            if self.on_bad == "skip":
                self._check_left()
        if self.on_bad == "error":
            refuse(self._problems(), self._total, "images", self._owner)
        return self._places[kept]

    def _in_memory(self, stored: str, listing: Listing) -> "np.ndarray":
        import numpy as np

        from tfpipe.data.tensors import aligned, keep

        rows = aligned((len(listing), *self._decoder.shape))

        def store(start: int, values: "np.ndarray") -> None:
            rows[start : start + len(values)] = values

        if False in self._places:  # asked for in memory only after it was written to disk
            rows[:] = self._places[False][stored]
        else:
            decoded = self._decoder.decode(self._paths(listing), store)
            self._wrong[stored], self._channels[stored] = decoded
        bad = [row for row, _ in self._wrong[stored]]
        return keep(rows, np.delete(np.arange(len(rows)), bad))

    def _on_disk(self, stored: str, listing: Listing) -> "np.ndarray":
        from tfpipe.data import disk_cache

        shape = (len(listing), *self._decoder.shape)

        def fill(store: "Store") -> tuple[list[tuple[int, str]], list[tuple[int, int]]]:
            if True not in self._places:
                problems, channels = self._decoder.decode(self._paths(listing), store)
                return problems, [*channels.items()]
            for row, value in zip(self._good(stored), self._places[True][stored], strict=True):
                store(int(row), value[None])
            return self._wrong[stored], [*self._channels[stored].items()]

        name = self._digest(listing)
        (rows, (wrong, channels)), again = disk_cache.obtain(
            name, shape, fill, lambda cached: self._agrees(listing, *cached)
        )
        path = disk_cache.folder.get() / f"{name}.npy"
        logger.info("%s split: %s %s", stored, "used again from" if again else "in", path)
        self._wrong[stored] = [(int(row), str(what)) for row, what in wrong]
        self._channels[stored] = Counter({int(n): int(count) for n, count in channels})
        return rows

    def _agrees(self, listing: Listing, rows: "np.ndarray", known: tuple[Any, Any]) -> bool:
        """Decode a few images again, and return whether a file holds the same."""
        import numpy as np

        from tfpipe.data.images.files import a_few

        bad = {row for row, _ in known[0]}
        good = a_few([row for row in range(len(rows)) if row not in bad], _COMPARED)
        paths = self._paths(listing)
        return all(np.array_equal(rows[i], self._decoder.one(paths[i])) for i in good)

    def _digest(self, listing: Listing) -> str:
        """Return a name for what decoding these files gives."""
        import tensorflow as tf

        digest = hashlib.sha256(repr((self._decoder, tf.__version__)).encode())
        root = os.path.join(self._root, "")
        for file in listing:
            try:
                status = os.stat(root + file)
                known = (status.st_size, status.st_mtime_ns)
            except OSError:
                known = (-1, -1)
            digest.update(repr((os.fsencode(file), known)).encode())
        return digest.hexdigest()[:32]

    def _paths(self, listing: Listing) -> Paths:
        return Paths(self._root, listing)

    def keeps(self, cache: bool | str) -> Literal["memory", "disk", "nowhere"]:
        return "memory" if self._kept("train", cache) else "disk"

    def read_from(self) -> list[Path]:
        return [*self._paths(self._used["train"])]

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        from tfpipe.data.images.files import passes_of

        return passes_of(self._decoder, self.read_from)

    def _stored_places(self, stored: str) -> list[str]:
        files = list(self._layout.splits[stored])
        return [files[row] for row in self._good(stored).tolist()]

    # Problems

    def _problems(self) -> list[Problem]:
        """Return what cannot be used, split by split."""
        problems: list[Problem] = []
        for stored, wrong in self._wrong.items():
            files = list(self._layout.splits[stored])
            problems += (Problem(f"{self.path}/{files[row]}", what) for row, what in wrong)
        return problems

    def _check_left(self) -> None:
        """Refuse to go on without a class that nothing is left of; raise DataError."""
        import numpy as np

        classes, wrong = self._layout.classes, self._wrong["train"]
        labels = self._all_labels("train")
        lost = np.bincount(labels[np.array([row for row, _ in wrong], int)], minlength=len(classes))
        for index in np.flatnonzero(np.bincount(labels, minlength=len(classes)) == lost):
            row, what = next(w for w in wrong if labels[w[0]] == index)
            first = f"{self.path}/{list(self._layout.splits['train'])[row]}"
            raise DataError(
                f"{self._owner}: not one of the {lost[index]:,} training images of the class "
                f"{classes[index]!r} can be used; the first is {first}: {what}."
            )
