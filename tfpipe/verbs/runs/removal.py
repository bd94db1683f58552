"""`tfpipe runs rm` and `tfpipe runs clean`: what may go, and how much that frees."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from tfpipe.errors import RunError
from tfpipe.runs.directory import RunDirectory, cache_folder, find_run, list_runs, run_at
from tfpipe.runs.removal import check_removable, discard, remains
from tfpipe.runs.removal import remove as remove_run
from tfpipe.storage import size_on_disk, storage, try_lock
from tfpipe.training import checkpoint

Kind = Literal["run", "state", "cache", "comparison", "remains"]
COMPARISONS = "comparisons"  # below runs/


@dataclass(frozen=True)
class Disposable:
    """Something that may go.

    Args:
        kind: what it is.
        path: where.
        bytes: how much it holds.
        run: the run that it is, or is of; None for no run.
    """

    kind: Kind
    path: Path
    bytes: int
    run: RunDirectory | None = None


@dataclass(frozen=True)
class Cleaning:
    """What `runs clean` would free.

    Args:
        found: what may go.
        notes: what is left, and why.
    """

    found: Sequence[Disposable]
    notes: Sequence[str] = ()

    @property
    def bytes(self) -> int:
        """How much it holds."""
        return sum(item.bytes for item in self.found)

    def of(self, kind: Kind) -> list[Disposable]:
        """What may go of one kind."""
        return [item for item in self.found if item.kind == kind]


def find_removable(
    references: Iterable[str], *, root: str | Path = ".", force: bool = False
) -> Cleaning:
    """Return the runs that are named, if they may be removed.

    Args:
        references: names, unique beginnings of them, paths, or "last".
        root: the folder that holds runs/.
        force: whether to remove what others are built on all the same.

    Raises:
        RunError: for no such run, or one that may not be removed.
    """
    root = Path(root)
    runs = list(
        {run.path.resolve(): run for run in (find_run(root, r) for r in references)}.values()
    )
    check_removable(runs, root, force)
    return Cleaning([Disposable("run", run.path, size_on_disk(run.path), run) for run in runs])


def find_disposable(
    *,
    failed: bool = False,
    older: float | None = None,
    root: str | Path = ".",
    now: datetime | None = None,
) -> Cleaning:
    """Return what runs no longer need.

    That is the saved states but the last of each unfinished run, caches while nothing is trained,
    pages of comparisons, and what is left of removals. A run without its states can be used and
    compared, and neither extended nor forked.

    Args:
        failed: whether failed and killed runs go as well, those apart that others are built on.
        older: only what was last written so many seconds ago.
        root: the folder that holds runs/.
        now: the time; that of the clock when None.
    """
    root, moment = Path(root), (now or datetime.now()).timestamp()

    def is_old(path: Path) -> bool:
        return older is None or moment - path.stat().st_mtime >= older

    notes: list[str] = []
    found: list[Disposable] = []
    for run in list_runs(root):
        status = run.path / "status.json"
        if run.is_active() or not is_old(status if status.is_file() else run.path):
            continue
        if failed and _is_failed(run):
            try:
                check_removable([run], root)
            except RunError as error:
                notes.append(str(error))
            else:
                found.append(Disposable("run", run.path, size_on_disk(run.path), run))
                continue
        states = _old_states(run, notes)
        found += [Disposable("state", path, size_on_disk(path), run) for path in states]
    found += [Disposable("cache", *sized) for sized in _caches(root, is_old, notes)]
    pages = sorted((root / "runs" / COMPARISONS).glob("*.html"))
    found += [Disposable("comparison", p, size_on_disk(p)) for p in pages if is_old(p)]
    found += [Disposable("remains", p, size_on_disk(p)) for p in remains(root)]
    return Cleaning(found, notes)


def remove(cleaning: Cleaning) -> int:
    """Remove what was found, and return how many bytes that freed.

    Raises:
        RunError: for a run that a process has begun to train in the meantime.
        StorageError: for what cannot be written.
    """
    freed = 0
    for item in cleaning.found:
        if item.kind == "run":
            assert item.run is not None
            freed += remove_run(item.run)
            continue
        with storage(item.path.parent):
            if item.run is not None:
                with item.run.lock():
                    discard(item.path)
            else:
                discard(item.path)
        freed += item.bytes
    return freed


def _is_failed(run: RunDirectory) -> bool:
    """Whether a run failed, or was killed; not one whose status cannot be read."""
    try:
        return run.status_so_far().state in ("failed", "running")
    except RunError:
        return False


def _old_states(run: RunDirectory, notes: list[str]) -> list[Path]:
    """Return the saved states of a run that nobody trains which it does not need any more."""
    folder = run.checkpoints
    states = checkpoint.states(folder)
    try:
        finished = run.status_so_far().state == "finished"
        whole = finished and (folder / "best.keras").is_file()
        last = None if whole or len(states) < 2 else checkpoint.latest(folder)
    except RunError as error:
        notes.append(str(error))
        return []
    kept = [] if whole else states[-1:] if last is None else [last.path]
    return [*(s for s in states if s not in kept), *sorted(folder.glob("damaged-*"))]


def _caches(
    root: Path, is_old: Callable[[Path], bool], notes: list[str]
) -> Iterator[tuple[Path, int]]:
    """Yield the files of decoded data and their sizes, unless something may be reading them."""
    import fcntl

    folder = cache_folder(root)
    files = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"]
    trials = (run_at(p.parent) for p in (root / "searches").glob("*/*/trials/*/config.json"))
    active = next((run for run in [*list_runs(root), *trials] if run.is_active()), None)
    if active is not None:
        if files:
            notes.append(f"{folder} is left as it is while {active.name} is being trained.")
        return
    for lock in sorted(folder.rglob(".*.lock")):
        with lock.open() as file:
            if not try_lock(file, fcntl.LOCK_SH, patience=0.0):  # its file is being written
                name = lock.name.removesuffix("lock")
                files = [p for p in files if not f".{p.name.lstrip('.')}".startswith(name)]
    # The rows go first: without them the file is not there.
    for path in sorted(files, key=lambda p: (p.suffix != ".npy", p)):
        if is_old(path):
            yield path, size_on_disk(path)
