"""The figures of a run's report."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.evaluation.report.page import (
    BLUE,
    COLOURS,
    GREY,
    INK,
    ORANGE,
    new_figure,
    scale_axis,
)
from tfpipe.evaluation.scores.calibration import Calibration
from tfpipe.evaluation.scores.classes import Curve
from tfpipe.training.reporting import EpochRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FULL = "#1668b0"  # of a class that is answered right throughout
_MOST_NUMBERS = 20  # more classes than this have colours alone
_SMALL = (3.9, 2.8)  # inches
_MOST_POINTS = 300  # of a curve


def curve_figure(
    metric: str, rows: Sequence[EpochRow], best: int | None = None, phases: Sequence[int] = ()
) -> "Figure":
    """Draw a metric over the epochs, in training and in validation.

    Args:
        metric: its name.
        rows: the epochs.
        best: the epoch whose weights are kept.
        phases: the first epoch of each phase after the first.
    """
    figure, axes = new_figure(*_SMALL, left=0.65, bottom=0.45)
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
    _mark_epochs(axes, best, phases)
    scale_axis(axes, "x", whole=True)
    axes.set(xlabel="epoch", ylabel=metric)
    axes.legend()
    return figure


def settings_figure(rows: Sequence[EpochRow], phases: Sequence[int] = ()) -> "Figure":
    """Draw the learning rate, and the share of time spent waiting for input, over the epochs."""
    figure, axes = new_figure(*_SMALL, left=0.85, bottom=0.45)
    epochs = [row.epoch for row in rows]
    rates = [row.metrics.get("learning_rate", math.nan) for row in rows]
    waits = [math.nan if row.input_wait is None else row.input_wait for row in rows]
    figure.subplots_adjust(right=1 - 0.65 / _SMALL[0])
    low, high = np.nanmin(rates), np.nanmax(rates)
    axes.plot(epochs, rates, color=BLUE, label="learning rate", gid="learning rate")
    log = low > 0 and high / low > 20
    scale_axis(axes, "y", None if high > low else (0.0, 2 * high or 1.0), log=log)
    axes.set(xlabel="epoch", ylabel="learning rate")
    other = axes.twinx()
    other.grid(visible=False)
    other.spines["right"].set_visible(True)
    other.plot(epochs, waits, color=ORANGE, linestyle="--", label="input wait", gid="input wait")
    scale_axis(other, "y", (0.0, 1.0), text=lambda v: f"{v:.0%}")
    _mark_epochs(axes, None, phases)
    scale_axis(axes, "x", whole=True)
    lines = [*axes.lines[:1], *other.lines]
    other.legend(lines, [str(line.get_label()) for line in lines])
    return figure


def _mark_epochs(axes: "Axes", best: int | None, phases: Sequence[int]) -> None:
    for start in phases:
        axes.axvline(start - 0.5, color=GREY, linewidth=0.8, linestyle=":", gid="phase")
    if best is not None:
        axes.axvline(best, color=GREY, linewidth=1.0, linestyle="--", label="best", gid="best")


def confusion_figure(classes: Sequence[str], matrix: np.ndarray, title: str = "") -> "Figure":
    """Draw a confusion matrix: shares of each true class as colour, counts as numbers.

    Args:
        classes: the class names.
        matrix: [true, answered] counts.
        title: what it is of.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    count, longest = len(classes), max(map(len, classes))
    margin = 0.5 + 0.075 * min(longest, 30)
    side = margin + 0.4 + float(np.clip(0.5 * count, 2.0, 12.0))
    figure, axes = new_figure(side, side + 0.2, left=margin, bottom=margin)
    figure.subplots_adjust(top=1 - 0.4 / side)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    strength = shares**0.6  # so that a class of which few are taken for another can be seen
    # Not imshow: vectors stay sharp. Transparent, so that no share is the colour of the page, be
    # it light or dark.
    places = np.arange(count)
    clear, full = (*to_rgb(_FULL), 0.0), (*to_rgb(_FULL), 1.0)
    colours = LinearSegmentedColormap.from_list("", [clear, full])
    axes.pcolormesh(places, places, strength, cmap=colours, vmin=0, vmax=1, shading="nearest")
    axes.grid(visible=False)
    axes.invert_yaxis()
    axes.set(title=title, xlabel="answered", ylabel="true", aspect="equal")
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(places, classes, **slanted)
    axes.set_yticks(places, classes)
    if count <= _MOST_NUMBERS:
        for (row, column), cell in np.ndenumerate(matrix):
            if not cell and count > 4:
                continue
            colour = "white" if strength[row, column] > 0.6 else INK
            text = f"{cell:,}" if count > 10 else f"{cell:,}\n{shares[row, column]:.0%}"
            size = 9 if count > 10 else 8
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
    return figure


def reliability_figure(found: Calibration) -> "Figure":
    """Draw how often answers of each confidence are right, beside what they promise."""
    figure, axes = new_figure(*_SMALL, left=0.65, bottom=0.45)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, gid="perfect")
    sizes = 12 + 120 * found.count / found.count.max()
    axes.scatter(found.confidence, found.right, s=sizes, color=BLUE, gid="bins", clip_on=False)
    axes.plot(found.confidence, found.right, color=BLUE, linewidth=1)
    for which in ("x", "y"):
        scale_axis(axes, which, (0.0, 1.0), text=lambda v: f"{v:.0%}")
    axes.set(xlabel="probability of the answer", ylabel="share that is right")
    return figure


