"""Numbered versions of exports, each of which appears whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from tfpipe.errors import StorageError
from tfpipe.storage import Taken, whole_folder


def next_version(folder: Path, write: Callable[[Path], None]) -> Path:
    """Write the next version of an export, and return its folder.

    Two processes that export at once get two numbers.

    Args:
        folder: of the versions, such as saved_models/cifar10_cnn.
        write: writes into a folder that becomes the version when this returns, and vanishes when
            it raises.

    Raises:
        StorageError: when it cannot be written.
    """
    for _ in range(100):
        versions = [int(p.name) for p in folder.glob("*") if p.name.isdigit()]
        final = folder / str(max(versions, default=0) + 1)
        try:
            with whole_folder(final) as temporary:
                write(temporary)
        except Taken:
            continue
        return final
    raise StorageError(f"{folder} changes too fast: another process keeps exporting there.")
