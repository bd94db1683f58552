"""table.csv: a row for each trial of a search, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfpipe.storage import write_whole
from tfpipe.training.metrics_file import read_rows
from tfpipe.training.reporting import EpochRow
from tfpipe.tuning.dimension import dimensions_of
from tfpipe.tuning.store import Search, Trial

_FIRST = ("trial", "state", "rank")
_LAST = ("trained_epochs", "seconds", "attempts", "worker", "run", "kind", "reason", "overrides")


def write_table(search: Search) -> None:
    """Write table.csv: the trials in the order in which they were made.

    Its columns are the trial, its state and rank, the objective and its epoch, the ranges, the
    metrics of that epoch, and what the trial took. A range or a metric whose name another column
    has stands as `value.NAME` or `metric.NAME`.

    Args:
        search: which.

    Raises:
        StorageError: when it cannot be written.
    """
    trials, ranked = search.trials(), [t.id for t in search.completed()]
    objective = search.options.objective
    ranges, metrics = _columns(search, trials)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([*_FIRST, objective, "epoch", *ranges, *metrics, *_LAST])
    for t in trials:
        first = [t.id, t.state, ranked.index(t.id) + 1 if t.id in ranked else None]
        values = [t.values.get(name) for name in ranges.values()]
        measured = [t.metrics.get(name) for name in metrics.values()]
        took = [len(epochs_of(search, t)), round(t.seconds, 3), t.attempts, t.worker, t.run]
        last = [t.kind, " ".join(t.reason.split()), " ".join(t.overrides)]
        writer.writerow([*first, t.objective, t.epoch, *values, *measured, *took, *last])
    write_whole(search.directory.path / "table.csv", stream.getvalue().encode())


def epochs_of(search: Search, trial: Trial) -> list[EpochRow]:
    """The epochs that a trial itself has trained, not those of a trial that it goes on with."""
    return [r for r in run_of(search, trial) if r.epoch > trial.first_epoch]


def run_of(search: Search, trial: Trial) -> list[EpochRow]:
    """The epochs of a trial, with those of the trials that it goes on with."""
    file = search.run(trial).metrics_file
    try:
        status = file.stat()
    except OSError:  # it has not trained yet
        return []
    return [r for r in _rows(file, status.st_mtime_ns, status.st_size) if r.epoch <= trial.epochs]


@lru_cache(maxsize=1024)
def _rows(file: Path, changed: int, size: int) -> tuple[EpochRow, ...]:
    """The rows of a file, which is read again once it has changed."""
    return tuple(read_rows(file, 0))


def _columns(search: Search, trials: Iterable[Trial]) -> tuple[dict[str, str], dict[str, str]]:
    """The columns of the ranges and of the metrics, each with the name behind it."""
    objective = search.options.objective
    taken = {*_FIRST, *_LAST, objective, "epoch"}
    ranges = _named((d.name for d in dimensions_of(search.space)), taken, "value")
    known: dict[str, Any] = {name: None for trial in trials for name in trial.metrics}
    known.pop(objective, None)
    return ranges, _named(known, taken, "metric")


def _named(names: Iterable[str], taken: set[str], kind: str) -> dict[str, str]:
    columns = {name if name not in taken else f"{kind}.{name}": name for name in names}
    taken.update(columns)
    return columns
