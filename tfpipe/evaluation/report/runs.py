"""The page of runs side by side: the verdict, metrics and curves of all, and what differs."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tfpipe.evaluation.report.page import COLOURS, INK, new_figure, render, scale_axis
from tfpipe.evaluation.report.sections import Drawing, Section, render_sections
from tfpipe.runs.differences import Difference
from tfpipe.training.reporting import SETTINGS, EpochRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CURVES = 6
_HEADS = ("", "run", "state", "epochs", "parameters", "time")


def runs_page(
    names: Sequence[str],
    facts: Sequence[Sequence[str]],
    curves: Mapping[str, Sequence[EpochRow]],
    differences: Mapping[str, Sequence[Difference]],
    *,
    verdict: Sequence[str] = (),
    notes: Sequence[str] = (),
    same_data: str = "",
) -> str:
    """Return the page that compares runs.

    Args:
        names: the runs'.
        facts: of each its letter, name, state, epochs, parameters and time.
        curves: the epochs of each by its letter.
        differences: what differs, under its heading: "Metrics" first.
        verdict: sentences on which is better.
        notes: what a person must not overlook.
        same_data: the data in words, where nothing in it differs.
    """
    drawn = curve_metrics(curves)
    section = Section(
        "",
        "Epochs",
        drawings=tuple(
            Drawing(f"curves_{name}", f"{name} of all runs", partial(curves_figure, name, curves))
            for name in drawn
        ),
    )
    return render(
        "runs",
        name=" and ".join(names) if len(names) == 2 else f"{len(names)} runs",
        kind="runs",
        about="What differs between them, and which is better.",
        heads=_HEADS,
        facts=facts,
        letters=[*curves],
        differences=differences,
        verdict=verdict,
        notes=notes,
        same_data=same_data,
        curves=render_sections([section] if drawn else []),
    )


def curves_figure(metric: str, curves: Mapping[str, Sequence[EpochRow]]) -> "Figure":
    """Draw a metric of several runs over their epochs, a colour a run; dashed in training.

    Args:
        metric: its name.
        curves: the epochs of each run by its letter.
    """
    figure, axes = new_figure(3.9, 2.8, left=0.65, bottom=0.45)
    _draw_curves(axes, metric, curves)
    if len(axes.lines) <= 8:
        axes.legend(fontsize=7)
    return figure


def all_curves_figure(curves: Mapping[str, Sequence[EpochRow]], names: Sequence[str]) -> "Figure":
    """Draw all metrics of several runs in one figure, as `curves_figure` does each.

    Args:
        curves: the epochs of each run by its letter.
        names: what each run is called in the legend, in the same order.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    metrics = curve_metrics(curves)
    columns = min(len(metrics), 2)
    lines = -(-len(metrics) // columns)
    below = 0.15 + 0.2 * (len(names) + 2)  # inches: the legend
    height = 3.0 * lines + below
    figure = Figure(figsize=(4.2 * columns, height))
    figure.subplots_adjust(
        0.65 / (4.2 * columns), below / height + 0.45 / height, 0.98, 1 - 0.15 / height, 0.25, 0.35
    )
    panels = figure.subplots(lines, columns, squeeze=False).flat
    for axes, metric in zip(panels, metrics, strict=False):
        _draw_curves(axes, metric, curves)
    for axes in list(panels)[len(metrics) :]:
        axes.set_axis_off()
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(names))]
    keys = [Line2D([], [], color=c, label=n) for c, n in zip(colours, names, strict=True)]
    keys += [Line2D([], [], color=INK, label="validation")]
    keys += [Line2D([], [], color=INK, linestyle="--", label="train")]
    figure.legend(handles=keys, loc="lower left", fontsize=8)
    return figure


def curve_metrics(curves: Mapping[str, Sequence[EpochRow]]) -> list[str]:
    """Return which metrics of some runs' epochs are drawn.

    Args:
        curves: the epochs of each run by its letter.
    """
    metrics = dict.fromkeys(n for rows in curves.values() for row in rows for n in row.metrics)
    return [n for n in metrics if n not in SETTINGS and not n.startswith("val_")][:_MOST_CURVES]


def _draw_curves(axes: "Axes", metric: str, curves: Mapping[str, Sequence[EpochRow]]) -> None:
    for place, (letter, rows) in enumerate(curves.items()):
        for name, style, label in (
            (f"val_{metric}", "-", f"{letter} validation"),
            (metric, "--", f"{letter} train"),
        ):
            values = [row.metrics.get(name, math.nan) for row in rows]
            if any(map(math.isfinite, values)):
                marker = "." if len(rows) < 30 else None
                axes.plot(
                    [row.epoch for row in rows],
                    values,
                    style,
                    marker=marker,
                    color=COLOURS[place % len(COLOURS)],
                    label=label,
                    gid=label,
                )
    if not axes.lines:
        raise ValueError("no epoch has a finite value")
    scale_axis(axes, "x", whole=True)
    scale_axis(axes, "y")
    axes.set(xlabel="epoch", ylabel=metric)
