"""Run directories: making them, writing into them whole or not at all, and finding them again.

runs/cifar10_cnn/20261120-101502/
  config.json  pipeline.py  environment.json  status.json  metrics.csv
  tensorboard/  checkpoints/

The process that trains a run holds a lock on its directory, which dies with the process.
"""

import contextlib
import fcntl
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tfpipe.errors import RunError, suggest
from tfpipe.storage import new_folder, storage, try_lock, write_whole
from tfpipe.text import listed

State = Literal["running", "finished", "interrupted", "failed"]

# Freed when a run fails, so that even a full disk leaves room to write down why.
_RESERVE = ".reserve"
_RESERVE_BYTES = 64 * 1024
_LOCK = ".lock"
# What stands in a folder of `tfpipe profile`, which lies among the runs and is none.
PROFILE = "profile.json"


@dataclass(frozen=True)
class Status:
    """Where a run is.

    Args:
        state: running, finished, interrupted or failed.
        epoch: how many epochs are complete.
        step: how many steps of the next epoch are.
        parameters: the model's parameter count.
        metrics: the last metrics by split: {"train": {"loss": ...}, "test": ...}.
        message: what a person should know: why it failed, which data it used.
        exports: the SavedModels that were written.
    """

    state: State
    epoch: int = 0
    step: int = 0
    parameters: int = 0
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    message: str = ""
    exports: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunDirectory:
    """One run's files.

    Args:
        path: the directory.
        name: `pipeline/time`, as `runs ls` shows it.
    """

    path: Path
    name: str

    @property
    def checkpoints(self) -> Path:
        """The saved states and the best model."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """The event files."""
        return self.path / "tensorboard"

    @property
    def predictions(self) -> Path:
        """The model's answers to validation and test."""
        return self.path / "predictions"

    @property
    def report(self) -> Path:
        """How the trained model does: report.json and figures."""
        return self.path / "report"

    @property
    def metrics_file(self) -> Path:
        """The table with a row an epoch."""
        return self.path / "metrics.csv"

    @property
    def picture(self) -> Path:
        """The picture that was painted, as it is at the end."""
        return self.path / "picture.png"

    @property
    def pictures(self) -> Path:
        """The folder of that picture after each epoch."""
        return self.path / "pictures"

    @property
    def continuations(self) -> Path:
        """How a model of texts continued a prompt after some epochs, a line each."""
        return self.path / "continuations.jsonl"

    @contextlib.contextmanager
    def lock(self, doing: str = "being trained") -> Iterator[None]:
        """Keep other processes from training this run; raises RunError where one does already.

        The operating system takes the lock back when the process ends, however it ends.

        Args:
            doing: what the other process is at, for people.
        """
        with storage(self.path):
            opened = (self.path / _LOCK).open("a+")
        with opened as file:
            if not try_lock(file, fcntl.LOCK_EX):
                file.seek(0)
                raise RunError(
                    f"{self.name} is {doing} by another process "
                    f"({file.read().strip() or 'unknown'}): wait for it, or stop it first."
                )
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}\n")
            file.flush()
            yield

    def is_active(self) -> bool:
        """Whether a process is training this run."""
        try:
            with (self.path / _LOCK).open() as file:
                return not try_lock(file, fcntl.LOCK_SH, patience=0.0)
        except OSError:
            return False

    def tidy(self) -> None:
        """Remove what a killed process was writing; only the holder of the lock may."""
        for path in sorted(self.path.rglob(".*"), reverse=True):
            if path.name in (_LOCK, _RESERVE):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def write_json(self, name: str, data: Any) -> None:
        """Write a JSON file whole or not at all."""
        write_whole(self.path / name, (json.dumps(data, indent=2) + "\n").encode())

    def write_status(self, status: Status) -> None:
        """Write status.json; the last word on a run even when the disk is full."""
        if status.state != "running":
            (self.path / _RESERVE).unlink(missing_ok=True)
        self.write_json("status.json", asdict(status))

    def read_json(self, name: str) -> Any:
        """A JSON file of the run; raises RunError when it is missing or broken."""
        try:
            return json.loads((self.path / name).read_text())
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name} cannot be read: {error}") from None

    def status_so_far(self) -> Status:
        """As `status`; for a run that was killed before it wrote one, that it is running."""
        if (self.path / "status.json").exists():
            return self.status()
        return Status("running")

    def status(self) -> Status:
        """What status.json says; raises RunError when it is missing or broken."""
        data = self.read_json("status.json")
        try:
            return Status(**{**data, "exports": tuple(data.get("exports", ()))})
        except (TypeError, AttributeError) as error:
            raise RunError(f"{self.path / 'status.json'} is no run's status: {error}.") from None


