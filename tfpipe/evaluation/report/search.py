"""The figures of a search's report: the objective over trials, and against each range."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfpipe.evaluation.report.page import BLUE, COLOURS, GREY, ORANGE, new_figure, scale_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _SMALL = (9.6, 3.2), (3.6, 2.5)  # inches
_MOST_LABELS = 12  # of a choice's values, below an axis


@dataclass(frozen=True)
class Scale:
    """The part of an axis that is worth drawing.

    Args:
        low: its lower end.
        high: its upper end.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    log: bool = False

    def clip(self, value: float) -> float:
        """Return a value, or the end beyond which it lies."""
        return min(max(value, self.low), self.high)

    def share(self, value: float) -> float:
        """Return where a value lies between the ends, from 0 to 1."""
        low, high, at = self.low, self.high, self.clip(value)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low)


@dataclass(frozen=True)
class Scored:
    """A trial that counts.

    Args:
        number: where it stands among all trials, from 1.
        value: its objective.
        stopped: whether the median rule stopped it.
        best: whether it is the best of all.
    """

    number: int
    value: float
    stopped: bool = False
    best: bool = False


def over_trials(
    trials: Sequence[Scored],
    failed: Sequence[int],
    objective: str,
    scale: Scale,
    *,
    rising: bool,
) -> "Figure":
    """Draw the objective of each trial, the best so far, and which trials failed.

    Args:
        trials: in the order in which they were made.
        failed: the numbers of those that failed.
        objective: its name.
        scale: what the axis shows; points beyond are drawn at its edge.
        rising: whether more is better.
    """
    figure, axes = new_figure(*_WIDE)
    best, line = trials[0].value, []
    for trial in trials:
        best = max(best, trial.value) if rising else min(best, trial.value)
        line.append(scale.clip(best))
    numbers = [trial.number for trial in trials]
    axes.step(numbers, line, where="post", color=ORANGE, linewidth=1.3, zorder=2)
    _points(axes, numbers, trials, scale)
    height, at_the_bottom = [0.03] * len(failed), axes.get_xaxis_transform()
    axes.plot(failed, height, "x", color=GREY, transform=at_the_bottom, gid="failed")
    last = max(numbers + list(failed))
    scale_axis(axes, "x", (0.5, last + 0.5), whole=True)
    scale_axis(axes, "y", (scale.low, scale.high), log=scale.log)
    axes.set(xlabel="trial", ylabel=objective)
    return figure


def against(
    places: Sequence[float],
    trials: Sequence[Scored],
    scale: Scale,
    *,
    ends: Scale | None = None,
    labels: Sequence[str] = (),
) -> "Figure":
    """Draw the objective of trials against their values of a range.

    Args:
        places: their values; of a choice the number of the label, from 0.
        trials: the same trials.
        scale: what the axis of the objective shows.
        ends: of a range of numbers; None of a choice.
        labels: of a choice's values; empty of a range of numbers.
    """
    names = [_cut(label, 14) for label in labels]
    slanted = sum(map(len, names)) > 28
    bottom = 0.3 + 0.045 * max(map(len, names)) if slanted else 0.3
    figure, axes = new_figure(*_SMALL, left=0.6, bottom=bottom)
    if ends is not None:
        room = (ends.high / ends.low) ** 0.03 if ends.log else 0.03 * (ends.high - ends.low)
        low, high = ends.low, ends.high
        wider = (low / room, high * room) if ends.log else (low - room, high + room)
        scale_axis(axes, "x", wider, log=ends.log)
    else:
        some = slice(None, None, math.ceil(len(names) / _MOST_LABELS))
        axes.set_xticks(range(len(names))[some], names[some])
        if slanted:
            axes.tick_params("x", rotation=30)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.6, len(names) - 0.4)
        for number in range(len(names)):
            values = [t.value for place, t in zip(places, trials, strict=True) if place == number]
            if values:
                middle = scale.clip(statistics.median(values))
                axes.hlines(middle, number - 0.3, number + 0.3, color=GREY, linewidth=2.5)
        # Beside each other, so that equal values are told apart.
        places = [p + 0.4 * ((7 * n % 11) / 11 - 0.5) for n, p in enumerate(places)]
    _points(axes, places, trials, scale)
    scale_axis(axes, "y", (scale.low, scale.high), log=scale.log)
    return figure


def parallel(
    names: Sequence[str],
    ticks: Sequence[Sequence[tuple[float, str]]],
    lines: Sequence[Sequence[float | None]],
) -> "Figure":
    """Draw a line for each trial, through its values of the ranges to its objective.

    Args:
        names: of the ranges, and of the objective last.
        ticks: of each of them what stands beside its axis: a share of its length, and a text.
        lines: of each trial, the best first, the shares of the axes at which it meets them; None
            where it has no such value.
    """
    figure, axes = new_figure(max(1.15 * len(names), 5.0), 3.4, left=0.15, bottom=0.4)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for rank, shares in reversed(list(enumerate(lines))):
        heights = [-0.12 if share is None else share for share in shares]
        if rank:
            axes.plot(heights, color=BLUE, linewidth=0.8, alpha=0.75 - 0.6 * rank / len(lines))
        else:
            axes.plot(heights, color=ORANGE, linewidth=2.0, gid="best")
    for place, labels in enumerate(ticks):
        axes.vlines(place, 0, 1, color=GREY, linewidth=0.8)
        for share, text in labels[:: math.ceil(len(labels) / _MOST_LABELS)]:
            axes.text(place + 0.04, share, _cut(text, 12), va="center", fontsize=8)
    axes.set_xticks(range(len(names)), [_cut(name.rpartition(".")[2], 15) for name in names])
    axes.set_yticks([])
    axes.set(xlim=(-0.3, len(names) - 0.4), ylim=(-0.16, 1.05))
    return figure


def learning_curves(
    curves: Sequence[tuple[str, Sequence[int], Sequence[float]]], objective: str
) -> "Figure":
    """Draw the objective of some trials over their epochs.

    Args:
        curves: of each trial its name, its epochs and what was measured after them.
        objective: its name.
    """
    figure, axes = new_figure(*_WIDE)
    for index, (name, epochs, values) in enumerate(curves):
        (line,) = axes.plot(epochs, values, color=COLOURS[index % len(COLOURS)], label=name)
        line.set(linewidth=1.2 if index else 2.2, zorder=9 - index)
        line.set_marker("." if len(epochs) < 30 else "")
    scale_axis(axes, "x", whole=True)
    axes.set(xlabel="epoch", ylabel=objective)
    axes.legend()
    return figure


def _points(axes: "Axes", places: Sequence[float], trials: Sequence[Scored], scale: Scale) -> None:
    marks = {"points": (5, BLUE, BLUE), "stopped": (5, "none", BLUE), "best": (8, ORANGE, ORANGE)}
    groups: dict[str, list[tuple[float, float]]] = {name: [] for name in marks}
    for place, trial in zip(places, trials, strict=True):
        group = "best" if trial.best else "stopped" if trial.stopped else "points"
        groups[group].append((place, scale.clip(trial.value)))
    for name, (size, face, edge) in marks.items():
        if groups[name]:
            x, y = zip(*groups[name], strict=True)
            (drawn,) = axes.plot(x, y, "o", ms=size, mfc=face, mec=edge, gid=name, clip_on=False)
            drawn.set_zorder(4 if name == "best" else 3)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
