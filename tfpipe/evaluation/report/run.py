"""The report of a run: its facts, its curves, and how each class did."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.evaluation.report.page import BLUE, INK, ORANGE, label_axes, new_figure, render, svg
from tfpipe.terminal import number
from tfpipe.training.reporting import SETTINGS, EpochRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfpipe.evaluation.classes import Confusion

MOST_NUMBERS = 20  # more classes than this have colours alone
_MOST_NAMES = 60
_MOST_CURVES = 6


def run_report(
    name: str,
    about: str,
    facts: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, float]],
    rows: Sequence[EpochRow],
    *,
    confusion: "Confusion | None" = None,
    notes: Sequence[str] = (),
) -> str:
    """Return the page of a finished run.

    Args:
        name: the run's.
        about: what it trained, in a line.
        facts: what its header says: directory, data, model, device.
        metrics: the final ones, by split.
        rows: its epochs.
        confusion: how each class of the test split did, where there are classes.
        notes: what a person must not overlook.
    """
    names = list(dict.fromkeys(n for split in metrics.values() for n in split))
    return render(
        "run",
        name=name,
        kind="run",
        state="finished",
        reason="",
        about=about,
        notes=notes,
        facts=list(facts.items()),
        metric_heads=("split", *names),
        metrics=[
            (split, *("" if n not in values else number(values[n]) for n in names))
            for split, values in metrics.items()
        ],
        curves=[svg(figure, f"{metric} over the epochs") for metric, figure in _curves(rows)],
        epoch_heads=("epoch", *_measured(rows), "seconds"),
        epochs=[
            (row.epoch, *(_cell(row.metrics.get(n)) for n in _measured(rows)), f"{row.seconds:.1f}")
            for row in rows
        ],
        classes=confusion.rows() if confusion else [],
        confusion=svg(confusion_figure(confusion, ""), "The confusion matrix of the test split")
        if confusion and len(confusion.classes) <= MOST_NUMBERS
        else None,
    )


def confusion_figure(confusion: "Confusion", title: str) -> "Figure":
    """Draw a confusion matrix: shares of each true class as colour, counts as numbers.

    Args:
        confusion: the counts.
        title: what it is of.
    """
    count = len(confusion.classes)
    side = float(np.clip(0.55 * count + 2.2, 3.6, 14.0))
    figure, axes = new_figure(side, side)
    axes.grid(visible=False)
    of = np.maximum(confusion.matrix.sum(axis=1, keepdims=True), 1)
    shares = confusion.matrix / of
    # Not imshow: a page that fetches nothing shows no image either.
    places = np.arange(count)
    axes.pcolormesh(places, places, shares, cmap="Blues", vmin=0.0, vmax=1.0, shading="nearest")
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.set_title(title, color=INK)
    label_axes(axes, "answered", "true")
    if count <= _MOST_NAMES:
        slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(count), confusion.classes, **slanted)
        axes.set_yticks(range(count), confusion.classes)
    if count <= MOST_NUMBERS:
        for (row, column), cell in np.ndenumerate(confusion.matrix):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{cell:,}", ha="center", va="center", color=colour)
    return figure


def png(figure: "Figure") -> bytes:
    """Return a figure as a PNG file, on white."""
    encoded = io.BytesIO()
    figure.patch.set_alpha(1.0)
    figure.savefig(encoded, format="png", dpi=120, facecolor="white")
    return encoded.getvalue()


def _measured(rows: Sequence[EpochRow]) -> list[str]:
    return list(dict.fromkeys(n for row in rows for n in row.metrics if n not in SETTINGS))


def _cell(value: float | None) -> str:
    return "" if value is None else number(value) if math.isfinite(value) else str(value)


def _curves(rows: Sequence[EpochRow]) -> "list[tuple[str, Figure]]":
    """A figure for each metric, training and validation on one plot, the best epoch marked."""
    figures = []
    for metric in [n for n in _measured(rows) if not n.startswith("val_")][:_MOST_CURVES]:
        figure, axes = new_figure(4.4, 2.8)
        for name, colour, label in (
            (metric, BLUE, "train"),
            (f"val_{metric}", ORANGE, "validation"),
        ):
            values: list[Any] = [row.metrics.get(name, math.nan) for row in rows]
            if any(map(math.isfinite, values)):
                epochs = [row.epoch for row in rows]
                axes.plot(epochs, values, marker="." if len(rows) < 30 else None, color=colour)
                axes.plot([], [], color=colour, label=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
        label_axes(axes, "epoch", metric)
        figures.append((metric, figure))
    return figures