def create_run(root: Path, pipeline: str, now: datetime) -> RunDirectory:
    """A new run directory that nothing else uses.

    Args:
        root: the folder that holds `runs/`.
        pipeline: the pipeline's name.
        now: the time that names the run.

    Raises:
        StorageError: when it cannot be written.
    """
    with storage(root):
        path = new_folder(root / "runs" / pipeline, now)
        return initialise(path)


def initialise(path: Path) -> RunDirectory:
    """The run of a folder, with what is in it from the start."""
    run = run_at(path)
    (path / _RESERVE).write_bytes(os.urandom(_RESERVE_BYTES))
    run.checkpoints.mkdir(exist_ok=True)
    return run


def check_writable(root: Path) -> None:
    """Refuse a root that cannot be written, before anything slow; raises StorageError."""
    with storage(root):
        existing = next(p for p in (root.absolute(), *root.absolute().parents) if p.exists())
        with tempfile.TemporaryDirectory(dir=existing, prefix=".tfpipe."):
            (root / "runs").mkdir(parents=True, exist_ok=True)


def cache_folder(root: Path) -> Path:
    """Where decoded data lies that does not fit in memory, beside the runs."""
    return root / "runs" / ".cache"


def list_directories(root: Path, folder: str, file: str) -> list[RunDirectory]:
    """Return the directories below a folder that hold a file, the oldest first.

    Hidden ones are those that are being made or removed.
    """
    runs = [run_at(path.parent) for path in (root / folder).glob(f"[!.]*/[!.]*/{file}")]
    return sorted(runs, key=lambda run: (run.path.name, run.name))


def list_runs(root: Path) -> list[RunDirectory]:
    """Return all runs below a root, the oldest first."""
    return list_directories(root, "runs", "config.json")


def list_profiles(root: Path) -> list[RunDirectory]:
    """Return what `tfpipe profile` has written below a root, the oldest first."""
    return list_directories(root, "runs", PROFILE)


def began(run: RunDirectory) -> datetime:
    """Return when a run was started, which its name says; else when it was last configured."""
    try:
        return datetime.strptime(run.path.name[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return datetime.fromtimestamp((run.path / "config.json").stat().st_mtime)


def newest_unfinished(root: Path, pipeline: str | None = None) -> RunDirectory | None:
    """The newest run that is not finished and that nobody is training; None without one.

    Args:
        root: the folder that holds `runs/`.
        pipeline: only runs of this pipeline.
    """
    for run in reversed(list_runs(root)):
        if pipeline is not None and run.path.parent.name != pipeline:
            continue
        with contextlib.suppress(RunError):  # a broken one is no candidate
            if run.status_so_far().state != "finished" and not run.is_active():
                return run
    return None


def run_at(path: Path) -> RunDirectory:
    """The run of a directory, which is there."""
    return RunDirectory(path, f"{path.parent.name}/{path.name}")


def find_run(root: Path, reference: str) -> RunDirectory:
    """Return the run of a name, a unique beginning of one, a path, or `last`.

    Raises:
        RunError: when there is none, or several.
    """
    return find_directory(root, "runs", "config.json", reference, "run", "tfpipe run FILE")


def find_directory(
    root: Path, folder: str, file: str, reference: str, kind: str, start: str
) -> RunDirectory:
    """Return the one directory that a name, a unique beginning of one, a path or `last` means.

    Args:
        root: the folder that holds `folder`.
        folder: where they are, such as "searches".
        file: what each of them has in it.
        reference: which is meant.
        kind: what they are, for people: "search".
        start: the command that makes one.

    Raises:
        RunError: when there is none, or several.
    """
    if (Path(reference) / file).is_file():
        return run_at(Path(reference).resolve())
    there = list_directories(root, folder, file)
    if not there:
        raise RunError(f"There are no {folder} in {root / folder}. Start one with {start}.")
    if reference == "last":
        return there[-1]
    exact = [run for run in there if reference in (run.name, run.path.name)]
    matching = exact or [
        run
        for run in there
        if run.name.startswith(reference) or run.path.name.startswith(reference)
    ]
    if not matching:
        known = suggest(reference, (run.name for run in there))
        raise RunError(f"There is no {kind} {reference!r}. {known}")
    if len(matching) > 1:
        raise RunError(
            f"{reference!r} may be any of {len(matching)} {kind}s: write more of the name, or "
            f"`last`. The newest of them: {listed(r.name for r in matching[-5:])}."
        )
    return matching[0]
