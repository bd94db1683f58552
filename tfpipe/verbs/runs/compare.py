"""`tfpipe runs compare`: what differs between runs, and which is better by more than chance."""

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tfpipe.errors import ConfigError
from tfpipe.jobs.records import read_records
from tfpipe.runs.differences import (
    Difference,
    code_differences,
    data_differences,
    data_summary,
    declared_differences,
    environment_differences,
    labels_differ,
    metric_differences,
)
from tfpipe.runs.directory import find_run
from tfpipe.storage import storage, write_whole
from tfpipe.text import clock, counted, listed
from tfpipe.training.reporting import EpochRow, higher_is_better
from tfpipe.verbs.runs.details import RunDetails, details
from tfpipe.verbs.runs.removal import COMPARISONS
from tfpipe.verbs.runs.scores import Score, compare_scores


@dataclass(frozen=True)
class RunComparison:
    """What differs between runs.

    Args:
        letters: what they are called in the tables: A, B, ...
        runs: the runs.
        declaration: the fields and the code that differ.
        data: what differs in the data.
        same_data: the data in words, where nothing differs.
        environment: what differs in versions, device and precision, and the times.
        metrics: the last ones by split, the best marked.
        scores: each run against the first one, by output.
        notes: what a person must not overlook.
    """

    letters: Sequence[str]
    runs: Sequence[RunDetails]
    declaration: Sequence[Difference]
    data: Sequence[Difference]
    same_data: str
    environment: Sequence[Difference]
    metrics: Sequence[Difference]
    scores: Sequence[Score]
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        parts = ("declaration", "data", "environment", "metrics")
        return {
            "runs": {
                letter: run.to_json() for letter, run in zip(self.letters, self.runs, strict=True)
            },
            **{
                part: [found.to_json(self.letters) for found in getattr(self, part)]
                for part in parts
            },
            "scores": [score.to_json() for score in self.scores],
            "notes": list(self.notes),
        }

    @property
    def curves(self) -> dict[str, Sequence[EpochRow]]:
        """The epochs of each run by its letter."""
        return {letter: run.rows for letter, run in zip(self.letters, self.runs, strict=True)}

    def html(self) -> str:
        """Return the page, in one file that opens offline."""
        from tfpipe.evaluation.report.runs import runs_page

        facts = [
            (
                letter,
                run.summary.name,
                run.summary.state,
                f"{run.summary.epoch}",
                f"{run.summary.parameters:,}",
                clock(run.summary.seconds),
            )
            for letter, run in zip(self.letters, self.runs, strict=True)
        ]
        return runs_page(
            [run.summary.name for run in self.runs],
            facts,
            self.curves,
            {
                "Metrics": self.metrics,
                "Declaration": self.declaration,
                "Data": self.data,
                "Environment": self.environment,
            },
            verdict=[score.verdict for score in self.scores],
            notes=self.notes,
            same_data=self.same_data,
        )

    def write(self, root: str | Path = ".", file: Path | None = None) -> Path:
        """Write the page, whole or not at all, and return where.

        Args:
            root: the folder that holds runs/.
            file: where; a file of runs/comparisons/ that bears the runs' names when None.

        Raises:
            StorageError: when it cannot be written.
        """
        if file is None:
            names = [run.summary.name.replace("/", "-") for run in self.runs]
            shown = "_".join(names[:3]) + (f"_and_{len(names) - 3}_more" if names[3:] else "")
            file = Path(root) / "runs" / COMPARISONS / f"{shown}.html"
        with storage(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, self.html().encode())
        return file

    def write_figure(self, file: Path) -> Path:
        """Draw the curves of all runs in one figure, and return its file.

        Args:
            file: where; a PNG or an SVG by its ending.

        Raises:
            ConfigError: for another ending, or where no run has finished an epoch.
            StorageError: when it cannot be written.
        """
        from tfpipe.evaluation.report.page import drawn
        from tfpipe.evaluation.report.runs import all_curves_figure, curve_metrics

        ending = file.suffix.lstrip(".").lower()
        if ending not in ("png", "svg"):
            raise ConfigError(
                "A figure is a PNG or an SVG: name it so that it ends in .png or .svg, not "
                f"{file.name}."
            )
        if not curve_metrics(self.curves):
            raise ConfigError("None of the runs has finished an epoch: there are no curves.")
        names = [
            f"{letter}  {run.summary.name.partition('/')[0]}"
            for letter, run in zip(self.letters, self.runs, strict=True)
        ]
        shown, files = drawn(
            "curves of all runs", partial(all_curves_figure, self.curves, names), True
        )
        if not files:
            raise ConfigError(str(shown))
        with storage(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, files[ending])
        return file


