"""The page of runs side by side: the verdict, metrics and curves of all, and what differs."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tfpipe.evaluation.report.page import COLOURS, new_figure, render, scale_axis
from tfpipe.evaluation.report.sections import Drawing, Section, render_sections
from tfpipe.runs.differences import Difference
from tfpipe.training.reporting import SETTINGS, EpochRow

if TYPE_CHECKING:
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
    metrics = dict.fromkeys(n for rows in curves.values() for row in rows for n in row.metrics)
    drawn = [n for n in metrics if n not in SETTINGS and not n.startswith("val_")][:_MOST_CURVES]
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
    axes.set(xlabel="epoch", ylabel=metric)
    if len(axes.lines) <= 8:
        axes.legend(fontsize=7)
    return figure
