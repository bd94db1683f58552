"""Folders of text files: their splits and classes, and what the files hold.

    root/<class>/*.txt                         one level; everything is "train"
    root/{train,valid,test}/<class>/*.txt      ready splits

Hidden files and files with another ending are passed over.
"""

import codecs
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpipe.data.broken_input import Problem
from tfpipe.data.columns import Columns
from tfpipe.data.csv.reader import not_decoded
from tfpipe.data.layouts import VALIDATION, folders
from tfpipe.errors import DataError, suggest
from tfpipe.text import quoted

SUFFIX = ".txt"
_THREADS = 8
_AT_ONCE = 200  # files for a thread to read


@dataclass(frozen=True)
class TextListing:
    """The text files of a folder.

    Args:
        classes: the class folders, in order of their index.
        splits: for each split and class the files, relative to the folder and sorted.
        empty: the class folders that were left out because they hold no text.
    """

    classes: tuple[str, ...]
    splits: dict[str, dict[str, list[str]]]
    empty: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many files there are."""
        return sum(len(files) for split in self.splits.values() for files in split.values())


def list_texts(root: Path, declared: tuple[str, ...], skip: bool) -> TextListing:
    """Find the texts of each split and class.

    Args:
        root: the folder with the classes or the splits.
        declared: the class folders to read; all of them when empty.
        skip: whether class folders without a text are left out instead of refused.

    Raises:
        DataError: when there is no such folder, or there are no classes to learn.
    """
    if not root.is_dir():
        sample = ", or run on generated data with --sample" if declared else ""
        raise DataError(
            f"There is no folder {root.absolute()}. Say where it is with data.path=FOLDER{sample}."
        )
    there = folders(root)
    names = [n for n in ("train", *VALIDATION, "test") if n in there] if "train" in there else []
    splits = {n: _split(root, n, declared) for n in names} or {"train": _split(root, "", declared)}
    train = root / "train" if names else root
    empty = [name for name, files in splits["train"].items() if not files]
    if empty and (declared or not skip):
        raise DataError(
            f"{train.absolute()} has no {SUFFIX} file in {quoted(empty, 3)}. Fill the folder, "
            "remove it, or say which classes to read with classes=(...)."
        )
    classes = tuple(name for name in splits["train"] if name not in empty)
    if not classes:
        raise DataError(
            f"{train.absolute()} has no class folders with {SUFFIX} files in them. Expected is "
            f"<class>/*{SUFFIX} for each class, or train/<class>/*{SUFFIX} beside test/."
        )
    if len(classes) == 1:
        raise DataError(
            f"{train.absolute()} has one class only, {classes[0]!r}. To tell classes apart, at "
            "least two are needed, each a folder of its own."
        )
    for name in names[1:]:
        _check_same(root, name, splits[name], classes, empty)
    files = {n: {c: split.get(c, []) for c in classes} for n, split in splits.items()}
    return TextListing(classes, files, empty)


def _split(root: Path, name: str, declared: tuple[str, ...]) -> dict[str, list[str]]:
    """List the texts of each class of a split: of those declared, or of all folders."""
    there = folders(root / name)
    lacking = [c for c in declared if c not in there]
    if lacking:
        raise DataError(
            f"{(root / name).absolute()} has no class folder {lacking[0]!r}. "
            f"{suggest(lacking[0], there)}".strip()
        )
    before, split = f"{name}/" if name else "", {}
    for c in declared or there:
        files = sorted(os.listdir(root / name / c))
        texts = [f for f in files if f.endswith(SUFFIX) and not f.startswith(".")]
        split[c] = [f"{before}{c}/{f}" for f in texts]
    return split


def _check_same(
    root: Path, name: str, split: dict[str, list[str]], classes: tuple[str, ...], empty: list[str]
) -> None:
    """Refuse a split that has other class folders than the training split."""
    for has, lacks, differ in (
        ("train", name, [c for c in classes if c not in split]),
        (name, "train", [c for c in split if c not in (*classes, *empty)]),
    ):
        if differ:
            raise DataError(
                f"{root.absolute()}: {has}/ has the class folder {differ[0]!r}, which {lacks}/ has "
                "not. Say which classes to read with classes=(...)."
            )


def read_texts(
    root: Path, listing: TextListing, encoding: str
) -> tuple[dict[str, Columns], list[Problem]]:
    """Return the texts of each split in UTF-8, and what is wrong with the others.

    Args:
        root: the folder that was listed.
        listing: its files.
        encoding: how their characters are stored.
    """
    codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    splits: dict[str, Columns] = {}
    problems: list[Problem] = []
    for split, classes in listing.splits.items():
        texts: list[bytes] = []
        labels: list[int] = []
        for index, files in enumerate(classes.values()):
            read = _read_all([f"{root}/{file}" for file in files], codec)
            texts += (t for t in read if isinstance(t, bytes))
            labels += [index] * (len(texts) - len(labels))
            problems += (
                Problem(file + wrong[0], wrong[1])
                for file, wrong in zip(files, read, strict=True)
                if not isinstance(wrong, bytes)
            )
        columns = {"text": np.array(texts, object)}
        splits[split] = Columns(columns, np.array(labels, np.int64))
    return splits, problems


def _read_all(paths: list[str], encoding: str) -> list[bytes | tuple[str, str]]:
    """Read many files, several at a time: most of the work is to wait for the disk."""
    parts = [paths[i : i + _AT_ONCE] for i in range(0, len(paths), _AT_ONCE)]
    with ThreadPoolExecutor(_THREADS) as pool:
        read = pool.map(lambda part: [read_text(path, encoding) for path in part], parts)
        return [text for part in read for text in part]


def read_text(path: str, encoding: str) -> bytes | tuple[str, str]:
    """Return a text in UTF-8; or where it is wrong, as ":17" for a line, and what is wrong."""
    try:
        with open(path, "rb", buffering=0) as file:
            raw = file.read()
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return f":{line}", not_decoded(raw[error.start], encoding.removesuffix("-sig"), raw)
    except OSError as error:
        return "", f"it cannot be read: {error.strerror}"
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return f":{line}", "a NUL byte, which no text has"
    try:
        return text.encode() if text and not text.isspace() else ("", "the file is empty")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        return f":{line}", f"half of a character, {text[error.start]!r}"
