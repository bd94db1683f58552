"""Files and folders that appear whole or not at all, locks, and a disk's refusals in words."""

import contextlib
import errno
import fcntl
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TextIO

from tfpipe.errors import StorageError

_REFUSED = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENOENT,
)


class Taken(StorageError):
    """Somebody else has made the folder in the meantime."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never half."""
    with whole_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which becomes `path` when the block ends well, and vanishes otherwise."""
    with storage(path.parent):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def whole_text(path: Path) -> Iterator[TextIO]:
    """A file to write text to, in UTF-8 and with line ends as given; whole as `whole_file` is."""
    with whole_file(path) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield text
        text.flush()
        text.detach()


@contextlib.contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """A temporary folder that becomes `final` when the block ends well, and vanishes otherwise."""
    with storage(final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}."))
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            for path in (temporary, *temporary.rglob("*")):
                _flush(path)
            _rename(temporary, final)
            _flush(final.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def read_small(path: Path) -> dict[str, Any]:
    """A small JSON file that another process writes; empty where it is not there or torn."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def size_on_disk(path: Path) -> int:
    """Return how many bytes a file, or all files below a folder, hold; links are not followed."""
    files = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    total = 0
    for file in files if path.is_dir() else [path]:
        with contextlib.suppress(OSError):  # gone in the meantime
            total += os.lstat(file).st_size
    return total


def new_folder(parent: Path, now: datetime) -> Path:
    """A new folder that bears a time as its name, and that nothing else uses.

    Args:
        parent: the folder that it is made in, which is made too.
        now: the time.
    """
    stamp = now.strftime("%Y%m%d-%H%M%S")
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        path = parent / (stamp if number == 1 else f"{stamp}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise StorageError(f"{parent} holds a thousand folders of {stamp} already.")


def try_lock(file: Any, kind: int, patience: float = 0.5) -> bool:
    """Lock an open file; waits a little, since `is_active` of others holds it for a moment."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)


@contextlib.contextmanager
def storage(place: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into words; raises StorageError."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise StorageError(
                f"{place} cannot be written: a file is larger than this process may write "
                "(ulimit -f). Raise the limit."
            ) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(place) from error
        if error.errno in _REFUSED:
            in_the_way = error.errno in (errno.ENOTDIR, errno.EEXIST) and error.filename
            raise StorageError(
                f"{in_the_way or place} cannot be written ({error.strerror}): choose another place "
                "with --root DIR."
            ) from error
        raise


def disk_full(place: Path) -> StorageError:
    """The error for a place whose disk is full."""
    return StorageError(
        f"The disk of {place} is full: free some space, or write elsewhere with --root DIR."
    )


def _rename(temporary: Path, final: Path) -> None:
    try:
        os.rename(temporary, final)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise Taken(f"{final} exists already.") from error
        raise


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
