"""Folders of images as they are found in the wild: their splits, classes and files.

    root/<class>/*.jpg                          one level; everything is "train"
    root/{train,valid,test}/<class>/*.jpg       ready splits
    root/train/<class>/images/*.jpg             nested
    root/val/images/*.jpg, val_annotations.txt  Tiny ImageNet's validation split

Nothing is moved or written. Files that are no images are left out and counted, by their ending.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from tfpipe.data.broken_input import Problem
from tfpipe.data.images.folder_index import FolderIndex
from tfpipe.data.images.formats import SUFFIXES, is_image
from tfpipe.errors import DataError, suggest
from tfpipe.text import counted, listed

VALIDATION = ("valid", "val", "validation")
_LISTED = 5


# The class index of each file of a stored split by its path from the root, class by class.
Listing = dict[str, int]


class Paths(Sequence[Path]):
    """The files of a listing, each of which is made a Path when it is asked for.

    A million Paths take a gigabyte.

    Args:
        root: the folder.
        files: relative to it.
    """

    def __init__(self, root: Path, files: Iterable[str]) -> None:
        self._root = root
        self._files = [*files]

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...

    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        if isinstance(index, slice):
            return [self._root / file for file in self._files[index]]
        return self._root / self._files[index]


@dataclass
class Layout:
    """What a folder of images holds.

    Args:
        root: the folder.
        owner: the source as a person knows it, for messages.
        declared: the class folders to read, in order of index; empty for all, sorted as text.
        skip: whether class folders without an image are left out instead of refused.
        classes: the class folders' names, in order of index.
        splits: the files of each stored split by name, "train" among them.
        problems: lines of an annotations file that cannot be used.
        lines: how many lines the annotations files have.
        notes: what a person must not overlook.
    """

    root: Path
    owner: str
    declared: tuple[str, ...] = ()
    skip: bool = False
    classes: tuple[str, ...] = ()
    splits: dict[str, Listing] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    lines: int = 0
    notes: list[str] = field(default_factory=list)
    _left_out: list[str] = field(default_factory=list)
    _no_images: Counter[str] = field(default_factory=Counter)

    def read(self, names: Sequence[str]) -> "Layout":
        """List the files of "train", and of other stored splits where they are there.

        Raises:
            DataError: when there are no classes to learn, or other ones than in "train".
        """
        ready = split_names(self.root)
        train = self.root / "train" if ready else self.root
        there = folders(train)
        for name in self.declared:
            if name not in there:
                raise DataError(
                    f"{self.owner}: {train.resolve()} has no class folder {name!r}. "
                    f"{suggest(name, there)}".strip()
                )
        index = FolderIndex(self.root)
        files = {
            name: index.images_below(train / name, self._no_images)
            for name in self.declared or there
        }
        self._check_images(train, files)
        self.classes = tuple(name for name in files if files[name])
        self._check_classes(train)
        numbers = all(name.isdecimal() for name in self.classes)
        if not self.declared and numbers and [*self.classes] != sorted(self.classes, key=int):
            order = listed(self.classes, _LISTED)
            self.notes.append(
                f"The class folders are numbers, in the order of text: {order}. Another order is "
                "declared with data.classes=(...)."
            )
        self.splits["train"] = self._listing(train, files)
        others = [name for name in there if name not in files]
        self._note(others, "{} not declared in classes: {}. Left out.", "folder")
        for name in names:
            if name in ready and name != "train":
                self._read_split(name, index)
        index.save()
        if self._no_images:
            count = sum(self._no_images.values())
            by_count = sorted(self._no_images.items(), key=lambda pair: (-pair[1], pair[0]))
            counts = [f"{n:,} {ending}" for ending, n in by_count]
            self.notes.append(
                f"{counted(count, 'file')} in the class folders that "
                f"{'is no image' if count == 1 else 'are no images'}: {listed(counts, _LISTED)}. "
                "Left out."
            )
        return self

    def _check_images(self, train: Path, files: dict[str, list[str]]) -> None:
        """Refuse a folder without images, and class folders without any."""
        if not any(files.values()):
            kinds = ", ".join(s.removeprefix(".") for s in SUFFIXES)
            what = "no image in its class folders" if files else "no class folders"
            raise DataError(
                f"{self.owner}: {train.resolve()} has {what}. Expected is a folder for each class "
                f"with images in it ({kinds}): <class>/*.jpg, or train/<class>/*.jpg beside valid/ "
                "and test/."
            )
        empty = [name for name in files if not files[name]]
        if empty and (self.declared or not self.skip):
            leave = "" if self.declared else ", or leave it out with data.on_bad=skip"
            raise DataError(
                f"{self.owner}: {train.resolve()} has {counted(len(empty), 'class folder')} "
                f"without an image: {listed(empty, _LISTED)}. Fill or remove it, declare the "
                f"classes to read with data.classes=(...){leave}."
            )
        self._left_out = empty
        self._note(empty, "{} without an image: {}. Left out.", "class folder")

    def _check_classes(self, train: Path) -> None:
        if len(self.classes) > 1:
            return
        (name,) = self.classes
        inner = [f for f in folders(train / name) if has_images(train / name / f)]
        hint = f" If they are those in {name}/, point data.path at it." if len(inner) > 1 else ""
        raise DataError(
            f"{self.owner}: {train.resolve()} has one class only, {name!r}, and telling classes "
            f"apart takes two or more, each in a folder of its own.{hint}"
        )

    def _read_split(self, name: str, index: FolderIndex) -> None:
        """Add a ready split, unless nobody says what its images show."""
        folder = self.root / name
        annotations = sorted(folder.glob("*_annotations.txt"))
        there = folders(folder)
        if annotations:
            self.splits[name] = self._annotated(annotations[0])
        elif set(there) & set(self.classes):
            self._check_others(name, there)
            files = {
                c: index.images_below(folder / c, self._no_images)
                for c in self.classes
                if c in there
            }
            self.splits[name] = self._listing(folder, files)
            missing = [c for c in self.classes if not files.get(c)]
            self._note(missing, f"{name}/ has no image of {{}}: {{}}.", "class")
        elif has_images(folder):
            self.notes.append(f"{name}/ has images but no class folders: it was left out.")

    def _check_others(self, name: str, there: list[str]) -> None:
        known = {*self.classes, *self._left_out}
        others = [c for c in there if c not in known and has_images(self.root / name / c)]
        if others and not self.declared:
            raise DataError(
                f"{self.owner}: {(self.root / name).resolve()} has the class folder {others[0]!r}, "
                f"which train/ has not. {suggest(others[0], self.classes)} Name it alike, or "
                "declare the classes to read with data.classes=(...)."
            )

    def _annotated(self, path: Path) -> Listing:
        """Read a split whose classes stand in a file, a line an image: file, tab, class."""
        folder = path.parent / "images"
        folder = folder if folder.is_dir() else path.parent
        there, labels = set(images_below(folder, deep=False)), dict[str, int]()
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            file, tab, rest = line.partition("\t")
            name = rest.partition("\t")[0].strip()
            what = ""
            if not tab or not name:
                what = "is no line of file, tab, class"
            elif file not in there:
                what = f"there is no image {file!r} in {folder.name}/"
            elif file in labels:
                what = f"the image {file!r} was named before"
            elif name in self.classes:
                labels[file] = self.classes.index(name)
            elif not self.declared and name not in self._left_out:
                what = f"train/ has no class {name!r}"
            if what:
                self.problems.append(Problem(f"{path}:{number}", what))
        self.lines += len(lines)
        base, order = self._base(folder), sorted(labels, key=lambda file: (labels[file], file))
        return {base + file: labels[file] for file in order}

    def _listing(self, folder: Path, files: dict[str, list[str]]) -> Listing:
        base = self._base(folder)
        return {f"{base}{c}/{f}": i for i, c in enumerate(self.classes) for f in files.get(c, [])}

    def _base(self, folder: Path) -> str:
        """Return what comes before the names of a folder's files in a path from the root."""
        return "" if folder == self.root else f"{folder.relative_to(self.root).as_posix()}/"

    def _note(self, names: list[str], text: str, noun: str) -> None:
        if names:
            self.notes.append(text.format(counted(len(names), noun), listed(names, _LISTED)))


