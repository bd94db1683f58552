"""`tfpipe runs show`: what there is to say of one run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfpipe.errors import RunError
from tfpipe.runs.directory import RunDirectory, find_run
from tfpipe.training.metrics_file import read_rows
from tfpipe.training.reporting import SETTINGS, EpochRow, higher_is_better
from tfpipe.verbs.runs.summary import RunSummary, summary


@dataclass(frozen=True)
class RunDetails:
    """A run.

    Args:
        summary: what stands in one line.
        rows: its epochs.
        monitor: what the best epoch is judged by.
        best_epoch: the epoch whose model is kept; None where that is not known.
        phases: the first and the last epoch of each phase; one for a training in one.
        report: its page; None where it has none.
        forked_from: the run that it goes on from, and after which epoch; None for none.
    """

    summary: RunSummary
    rows: Sequence[EpochRow]
    monitor: str
    best_epoch: int | None
    phases: Sequence[tuple[int, int]]
    report: Path | None
    forked_from: Mapping[str, Any] | None

    @property
    def curves(self) -> dict[str, list[float]]:
        """The values of each metric, one an epoch, by its name; not finite where it has none."""
        names = dict.fromkeys(name for row in self.rows for name in row.metrics)
        return {
            name: [row.metrics.get(name, math.nan) for row in self.rows]
            for name in names
            if name not in SETTINGS
        }

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            **asdict(self.summary),
            "monitor": self.monitor,
            "best_epoch": self.best_epoch,
            "phases": [list(phase) for phase in self.phases],
            "report": None if self.report is None else str(self.report),
            "forked_from": self.forked_from,
            "curves": {
                name: [value if math.isfinite(value) else None for value in values]
                for name, values in self.curves.items()
            },
        }


def show(reference: str, *, root: str | Path = ".") -> RunDetails:
    """Return what there is to say of a run.

    Args:
        reference: its name, a unique beginning of it, its path, or "last".
        root: the folder that holds runs/.

    Raises:
        RunError: for no such run, or one whose status cannot be read.
    """
    return details(find_run(Path(root), reference))


def details(run: RunDirectory) -> RunDetails:
    """Return what there is to say of a run; raises RunError where its status cannot be read."""
    about = summary(run)
    try:
        config = run.read_json("config.json")
    except RunError:
        config = {}
    rows = read_rows(run.metrics_file, about.epoch)
    monitor = _monitor(config, rows)
    report = run.report / "report.html"
    return RunDetails(
        about,
        rows,
        monitor,
        best_epoch(rows, monitor),
        _phases(rows),
        report if report.is_file() else None,
        config.get("forked_from"),
    )


def best_epoch(rows: Sequence[EpochRow], monitor: str) -> int | None:
    """Return the first epoch with the best value of a metric; None where none has a finite one."""
    sign = 1.0 if higher_is_better(monitor) else -1.0
    values = [(sign * row.metrics.get(monitor, math.nan), -row.epoch) for row in rows]
    known = [pair for pair in values if math.isfinite(pair[0])]
    return -max(known)[1] if known else None


def _monitor(config: Mapping[str, Any], rows: Sequence[EpochRow]) -> str:
    """Return what the best model was chosen by, as the run's declaration says it."""
    declared = config.get("fields", {}).get("callbacks", {}).get("value") or ()
    for callback in declared:
        if isinstance(callback, dict) and callback.get("call", "").endswith(".EarlyStopping"):
            given = callback.get("args") or ()
            return str(callback.get("monitor", given[0] if given else "val_loss"))
    # A detector is known by its mean average precision, where there is validation.
    usual = ("val_map50", "val_loss")
    return next((n for n in usual if any(n in row.metrics for row in rows)), "loss")


def _phases(rows: Sequence[EpochRow]) -> list[tuple[int, int]]:
    phases: dict[float, list[int]] = {}
    for row in rows:
        phases.setdefault(row.metrics.get("phase", 1.0), []).append(row.epoch)
    return [(epochs[0], epochs[-1]) for epochs in phases.values()]
