"""A comparison's directory: what was asked, how far it is, the table and the report.

comparisons/cifar10/20261120-101502/
  comparison.json  table.csv  report.html  accuracy_size.png  error_time.png  time_size.png
  pipeline.py  networks/MobileNetV2/

Every file appears whole or not at all, and all of them are written anew after each network.
"""

import csv
import io
import shutil
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tfpipe.declare.codec import to_json
from tfpipe.declare.loading import Loaded, load_unchanged
from tfpipe.errors import RunError
from tfpipe.runs.directory import RunDirectory, find_directory, run_at
from tfpipe.storage import new_folder, storage, write_whole

State = Literal["waiting", "running", "finished", "failed", "interrupted"]

_FILE = "comparison.json"


@dataclass
class Numbers:
    """What was measured of a network.

    Args:
        accuracy: on the validation split, of the best epoch.
        epoch: which epoch that is, from 1.
        parameters: of the whole model.
        trainable_parameters: those of them that were trained.
        step_seconds: a training step through the base; see `tfpipe.verbs.one_network`.
        seconds: all of it, from starting TensorFlow to the end.
        features_seconds: running the base over all samples once; None where it was trained through
            the base.
        training_seconds: the epochs, validation included.
        images_per_second_base: through the base.
        images_per_second_later: in the epochs after the first, where there are any.
        peak_bytes: the most memory that the network's process has held.
    """

    accuracy: float
    epoch: int
    parameters: int
    trainable_parameters: int
    step_seconds: float | None
    seconds: float
    features_seconds: float | None
    training_seconds: float
    images_per_second_base: float | None
    images_per_second_later: float
    peak_bytes: int


@dataclass
class Entry:
    """One network of a comparison.

    Args:
        network: its name in keras.applications.
        state: waiting, running, finished, failed or interrupted.
        run: the path of its run, below the root; empty before there is one.
        model: the path of the best model, below the root, once it is finished.
        reason: why it failed.
        notes: what had to be different for this network.
        numbers: what was measured.
    """

    network: str
    state: State = "waiting"
    run: str = ""
    model: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    numbers: Numbers | None = None

    @property
    def open(self) -> bool:
        """Whether there is something left to do."""
        return self.state not in ("finished", "failed")


@dataclass
class Comparison:
    """A comparison of networks.

    Args:
        directory: its files.
        root: the folder that holds comparisons/ and runs/.
        target: FILE::ClassName.
        overrides: the `a.b=value` texts.
        data_fraction: the share of the training data; 1 for all of it.
        through_base: whether it was asked to train through the base.
        sample: as for `tfpipe.verbs.run.run`.
        training: how the networks are trained, for people.
        pipeline: the declaration.
        entries: the networks in the order in which they were asked for.
    """

    directory: RunDirectory
    root: Path
    target: str
    overrides: tuple[str, ...]
    data_fraction: float
    through_base: bool
    sample: int | bool | None
    training: str
    pipeline: Any
    entries: list[Entry] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As people call it: the pipeline's name and the time."""
        return self.directory.name

    def ranking(self) -> list[tuple[Entry, Numbers]]:
        """The finished networks with their numbers, the most accurate first."""
        found = [(e, e.numbers) for e in self.entries if e.state == "finished" and e.numbers]
        return sorted(found, key=lambda pair: -pair[1].accuracy)

    def entry(self, network: str) -> Entry:
        """A network's entry."""
        return next(e for e in self.entries if e.network == network)

    def folder(self, network: str) -> Path:
        """Where a network's process writes its log and what it measures."""
        return self.directory.path / "networks" / network

    def load(self) -> Loaded:
        """The declaration, which must still be the one that the comparison began with.

        Raises:
            ConfigError: when it is another one.
        """
        return load_unchanged(
            self.target,
            self.overrides,
            self.directory.path / "pipeline.py",
            self.pipeline,
            f"when {self.name} began, and networks that are trained differently cannot be "
            "compared. Undo the change, or start a new comparison.",
        )

    def write(self) -> None:
        """Write comparison.json and table.csv."""
        self.directory.write_json(_FILE, self.to_json())
        write_whole(self.directory.path / "table.csv", self._table().encode())

    def to_json(self) -> dict[str, Any]:
        """What comparison.json says."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        del kept["directory"], kept["root"]
        return {"name": self.name, **kept, "entries": [asdict(e) for e in self.entries]}

    def _table(self) -> str:
        """table.csv: the finished networks by accuracy, then the others."""
        rows = [_row(entry) for entry, _ in self.ranking()]
        rows += [_row(entry) for entry in self.entries if entry.state != "finished"]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _row(entry: Entry) -> dict[str, Any]:
    numbers: dict[str, Any] = {f.name: None for f in fields(Numbers)}
    if entry.numbers is not None:
        numbers |= asdict(entry.numbers)
    rounded = {n: round(v, 6) if isinstance(v, float) else v for n, v in numbers.items()}
    return {
        "network": entry.network,
        "state": entry.state,
        **rounded,
        "run": entry.run,
        "reason": " ".join(entry.reason.split()),
        "notes": "; ".join(entry.notes),
    }


def create(root: Path, loaded: Loaded, now: datetime, **asked: Any) -> Comparison:
    """A new comparison in a directory that nothing else uses.

    Args:
        root: the folder that holds comparisons/.
        loaded: the pipeline, from a file.
        now: the time that names it.
        asked: the other fields of `Comparison`.

    Raises:
        StorageError: when it cannot be written.
    """
    assert loaded.path is not None
    with storage(root):
        path = new_folder(root / "comparisons" / loaded.name, now)
        shutil.copyfile(loaded.path, path / "pipeline.py")
    return Comparison(
        run_at(path),
        root,
        f"{loaded.path}::{type(loaded.pipeline).__name__}",
        loaded.overrides,
        pipeline=to_json(loaded.pipeline),
        **asked,
    )


def read(path: Path, root: Path) -> Comparison:
    """The comparison of a directory; raises RunError when it is broken."""
    directory = run_at(path)
    content = directory.read_json(_FILE)
    try:
        content = {**content}
        entries = [_entry(data) for data in content.pop("entries")]
        content["overrides"] = tuple(content["overrides"])
        del content["name"]
        return Comparison(directory, root, entries=entries, **content)
    except (TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"{path / _FILE} is no comparison of this version of tfpipe ({error}). Start a new one."
        ) from None


def _entry(data: dict[str, Any]) -> Entry:
    numbers = data["numbers"]
    return Entry(
        **{
            **data,
            "notes": tuple(data["notes"]),
            "numbers": None if numbers is None else Numbers(**numbers),
        }
    )


def find(root: Path, reference: str) -> Comparison:
    """The comparison of a name, a unique beginning of one, a path, or `last`.

    Raises:
        RunError: when there is none, or several.
    """
    words = ("comparison", "tfpipe compare-models FILE")
    return read(find_directory(root, "comparisons", _FILE, reference, *words).path, root)
