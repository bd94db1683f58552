"""Decoded data on disk, for what does not fit in memory: written once, then mapped by every run.

`folder` says where it lies: `runs/.cache` of the folder that runs are written to. A file is named
by a digest of all that decides what is in it, and appears whole or not at all. It may be deleted
when no run uses it.
"""

import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.errors import StorageError
from tfpipe.storage import write_whole
from tfpipe.text import byte_size

if TYPE_CHECKING:
    from tfpipe.data.images.files import Store

folder: ContextVar[Path] = ContextVar("folder", default=Path("runs/.cache"))

# Writes the rows through the store it is given, and says what is to be known of them.
Fill = Callable[["Store"], Any]
# Rows, mapped, and what is known of them, which JSON can hold.
Cached = tuple[np.ndarray, Any]


def obtain(
    name: str, shape: tuple[int, ...], fill: Fill, agrees: Callable[[Cached], bool] | None = None
) -> tuple[Cached, bool]:
    """Return a file's rows, written first where the file is missing or damaged.

    While one process writes a file, all others that want it wait.

    Args:
        name: of the file, without a suffix.
        shape: of all rows, the unused ones at the end among them.
        fill: writes the rows.
        agrees: whether a file that is there holds what is wanted; always when None.

    Returns:
        The rows and what is known of them, and whether the file was there.

    Raises:
        StorageError: when there is no room, or the folder cannot be written.
    """
    path = folder.get() / name
    with _storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = (path.parent / f".{name}.lock").open("w")
    with lock:  # closing it, or the end of the process, takes the lock back
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached = load(name, shape)
        if cached is not None and (agrees is None or agrees(cached)):
            return cached, True
        _save(path, shape, fill)
        cached = load(name, shape)
    assert cached is not None
    return cached, False


def load(name: str, shape: tuple[int, ...]) -> Cached | None:
    """Return a file's rows and what is known of them; None where it is missing or damaged."""
    path = folder.get() / name
    try:
        known = json.loads(path.with_suffix(".json").read_text())
        # A private mapping may be written to, as TensorFlow demands of memory that it shares; what
        # is not written stays the file's, and the kernel may take it back at any time.
        rows = np.load(path.with_suffix(".npy"), mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return (rows, known) if rows.shape == shape and rows.dtype == np.uint8 else None


def _save(path: Path, shape: tuple[int, ...], fill: Fill) -> None:
    """Write rows of bytes and what is known of them, whole or not at all."""
    with _storage(path, int(np.prod(shape))):
        for remains in path.parent.glob(f".{path.name}.*"):  # of a process that was killed
            if remains.suffix != ".lock":
                remains.unlink(missing_ok=True)
        descriptor, temporary = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        try:
            with open(descriptor, "r+b") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                known = fill(_reserved(file.fileno(), shape))
                os.fsync(descriptor)
            # The rows come last: without them the file is not there.
            described = path.with_suffix(".json")
            write_whole(described, json.dumps(known).encode())
            os.chmod(temporary, described.stat().st_mode)  # as new files have it
            os.replace(temporary, path.with_suffix(".npy"))
        finally:
            Path(temporary).unlink(missing_ok=True)


def _reserved(descriptor: int, shape: tuple[int, ...]) -> "Store":
    """Return a store into an open file, with all the room it needs reserved first."""
    first, row = os.fstat(descriptor).st_size, int(np.prod(shape[1:]))
    # A full disk is found here, and not by a write into a mapping, which would end the process.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, first + row * shape[0])
    else:  # macOS
        os.ftruncate(descriptor, first + row * shape[0])

    def store(start: int, rows: np.ndarray) -> None:
        left, place = np.ascontiguousarray(rows).reshape(-1).data, first + start * row
        while left:
            written = os.pwrite(descriptor, left, place)
            left, place = left[written:], place + written

    return store


@contextmanager
def _storage(path: Path, size: int = 0) -> Iterator[None]:
    """Errors of the file system as StorageErrors."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        where = path.parent.resolve()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"{where}: {byte_size(size)} of decoded images do not fit on the disk. Free some "
                "space, write to another disk with --root, or keep them in memory with cache=true "
                "where there is enough."
            ) from error
        raise StorageError(f"{where} cannot be written: {error.strerror}.") from error
