"""The report of a run: its facts, its curves, and how each class did."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.evaluation.report.page import BLUE, INK, ORANGE, new_figure, render, scale_axis, svg
from tfpipe.training.reporting import SETTINGS, EpochRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfpipe.evaluation.classes import Confusion

_FULL = "#1668b0"  # of a class that is answered right throughout
_MOST_NUMBERS = 20  # more classes than this have colours alone
_MOST_NAMES = 60
_MOST_CURVES = 6


def run_report(
    name: str,
    pipeline: str,
    facts: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, float]],
    rows: Sequence[EpochRow],
    *,
    confusion: "Mapping[str, Confusion]" = MappingProxyType({}),
    notes: Sequence[str] = (),
) -> str:
    """Return the page of a trained run.

    Args:
        name: the run's.
        pipeline: the class that it trained.
        facts: what its header says: directory, data, model, device.
        metrics: the final ones, by split.
        rows: its epochs.
        confusion: how each class of the test split did, by output; the name of the only one is
            empty.
        notes: what a person must not overlook.
    """
    names = [n for n in dict.fromkeys(n for row in rows for n in row.metrics) if n not in SETTINGS]
    drawn = [n for n in names if not n.startswith("val_")][:_MOST_CURVES]
    classes: list[tuple[str, list[tuple[str, str, str, str]], Any]] = []
    for output, found in confusion.items():
        matrix = None
        if len(found.classes) <= _MOST_NUMBERS:
            title = f"Confusion matrix of {output} in the test split"
            title = title if output else "Confusion matrix of the test split"
            matrix = svg(title, confusion_figure, found)
        classes.append((output, found.rows(), matrix))
    return render(
        "run",
        name=name,
        kind="run",
        about=pipeline,
        notes=notes,
        facts=facts,
        metrics=metrics,
        metric_names=list(dict.fromkeys(n for split in metrics.values() for n in split)),
        curves=[svg(f"{n} over the epochs", curve_figure, n, rows) for n in drawn],
        epochs=rows,
        epoch_metrics=names,
        classes=classes,
    )


def curve_figure(metric: str, rows: Sequence[EpochRow]) -> "Figure":
    """Draw a metric over the epochs, in training and in validation.

    Args:
        metric: its name.
        rows: the epochs.
    """
    figure, axes = new_figure(3.9, 2.6, left=0.65, bottom=0.45)
    epochs = [row.epoch for row in rows]
    marker = "." if len(rows) < 30 else None
    for name, colour, label in (
        (metric, BLUE, "train"),
        (f"val_{metric}", ORANGE, "validation"),
    ):
        values = [row.metrics.get(name, math.nan) for row in rows]
        if any(map(math.isfinite, values)):
            axes.plot(epochs, values, marker=marker, color=colour, label=label, gid=label)
    if not axes.lines:
        raise ValueError("no epoch has a finite value")
    scale_axis(axes, "x", whole=True)
    axes.set(xlabel="epoch", ylabel=metric)
    axes.legend()
    return figure


def confusion_figure(confusion: "Confusion", title: str = "") -> "Figure":
    """Draw a confusion matrix: shares of each true class as colour, counts as numbers.

    Args:
        confusion: the counts.
        title: what it is of.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    count, longest = len(confusion.classes), max(map(len, confusion.classes))
    named = count <= _MOST_NAMES
    margin = 0.5 + (0.075 * min(longest, 30) if named else 0.2)
    side = margin + 0.4 + float(np.clip(0.5 * count, 2.0, 12.0))
    figure, axes = new_figure(side, side + 0.2, left=margin, bottom=margin)
    figure.subplots_adjust(top=1 - 0.4 / side)
    shares = confusion.matrix / np.maximum(confusion.matrix.sum(axis=1, keepdims=True), 1)
    strength = shares**0.6  # so that a class of which few are taken for another can be seen
    # Not imshow: a page that fetches nothing shows no image either. Transparent, so that no share
    # is the colour of the page, be it light or dark.
    places = np.arange(count)
    clear, full = (*to_rgb(_FULL), 0.0), (*to_rgb(_FULL), 1.0)
    colours = LinearSegmentedColormap.from_list("", [clear, full])
    axes.pcolormesh(places, places, strength, cmap=colours, vmin=0, vmax=1, shading="nearest")
    axes.grid(visible=False)
    axes.invert_yaxis()
    axes.set(title=title, xlabel="answered", ylabel="true", aspect="equal")
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    names = confusion.classes if named else []
    axes.set_xticks(places if named else [], names, **slanted)
    axes.set_yticks(places if named else [], names)
    if count <= _MOST_NUMBERS:
        for (row, column), cell in np.ndenumerate(confusion.matrix):
            colour = "white" if strength[row, column] > 0.6 else INK
            axes.text(column, row, f"{cell:,}", ha="center", va="center", color=colour)
    return figure
