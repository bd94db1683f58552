"""A search's directory: what was options, and the trials.

searches/cifar10_cnn/20261121-101502/
  search.json  pipeline.py  tuner/  claims/  trials/03/
  best.json  table.csv  report.html  tensorboard/

A trial is a run's directory with a trial.json in it. Every file appears whole or not at all. A
trial.json is written by who trains it, the other files by any process that runs trials.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tfpipe.declare.codec import to_json
from tfpipe.declare.loading import Loaded, load_unchanged
from tfpipe.errors import RunError
from tfpipe.runs.directory import RunDirectory, find_directory, run_at
from tfpipe.storage import new_folder, storage, write_whole

Tuner = Literal["random", "bayesian", "hyperband", "grid"]
State = Literal["running", "finished", "interrupted", "failed"]
TrialState = Literal["running", "finished", "stopped", "failed", "interrupted"]

_FILE, _TRIAL = "search.json", "trial.json"
# What a trial's process writes beside it: its last word, what it is doing, and all it prints.
OUTCOME, PROGRESS, LOG = "outcome.json", "progress.json", "log.txt"


@dataclass
class SearchOptions:
    """What a search was asked for.

    Args:
        tuner: how the next values are chosen.
        trials: how many trials; None where the tuner counts them itself.
        objective: the metric that decides, such as "val_accuracy".
        direction: whether it is better the higher ("max") or the lower ("min") it is.
        seed: of the choice of values; the trials' own seed is the pipeline's.
        workers: how many trials run at a time.
        budget: how long to search, in seconds; None without a limit.
        hard: whether the budget stops running trials, which are kept, or lets them finish.
        sample: as for `tfpipe.verbs.run.run`.
        median: whether the median rule stops hopeless trials.
        memory: the bytes that a trial may take; None without a limit.
        declared_first: whether the first trial has the values that the file declares.
        data_fraction: the share of the declared training data that trials use.
        comparison: whether it compares networks, each of which is measured.
    """

    tuner: Tuner
    trials: int | None
    objective: str
    direction: Literal["min", "max"]
    seed: int
    workers: int = 1
    budget: float | None = None
    hard: bool = False
    sample: int | bool | None = None
    median: bool = False
    memory: int | None = None
    declared_first: bool = False
    data_fraction: float = 1.0
    comparison: bool = False


@dataclass
class Trial:
    """One set of values, and how the model trained with them does.

    Args:
        id: its number, as Keras Tuner writes it.
        values: by the name of the range, as Keras Tuner holds them.
        overrides: the same as `a.b=v` texts.
        run: the folder of its run in trials/: its own, or that of the trial that it goes on with.
        epochs: the epoch up to which it trains.
        first_epoch: how many epochs the trial that it goes on with has trained.
        state: running, finished, stopped (by the median rule), failed or interrupted.
        kind: why it failed: "nan", "memory", "killed", or the name of an exception.
        reason: the same in a sentence.
        objective: of its best epoch.
        epoch: which one that is, from 1.
        metrics: of that epoch, by their names in metrics.csv.
        began: when it first did, in seconds of Unix time.
        ended: when it ended.
        seconds: what it took, all attempts together.
        attempts: how often it was begun or taken up.
        worker: who ran it last.
        peak: the most memory that its process held, in bytes; 0 where nobody knows.
    """

    id: str
    values: dict[str, Any]
    overrides: tuple[str, ...]
    run: str
    epochs: int
    first_epoch: int = 0
    state: TrialState = "running"
    kind: str = ""
    reason: str = ""
    objective: float | None = None
    epoch: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    began: float = 0.0
    ended: float | None = None
    seconds: float = 0.0
    attempts: int = 0
    worker: str = ""
    peak: int = 0

    @property
    def completed(self) -> bool:
        """Whether it has an objective that counts."""
        return self.state in ("finished", "stopped") and self.objective is not None

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in ("finished", "stopped", "failed")

    def write(self, folder: Path) -> None:
        """Write trial.json into the trial's folder, which is made."""
        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _TRIAL, (json.dumps(asdict(self), indent=2) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "Trial":
        """The trial of a folder; raises RunError when its trial.json is missing or broken."""
        file = folder / _TRIAL
        try:
            data = json.loads(file.read_text())
            return cls(**{**data, "overrides": tuple(data["overrides"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{file} is no record of a trial: {error}") from None


@dataclass
class Search:
    """A search for good values.

    Args:
        directory: its files.
        root: the folder that holds searches/.
        target: FILE::ClassName.
        overrides: the `a.b=value` texts, those of --vary included.
        pipeline: the declaration, as JSON.
        space: the ranges, as JSON (`tfpipe.tuning.space.Space.to_json`).
        options: what it was asked for.
        began: when, in seconds of Unix time.
        state: running, finished, interrupted or failed.
        reason: why it ended before it had all trials.
        active_seconds: how long it has searched, all sessions together.
    """

    directory: RunDirectory
    root: Path
    target: str
    overrides: tuple[str, ...]
    pipeline: Any
    space: Any
    options: SearchOptions
    began: float
    state: State = "running"
    reason: str = ""
    active_seconds: float = 0.0

    @property
    def name(self) -> str:
        """As people call it: the pipeline's name and the time."""
        return self.directory.name

    @property
    def trials_folder(self) -> Path:
        """Where the trials are."""
        return self.directory.path / "trials"

    def folder(self, trial: str) -> Path:
        """A trial's folder."""
        return self.trials_folder / trial

    def run(self, trial: Trial) -> RunDirectory:
        """The run that a trial trains, or goes on with."""
        return run_at(self.folder(trial.run))

    def clear(self, trial: Trial) -> None:
        """Forget all that a trial has trained, for it to begin anew."""
        folder = self.folder(trial.run)
        for path in folder.iterdir():
            if path.name in (_TRIAL, LOG):
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        trial.state, trial.kind, trial.reason, trial.ended = "interrupted", "", "", None
        trial.write(self.folder(trial.id))

    def is_active(self, trial: str) -> bool:
        """Whether a process writes into the run of a trial."""
        begun = (self.folder(trial) / _TRIAL).is_file()
        return begun and self.run(Trial.read(self.folder(trial))).is_active()

    def trials(self) -> list[Trial]:
        """All trials so far, in the order in which they were made."""
        trials = [Trial.read(file.parent) for file in self.trials_folder.glob(f"*/{_TRIAL}")]
        return sorted(trials, key=lambda trial: int(trial.id))

    def completed(self) -> list[Trial]:
        """The trials that count, the best first."""
        sign = -1.0 if self.options.direction == "max" else 1.0
        completed = [t for t in self.trials() if t.completed]
        return sorted(completed, key=lambda t: (sign * (t.objective or 0.0), int(t.id)))

    def best(self) -> Trial | None:
        """The best trial; None before one is completed."""
        return next(iter(self.completed()), None)

    def load(self) -> Loaded:
        """The declaration, which must still be the one that the search began with.

        Raises:
            ConfigError: when it is another one.
        """
        return load_unchanged(
            self.target,
            self.overrides,
            self.directory.path / "pipeline.py",
            self.pipeline,
            f"when {self.name} began, and trials that are trained differently cannot be compared. "
            "Undo the change, or start a new search.",
        )

    def write(self) -> None:
        """Write search.json."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        del kept["directory"], kept["root"]
        self.directory.write_json(
            _FILE, {"name": self.name, **kept, "options": asdict(self.options)}
        )

    def write_best(self) -> None:
        """Write best.json, once a trial is completed."""
        best = self.best()
        if best is not None:
            self.directory.write_json("best.json", self._best(best))

    def _best(self, best: Trial) -> dict[str, Any]:
        return {
            "objective": self.options.objective,
            "value": best.objective,
            "trial": best.id,
            "epoch": best.epoch,
            "values": best.values,
            "overrides": list(best.overrides),
        }

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        best = self.best()
        return {
            "name": self.name,
            "directory": str(self.directory.path),
            "target": self.target,
            "overrides": list(self.overrides),
            "options": asdict(self.options),
            "state": self.state,
            "reason": self.reason,
            "began": self.began,
            "active_seconds": self.active_seconds,
            "space": self.space,
            "best": None if best is None else self._best(best),
            "trials": [asdict(trial) for trial in self.trials()],
        }


def create_search(
    root: Path, loaded: Loaded, now: datetime, options: SearchOptions, space: Any
) -> Search:
    """A new search in a directory that nothing else uses.

    Args:
        root: the folder that holds searches/.
        loaded: the pipeline, from a file.
        now: the time that names it.
        options: what it was asked for.
        space: the ranges, as JSON.

    Raises:
        StorageError: when it cannot be written.
    """
    assert loaded.path is not None
    with storage(root):
        path = new_folder(root / "searches" / loaded.name, now)
        shutil.copyfile(loaded.path, path / "pipeline.py")
        (path / "trials").mkdir()
    search = Search(
        run_at(path),
        root,
        loaded.target,
        loaded.overrides,
        to_json(loaded.pipeline),
        space,
        options,
        now.timestamp(),
    )
    search.write()
    return search


def read_search(path: Path, root: Path) -> Search:
    """The search of a directory; raises RunError when it is broken."""
    directory = run_at(path)
    content: Mapping[str, Any] = directory.read_json(_FILE)
    try:
        content = {n: v for n, v in content.items() if n != "name"}
        content |= {
            "overrides": tuple(content["overrides"]),
            "options": SearchOptions(**content["options"]),
        }
        return Search(directory, root, **content)
    except (TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"{path / _FILE} is no search of this version of tfpipe ({error}). Start a new one."
        ) from None


def find_search(root: Path, reference: str) -> Search:
    """The search of a name, a unique beginning of one, a path, or `last`.

    Raises:
        RunError: when there is none, or several.
    """
    words = ("search", "tfpipe search FILE")
    return read_search(find_directory(root, "searches", _FILE, reference, *words).path, root)
