"""What a search over networks compares: a row for each, and figures of accuracy, size and time."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfpipe.evaluation.report.comparison import Point, figures_of, pictures_of
from tfpipe.models.pretrained.contracts import CONTRACTS
from tfpipe.storage import read_small, write_whole
from tfpipe.text import byte_size, clock
from tfpipe.tuning.store import Search, Trial
from tfpipe.tuning.table import run_of

COLUMNS = (
    *("network", "val acc", "parameters", "trained", "step ms", "time", "features", "training"),
    *("base/s", "later/s", "memory"),
)
LEGEND = (
    "Step: the median of all but the first ones; with features, a batch through the base and a "
    "step of the head together. base/s, later/s: images a second through the base, and in the "
    "epochs after the first. Memory: the most that the network's own process held."
)


@dataclass(frozen=True)
class Network:
    """What was measured of a network.

    Args:
        network: its name in keras.applications.
        trial: the number of its trial.
        accuracy: on the validation split, of the best epoch.
        epoch: which epoch that is, from 1.
        parameters: of the whole model.
        trainable_parameters: those of them that were trained.
        step_seconds: a training step through the base; None where it was not measured.
        seconds: all of it, from starting TensorFlow to the end.
        features_seconds: running the base over all samples once; None where it was trained through
            the base.
        training_seconds: the epochs, validation included.
        images_per_second_base: through the base.
        images_per_second_later: in the epochs after the first, where there are any.
        peak_bytes: the most memory that the network's process has held; 0 where nobody knows.
    """

    network: str
    trial: str
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

    def cells(self) -> tuple[str, ...]:
        """The row in the table of COLUMNS."""
        step, base = self.step_seconds, self.images_per_second_base
        return (
            self.network,
            f"{self.accuracy:.4f}",
            f"{self.parameters:,}",
            f"{self.trainable_parameters:,}",
            "?" if step is None else f"{1000 * step:,.1f}",
            clock(self.seconds),
            "" if self.features_seconds is None else f"{self.features_seconds:.1f} s",
            f"{self.training_seconds:.1f} s",
            "" if base is None else f"{base:,.0f}",
            f"{self.images_per_second_later:,.0f}",
            byte_size(self.peak_bytes) if self.peak_bytes else "?",
        )


def networks(search: Search) -> list[Network]:
    """The networks that were trained to their end, the best first."""
    return [_network(search, trial) for trial in search.completed()]


def write_comparison(search: Search) -> None:
    """Write the rows of a comparison into its search's folder."""
    search.directory.write_json("comparison.json", [asdict(row) for row in networks(search)])


def write_pictures(search: Search) -> None:
    """Write the figures of a comparison into its search's folder, as PNG."""
    for file, data in pictures_of(_points(networks(search)), search.directory.path.parent.name):
        write_whole(search.directory.path / file, data)


def in_report(search: Search) -> dict[str, Any]:
    """What the page of a comparison shows besides that of its search."""
    rows = networks(search)
    return {
        "network_heads": COLUMNS,
        "networks": [row.cells() for row in rows],
        "figures": figures_of(_points(rows)),
        "legend": LEGEND,
        "saving": saving(rows),
    }


def _points(rows: Sequence[Network]) -> list[Point]:
    return [
        Point(
            row.network,
            CONTRACTS[row.network].family if row.network in CONTRACTS else row.network,
            row.accuracy,
            row.parameters,
            row.step_seconds,
        )
        for row in rows
    ]


def saving(rows: list[Network]) -> str:
    """What computing the features once saved, in a sentence; empty where there were none."""
    cached = [row for row in rows if row.features_seconds is not None]
    faster = sorted(
        row.images_per_second_later / row.images_per_second_base
        for row in cached
        if row.images_per_second_base
    )
    if not faster:
        return ""
    spent = sum(row.features_seconds or 0.0 for row in cached)
    trained = sum(row.training_seconds for row in cached)
    low, high = (f"{r:,.0f}" if r >= 10 else f"{r:.1f}" for r in (faster[0], faster[-1]))
    return (
        f"The bases ran once, in {clock(spent)}; training on their features took {clock(trained)}. "
        f"Each further epoch trains {low} to {high} times as many images a second as the base "
        "answers."
    )


def _network(search: Search, trial: Trial) -> Network:
    run, rows = search.run(trial), run_of(search, trial)
    steps: dict[str, Any] = read_small(run.path / "steps.json")
    features: dict[str, Any] = read_small(run.path / "features.json")
    later = statistics.median(row.examples_per_second for row in rows[1:] or rows)
    step: float | None = steps.get("step_seconds")
    base: float | None = later
    if features:
        batch = features["batch_seconds"]
        step = None if step is None or batch is None else step + batch
        size = run.read_json("config.json")["pipeline"]["batch_size"]
        base = size / batch if batch else None
    assert trial.objective is not None
    assert trial.epoch is not None
    return Network(
        network=str(trial.values["model"]),
        trial=trial.id,
        accuracy=trial.objective,
        epoch=trial.epoch,
        parameters=run.status().parameters,
        trainable_parameters=steps.get("trainable_parameters", 0),
        step_seconds=step,
        seconds=trial.seconds,
        features_seconds=features.get("seconds"),
        training_seconds=sum(row.seconds for row in rows),
        images_per_second_base=base,
        images_per_second_later=later,
        peak_bytes=trial.peak,
    )
