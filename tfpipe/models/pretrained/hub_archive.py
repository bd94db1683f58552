"""Archives of TF-Hub modules: unpacked whole or not at all, and only where they should be."""

import hashlib
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tfpipe.errors import ModelError
from tfpipe.storage import Taken, whole_folder

ENDINGS = (".tar.gz", ".tgz", ".tar")
# The largest modules that were published hold a few GB in a few dozen files.
MOST_BYTES = 16 << 30
MOST_FILES = 10_000
_BROKEN = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


def unpacked(archive: Path, folder: Path) -> Path:
    """The content of an archive, in a folder that bears the name of its checksum.

    Args:
        archive: a .tar.gz, .tgz or .tar.
        folder: where unpacked archives are kept.

    Raises:
        ModelError: for an archive that is broken, too large, or writes outside of its folder.
        StorageError: when it cannot be written.
    """
    try:
        with archive.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{archive} cannot be read ({error.strerror}).") from None
    return unpack(archive, folder / checksum)


def unpack(archive: Path, final: Path) -> Path:
    """Unpack an archive into a folder, unless that is there already; errors as for `unpacked`."""
    if not final.is_dir():
        try:
            with whole_folder(final) as temporary:
                _extract(archive, temporary)
        except Taken:
            pass  # by another process, from the same archive
    return final


def _extract(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive, "r:*") as opened:
            for member in _checked(opened, archive):
                target = folder.joinpath(*_parts(member))
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                source = opened.extractfile(member)
                assert source is not None
                with target.open("xb") as copy:
                    _copy(source, copy, member)
    except FileExistsError as error:
        raise ModelError(f"{archive} holds {Path(error.filename).name} twice.") from None
    except _BROKEN as error:
        raise ModelError(f"{archive} is no whole .tar.gz archive: {error}.") from None
    except OSError as error:
        if error.errno is not None:  # a disk that is full, say; a broken gzip stream has no number
            raise
        raise ModelError(f"{archive} is no whole .tar.gz archive: {error}.") from None


def _copy(source: IO[bytes], copy: IO[bytes], member: tarfile.TarInfo) -> None:
    shutil.copyfileobj(source, copy, 1 << 20)
    if copy.tell() != member.size:
        raise EOFError(f"{member.name} ends too soon")


def _checked(opened: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    """The members one by one, until one is refused."""
    total = 0
    for files, member in enumerate(opened, 1):
        if not (member.isfile() or member.isdir()):
            raise ModelError(
                f"{archive} holds {member.name!r}, which is a link or a device. A module has files "
                "and folders alone: the archive was not unpacked."
            )
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts or "\\" in member.name:
            raise ModelError(
                f"{archive} holds {member.name!r}, which lies outside of its folder. The archive "
                "was not unpacked."
            )
        total += member.size
        if files > MOST_FILES or total > MOST_BYTES:
            raise ModelError(
                f"{archive} holds more than {MOST_FILES:,} files or {MOST_BYTES / (1 << 30):g} GB, "
                "which no module does. Unpack it yourself, and give the folder."
            )
        yield member


def _parts(member: tarfile.TarInfo) -> tuple[str, ...]:
    return PurePosixPath(member.name).parts