def curves_figure(curves: Sequence[Curve], x: str, y: str, *, chance: bool = False) -> "Figure":
    """Draw curves over all thresholds, with the area under each.

    Args:
        curves: each with its name.
        x: what the horizontal axis is.
        y: what the vertical axis is.
        chance: whether to draw what guessing would give.
    """
    figure, axes = new_figure(*_SMALL, left=0.65, bottom=0.45)
    if chance:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, gid="chance")
    for index, curve in enumerate(curves):
        some = _thinned(len(curve.x))
        label = f"{curve.name} {curve.area:.3f}"
        colour = COLOURS[(index + 1) % len(COLOURS)]
        axes.plot(curve.x[some], curve.y[some], color=colour, label=label, linewidth=1.2)
    for which in ("x", "y"):
        scale_axis(axes, which, (-0.01, 1.01))
    axes.set(xlabel=x, ylabel=y)
    axes.legend(fontsize=7)
    return figure


def scatter_figure(true: np.ndarray, said: np.ndarray, name: str) -> "Figure":
    """Draw answers against what is true.

    Args:
        true: [rows].
        said: [rows], all of them numbers.
        name: what the numbers are.
    """
    figure, axes = new_figure(*_SMALL, left=0.75, bottom=0.45)
    ends = (float(min(true.min(), said.min())), float(max(true.max(), said.max())))
    room = 0.03 * (ends[1] - ends[0]) or 1.0
    axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, gid="equal")
    some = _thinned(len(true), 1500)
    axes.plot(true[some], said[some], "o", color=BLUE, ms=3, alpha=0.5, mec="none", gid="points")
    for which in ("x", "y"):
        scale_axis(axes, which, (ends[0] - room, ends[1] + room))
    axes.set(xlabel=f"true {name}", ylabel=f"answered {name}")
    return figure


def residuals_figure(residuals: np.ndarray, name: str) -> "Figure":
    """Draw how far answers are from the truth: how often, and to which side.

    Args:
        residuals: [rows] answer less truth.
        name: what the numbers are.
    """
    figure, axes = new_figure(*_SMALL, left=0.65, bottom=0.45)
    counts, edges = np.histogram(residuals, bins=min(40, max(5, int(len(residuals) ** 0.5))))
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, alpha=0.8)
    axes.axvline(0.0, color=GREY, linewidth=1)
    scale_axis(axes, "x")
    scale_axis(axes, "y", whole=True)
    axes.set(xlabel=f"{name}: answered less true", ylabel="samples")
    return figure


def horizons_figure(
    errors: Sequence[float], naive: Mapping[str, Sequence[float]] | None = None
) -> "Figure":
    """Draw the mean absolute error of forecasts by how far ahead they look.

    Args:
        errors: the model's.
        naive: those of forecasts that need no model, by name.
    """
    figure, axes = new_figure(*_SMALL, left=0.75, bottom=0.45)
    steps = range(1, len(errors) + 1)
    others = dict(naive or {})
    for (name, values), style in zip(others.items(), ("--", ":"), strict=False):
        axes.plot(steps, values, linestyle=style, color=GREY, label=name)
    axes.plot(steps, errors, marker=".", color=BLUE, gid="errors", label="the model")
    scale_axis(axes, "x", whole=True)
    highest = max(map(max, (errors, *others.values())))
    scale_axis(axes, "y", (0.0, 1.1 * highest or 1.0))
    axes.set(xlabel="steps ahead", ylabel="mean absolute error")
    if others:
        axes.legend()
    return figure


def forecast_figure(true: np.ndarray, said: np.ndarray, ahead: int) -> "Figure":
    """Draw the forecasts of one horizon over time, beside what came.

    Args:
        true: [samples] in order of time.
        said: [samples].
        ahead: how many steps ahead they look.
    """
    figure, axes = new_figure(9.6, 2.6, left=0.75, bottom=0.45)
    last = slice(max(0, len(true) - 400), None)
    places = np.arange(len(true))[last]
    axes.plot(places, true[last], color=GREY, linewidth=1.5, label="true")
    axes.plot(places, said[last], color=BLUE, linewidth=1.0, label=f"{ahead} ahead")
    axes.set(xlabel="sample", ylabel="value")
    axes.legend()
    return figure


def bars_figure(
    names: Sequence[str], values: Sequence[float], errors: Sequence[float] | None, x: str
) -> "Figure":
    """Draw named values as bars, the greatest first, with how sure they are.

    Args:
        names: of the bars.
        values: their lengths.
        errors: half the width of what each may be; None where they are counts.
        x: what they are.
    """
    longest = min(max(map(len, names)), 24)
    figure, axes = new_figure(
        4.2 + 0.075 * longest, 0.6 + 0.24 * len(names), left=0.3 + 0.075 * longest, bottom=0.45
    )
    places = range(len(names))
    axes.barh(places, values, xerr=errors, color=BLUE, ecolor=GREY, height=0.7)
    axes.set_yticks(places, [n if len(n) <= 24 else f"{n[:23]}…" for n in names])
    axes.invert_yaxis()
    axes.set(xlabel=x)
    return figure


def _thinned(size: int, most: int = _MOST_POINTS) -> np.ndarray:
    """The places of some of many points, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(int))
