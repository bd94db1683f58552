"""The index of a large folder of images: what it holds, in a file that is checked, not trusted.

A folder is listed again unless it has the times at which it was listed, which change when anything
in it is added, removed or renamed. What the files hold is not in the index: who keeps that looks
at the files.
"""

import contextlib
import hashlib
import json
import os
import time
from collections import Counter
from pathlib import Path

from tfpipe.data.images.formats import SUFFIXES, is_image
from tfpipe.errors import StorageError
from tfpipe.storage import write_whole

# Images from which on an index is written: to list fewer takes milliseconds.
SMALLEST = 10_000
# Within so many nanoseconds a folder may change and keep its times, which some file systems count
# in steps of two seconds.
_STEP = 2_000_000_000

# A folder's device and number, and when it changed in nanoseconds.
State = tuple[int, ...]
# A folder's state, and its images and folders, which are joined by what no name has in it.
Entry = tuple[State, str, str]
_FIELDS = 3


class FolderIndex:
    """Lists the images below folders, as far as they have changed since they were listed.

    Args:
        root: the folder that all of them are in.
    """

    def __init__(self, root: Path) -> None:
        from tfpipe.data import disk_cache

        name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:32]
        self._file = disk_cache.folder.get() / f"{name}.index"
        self._root = _state(root)[:2]
        self._before = self._load()
        self._now: dict[str, Entry] = {}

    def images_below(self, folder: Path, others: Counter[str]) -> list[str]:
        """Return the image files below a folder, relative to it and sorted as text.

        Args:
            folder: the folder; a link to one that it lies in is not followed.
            others: counts the files that are no images, by their ending.
        """
        found: list[str] = []
        above = (self._root, _state(folder.parent)[:2])
        self._walk(os.fspath(folder), "", above, others, found)
        return sorted(found)

    def save(self) -> None:
        """Write down what was listed, unless it is little or known; whole or not at all."""
        images = sum(names.count("/") + 1 for _, names, _ in self._now.values() if names)
        if images >= SMALLEST and self._now != self._before:
            text = json.dumps(self._now).encode()
            with contextlib.suppress(StorageError, OSError):  # it only saves time
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._file, hashlib.sha256(text).hexdigest().encode() + text)

    def _load(self) -> dict[str, Entry]:
        """Return what is known of folders by their path; nothing where the file is damaged."""
        try:
            content = self._file.read_bytes()
        except OSError:
            return {}
        digest, text = content[:64], content[64:]
        if hashlib.sha256(text).hexdigest().encode() != digest:
            return {}
        try:
            known = {p: (tuple(state), *names) for p, (state, *names) in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError):  # of another version
            return {}
        sound = all(
            len(entry) == _FIELDS and all(isinstance(names, str) for names in entry[1:])
            for entry in known.values()
        )
        return known if sound else {}

    def _walk(
        self,
        path: str,
        before: str,
        above: tuple[State, ...],
        others: Counter[str],
        found: list[str],
    ) -> None:
        state = _state(path)
        if state[:2] in above:
            return
        known = self._before.get(path)
        if known is None or known[0] != state:
            known, settled = _listed(path, state, others)
        else:
            settled = True
        if settled:
            self._now[path] = known
        _, images, folders = known
        found += [before + name for name in images.split("/") if name]
        for name in folders.split("/"):
            if name:
                inside = os.path.join(path, name)
                self._walk(inside, f"{before}{name}/", (*above, state[:2]), others, found)


def _listed(path: str, state: State, others: Counter[str]) -> tuple[Entry, bool]:
    """List a folder, and say whether its times alone will say that this has not changed.

    They do not where a link, or the content of a file with another ending, decides what is in it,
    or where it has changed just now.
    """
    settled = max(state[2:]) < time.time_ns() - _STEP
    images, folders = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith((".", "__MACOSX")):
                continue
            if entry.is_symlink():
                settled = False
            if entry.is_dir():
                folders.append(name)
            elif name.lower().endswith(SUFFIXES):
                images.append(name)
            else:
                settled = False
                if is_image(entry.path):
                    images.append(name)
                else:
                    others[Path(name).suffix.lower() or "without an ending"] += 1
    return (state, "/".join(images), "/".join(folders)), settled


def _state(path: Path | str) -> State:
    there = os.stat(path)
    return there.st_dev, there.st_ino, there.st_mtime_ns, there.st_ctime_ns
