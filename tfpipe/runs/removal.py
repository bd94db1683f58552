"""Removing runs, whole or not at all, and what speaks against it."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tfpipe.errors import RunError
from tfpipe.runs.directory import RunDirectory, list_runs
from tfpipe.storage import read_small, size_on_disk, storage
from tfpipe.text import listed

_ASIDE = ".removed"


def check_removable(runs: Sequence[RunDirectory], root: Path, force: bool = False) -> None:
    """Refuse to remove what is no run, is being trained, or is built on by others.

    Args:
        runs: which are to be removed.
        root: the folder that holds runs/.
        force: whether to remove what others are built on all the same.

    Raises:
        RunError: for one that may not be removed; none is then.
    """
    names = {run.name for run in runs}
    others = [run for run in list_runs(root) if run.name not in names]
    for run in runs:
        begun = any((run.path / name).is_file() for name in ("status.json", ".lock"))
        if not (begun and run.checkpoints.is_dir()):
            raise RunError(
                f"{run.path} is no run: it has no checkpoints/ and no status.json. If it is to go, "
                "remove it yourself."
            )
        with run.lock():
            pass
        inside = [path for path in _exports(run) if path.is_relative_to(run.path.resolve())]
        if inside:
            raise RunError(
                f"{run.name} holds an export, {inside[0]}, which is never removed with a run: move "
                "it elsewhere first."
            )
        reasons = [] if force else _reasons(run, others)
        if reasons:
            raise RunError(
                f"{run.name} is not removed: {listed(reasons, 3)}. Remove it all the same with "
                "--force."
            )


def remove(run: RunDirectory) -> int:
    """Remove a run's directory and return how many bytes that freed.

    It is renamed first, so that a reader sees the whole run or none; what a power cut leaves of it
    is hidden, and `remains` finds it.

    Args:
        run: one that `check_removable` has let pass.

    Raises:
        RunError: for one that a process is training.
        StorageError: when it cannot be written.
    """
    size, aside = size_on_disk(run.path), run.path.with_name(f".{run.path.name}{_ASIDE}")
    with run.lock(), storage(run.path.parent):
        discard(aside)
        os.rename(run.path, aside)
        discard(aside)
    with contextlib.suppress(OSError):  # other runs of the pipeline are in it
        run.path.parent.rmdir()
    return size


def remains(root: Path) -> list[Path]:
    """Return what is left of removals that were cut short."""
    return sorted((root / "runs").glob(f"*/.*{_ASIDE}"))


def discard(path: Path) -> None:
    """Delete a file, a folder or a link, whatever there is of it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _exports(run: RunDirectory) -> list[Path]:
    exports = read_small(run.path / "status.json").get("exports") or ()
    return [Path(path).resolve() for path in exports]


def _reasons(run: RunDirectory, others: Sequence[RunDirectory]) -> list[str]:
    """Say what others lose with a run."""
    reasons = []
    if (run.path / "trial.json").is_file():
        reasons.append(f"it is a trial of the search {run.path.parent.parent.name}")
    for other in others:
        config = read_small(other.path / "config.json")
        if (config.get("forked_from") or {}).get("run") == run.name:
            reasons.append(f"{other.name} was forked from it")
        elif any(f"{run.name}/" in text for text in config.get("overrides") or ()):
            reasons.append(f"{other.name} was given a file of it")
    return reasons
