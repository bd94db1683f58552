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

from tfpipe.errors import StorageError

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.data.images.files import Store

folder: ContextVar[Path] = ContextVar("folder", default=Path("runs/.cache"))

# Writes the rows through the store it is given, and says what is to be known of them.
Fill = Callable[["Store"], Any]


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """While the block runs, no other process makes the file of a name; gives its path."""
    path = folder.get() / name
    with _storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = (path.parent / f".{name}.lock").open("w")
    with lock:  # closing it, or the end of the process, takes the lock back
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def load(path: Path, shape: tuple[int, ...]) -> "tuple[np.ndarray, Any] | None":
    """A file's rows, mapped, and what is known of them; None where it is missing or damaged.

    Args:
        path: the file, without a suffix.
        shape: of all rows, the unused ones at the end among them.
    """
    import numpy as np

    try:
        known = json.loads(path.with_suffix(".json").read_text())
        # A private mapping may be written to, as TensorFlow demands of memory that it shares; what
        # is not written stays the file's, and the kernel may take it back at any time.
        rows = np.load(path.with_suffix(".npy"), mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return (rows, known) if rows.shape == shape and rows.dtype == np.uint8 else None


def save(path: Path, shape: tuple[int, ...], fill: Fill) -> None:
    """Write rows of bytes and what is known of them, whole or not at all.

    Raises:
        StorageError: when there is no room, or the folder cannot be written.
    """
    import numpy as np

    with _storage(path, int(np.prod(shape))):
        _remove_remains(path)
        descriptor, temporary = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        try:
            with open(descriptor, "r+b") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                known = fill(_reserved(file.fileno(), shape))
                os.fsync(descriptor)
            # The rows come last: without them the file is not there.
            _write_known(path.with_suffix(".json"), known)
            os.chmod(temporary, path.with_suffix(".json").stat().st_mode)  # as new files have it
            os.replace(temporary, path.with_suffix(".npy"))
        finally:
            Path(temporary).unlink(missing_ok=True)


def _reserved(descriptor: int, shape: tuple[int, ...]) -> "Store":
    """A store into an open file, with all the room it needs reserved first."""
    import numpy as np

    first, row = os.fstat(descriptor).st_size, int(np.prod(shape[1:]))
    # A full disk is found here, and not by a write into a mapping, which would end the process.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, first + row * shape[0])
    else:  # macOS
        os.ftruncate(descriptor, first + row * shape[0])

    def store(start: int, rows: "np.ndarray") -> None:
        left, place = np.ascontiguousarray(rows).reshape(-1).data, first + start * row
        while left:
            written = os.pwrite(descriptor, left, place)
            left, place = left[written:], place + written

    return store


def _write_known(path: Path, known: Any) -> None:
    temporary = path.with_suffix(".json.part")
    with temporary.open("w") as file:
        json.dump(known, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _remove_remains(path: Path) -> None:
    """Remove what a killed process was writing; nobody else is, as the lock says."""
    for remains in path.parent.glob(f".{path.name}.*.part"):
        remains.unlink(missing_ok=True)


@contextmanager
def _storage(path: Path, size: int = 0) -> Iterator[None]:
    """Errors of the file system as StorageErrors."""
    from tfpipe.text import byte_size

    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"{path.parent.resolve()}: {byte_size(size)} of decoded images do not fit on the "
                "disk. Free some space, write to another disk with --root, or keep them in memory "
                "with cache=true where there is enough."
            ) from error
        raise StorageError(
            f"{path.parent.resolve()} cannot be written: {error.strerror}."
        ) from error