def compare(references: Iterable[str], *, root: str | Path = ".") -> RunComparison:
    """Return what differs between runs, and whether scores differ by more than chance.

    Args:
        references: two or more names, unique beginnings of them, paths, or "last".
        root: the folder that holds runs/.

    Raises:
        ConfigError: for fewer than two runs.
        RunError: for no such run, or one whose records cannot be read.

    Example:
        print(compare(["churn_mlp/20261127-101502", "last"]).scores[0].verdict)
    """
    root, references = Path(root), list(references)
    directories = list(
        {r.path.resolve(): r for r in (find_run(root, n) for n in references)}.values()
    )
    if len(directories) < 2:
        raise ConfigError(
            f"{counted(len(directories), 'run')} to compare: name two or more that are not the "
            "same, such as tfpipe runs compare churn_mlp/20261127 last"
        )
    runs = [details(run) for run in directories]
    configs, environments = zip(*map(read_records, directories), strict=True)
    letters = [*string.ascii_uppercase[: len(runs)]]
    letters += [f"R{place + 1}" for place in range(len(letters), len(runs))]
    apart = labels_differ(configs, letters)
    notes = [apart] if apart else []
    notes += _generated(configs, letters)
    scores: list[Score] = []
    if not apart:
        scores, more = compare_scores(directories, configs, letters)
        notes += more
    data = data_differences(configs)
    return RunComparison(
        letters,
        runs,
        [*declared_differences(configs), *code_differences(directories, configs)],
        data,
        "" if data else data_summary(configs[0]),
        [*environment_differences(environments), *_times(runs)],
        metric_differences(
            [run.summary.metrics for run in runs],
            None if apart else _comparable(runs, configs),
        ),
        scores,
        notes,
    )


def _generated(configs: Sequence[Mapping[str, Any]], letters: Sequence[str]) -> list[str]:
    generated = [letter for letter, c in zip(letters, configs, strict=True) if c["sample"]]
    if not generated:
        return []
    return [f"Trained on generated data, which says nothing of the real: {listed(generated)}."]


def _times(runs: Sequence[RunDetails]) -> list[Difference]:
    """How long the runs took, the fastest marked."""
    found: list[Difference] = []
    for name, values in (
        ("seconds", [run.summary.seconds for run in runs]),
        ("seconds an epoch", [_mean([row.seconds for row in run.rows]) for run in runs]),
        ("examples/s", [_mean([row.examples_per_second for row in run.rows]) for run in runs]),
    ):
        best = max(values) if name == "examples/s" else min(values)
        places = [i for i, v in enumerate(values) if v == best] if len(set(values)) > 1 else []
        found.append(Difference(name, tuple(values), tuple(places), measured=True))
    return found


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0


def _comparable(
    runs: Sequence[RunDetails], configs: Sequence[Mapping[str, Any]]
) -> dict[str, bool]:
    """Return whether metrics are better the higher they are; losses only where all are the same."""
    names = {n for run in runs for found in run.summary.metrics.values() for n in found}
    losses = [
        [config["fields"].get(field, {}).get("value") for field in ("loss", "loss_weights")]
        for config in configs
    ]
    same = all(loss == losses[0] for loss in losses)
    return {n: higher_is_better(n) for n in names if same or not n.endswith("loss")}