def split_names(root: Path) -> list[str]:
    """Return the folders of ready splits, "train" first; none where the folders are classes."""
    train = root / "train"
    if not any(has_images(train / name) for name in folders(train)):
        return []
    return ["train", *(name for name in folders(root) if name != "train")]


def folders(path: Path) -> list[str]:
    """Return the folders in a folder, sorted as text; hidden ones are left out."""
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not _is_hidden(e.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def images_below(path: Path, deep: bool = True) -> list[str]:
    """Return the image files below a folder, relative to it and sorted as text."""
    return sorted(_walk(path, "", deep, ()))


def has_images(path: Path) -> bool:
    """Return whether a folder has an image file, or a folder in it has."""
    return next(_walk(path, "", True, ()), None) is not None


def _walk(
    path: Path | str, before: str, deep: bool, above: tuple[tuple[int, int], ...]
) -> Iterator[str]:
    """Image files below a folder; a link to a folder that it lies in is not followed.

    Args:
        path: the folder.
        before: what comes before the names of its files.
        deep: whether folders in it are searched too.
        above: device and number of the folders that it lies in, whatever they are called.
    """
    there = os.stat(path)
    identity = there.st_dev, there.st_ino
    if identity in above:
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if _is_hidden(entry.name):
                continue
            if entry.is_dir():
                if deep:
                    inside = f"{before}{entry.name}/"
                    yield from _walk(entry.path, inside, True, (*above, identity))
            elif entry.name.lower().endswith(SUFFIXES) or is_image(entry.path):
                yield before + entry.name


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))
