"""The files that a person means: by name, in folders, by patterns, on standard input."""

import glob
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tfpipe.data.images.formats import SUFFIXES
from tfpipe.data.layouts import images_below
from tfpipe.data.text_files import SUFFIX
from tfpipe.errors import suggest

logger = logging.getLogger("tfpipe.predict")

STANDARD_INPUT = "-"
_NUMBERED = re.compile(r"(.*?)(\d+)(?:\.\w+)?")


@dataclass(frozen=True)
class InputPath:
    """A file to read.

    Args:
        path: where it is; "-" for standard input.
        error: why it cannot be read; empty where it may be.
    """

    path: str
    error: str = ""


# The files below a folder that a model reads.
Inside = Callable[[str], list[InputPath]]


def sources(paths: Iterable[str], inside: Inside) -> Iterator[InputPath]:
    """Yield the files that are named, lie in folders or match patterns, in order.

    Args:
        paths: files, folders, patterns such as "photos/**/*.jpg", and "-" for standard input.
        inside: lists the files of a folder.
    """
    for given in paths:
        path = os.path.expanduser(given)
        if given == STANDARD_INPUT:
            yield InputPath(given)
        elif os.path.isdir(path):
            yield from inside(path)
        elif os.path.exists(path):
            yield InputPath(path)
        elif glob.has_magic(path):
            yield from _matching(path, inside)
        else:
            folder, name = os.path.split(path)
            near = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
            yield InputPath(given, f"is no file or folder. {suggest(name, near)}".strip())


def any_there(paths: Iterable[str]) -> bool:
    """Return whether any of some paths leads to something, before a model is loaded for it."""
    there = sources(paths, lambda folder: [InputPath(folder)])
    return any(not source.error for source in there)


def images_in(folder: str) -> list[InputPath]:
    """Return the images below a folder; say how many files are none."""
    try:
        below = images_below(Path(folder))
    except OSError as error:
        return [InputPath(error.filename or folder, f"cannot be read: {error.strerror}.")]
    others = sum(len(names) for _, _, names in os.walk(folder)) - len(below)
    if not below:
        kinds = ", ".join(s.removeprefix(".") for s in SUFFIXES)
        return [InputPath(folder, f"has no image in it; looked for {kinds}.")]
    if others > 0:
        them = "1 file that is" if others == 1 else f"{others:,} files that are"
        logger.warning("%s: %s hidden or no images left out.", folder, them)
    return [InputPath(str(Path(folder) / name)) for name in in_natural_order(below)]


def texts_in(folder: str) -> list[InputPath]:
    """Return the text files below a folder."""
    found = sorted(str(p) for p in Path(folder).rglob(f"[!.]*{SUFFIX}") if p.is_file())
    if not found:
        return [InputPath(folder, f"has no text file ({SUFFIX}) in it.")]
    return [InputPath(path) for path in in_natural_order(found)]


def in_natural_order(files: list[str]) -> list[str]:
    """Return sorted files with frame2 before frame10, where a folder holds numbered ones alone.

    Args:
        files: in order of their text.
    """
    ordered, by_folder = [*files], dict[str, list[int]]()
    for index, file in enumerate(files):
        by_folder.setdefault(os.path.dirname(file), []).append(index)
    for indices in by_folder.values():
        found = [_NUMBERED.fullmatch(os.path.basename(files[i])) for i in indices]
        numbers = {i: (int(m[2]), i) for i, m in zip(indices, found, strict=True) if m}
        if len(numbers) == len(indices) and len({m[1] for m in found if m}) == 1:
            for index, other in zip(indices, sorted(indices, key=numbers.get), strict=True):  # type: ignore[arg-type]
                ordered[index] = files[other]
    return ordered


def _matching(pattern: str, inside: Inside) -> Iterator[InputPath]:
    """The files that match a pattern; where none does, those in the folders that match."""
    found = sorted(glob.glob(pattern, recursive=True))
    files = [path for path in found if os.path.isfile(path)]
    if not found:
        yield InputPath(pattern, "matches no file.")
    elif files:
        yield from map(InputPath, in_natural_order(files))
    else:
        for folder in found:
            yield from inside(folder)
