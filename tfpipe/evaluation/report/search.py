"""The figures of a search's report: the objective over trials, and against each range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfpipe.evaluation.report.page import BLUE, GREY, INK, ORANGE, label_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Scale:
    """The part of the objective's axis that is worth drawing.

    Args:
        low: its lower end.
        high: its upper end.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    log: bool = False

    def clip(self, value: float) -> float:
        """A value, or the end beyond which it lies."""
        return min(max(value, self.low), self.high)

    def apply(self, axes: Any) -> None:
        """Have the vertical axis of a figure show it."""
        if self.log:
            axes.set_yscale("log")
        axes.set_ylim(self.low, self.high)


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
    trials: Sequence[Scored], objective: str, scale: Scale, *, rising: bool
) -> "Figure":
    """Draw the objective of each trial, and the best so far.

    Args:
        trials: in the order in which they were made.
        objective: its name.
        scale: what the axis shows; points beyond are drawn at its edge.
        rising: whether more is better.
    """
    figure, axes = new_figure(8.5, 3.2)
    best, line = None, []
    for trial in trials:
        if best is None or (trial.value > best if rising else trial.value < best):
            best = trial.value
        line.append(scale.clip(best))
    numbers = [trial.number for trial in trials]
    axes.step(numbers, line, where="post", color=ORANGE, linewidth=1.3, zorder=2)
    _points(axes, numbers, trials, scale)
    axes.xaxis.get_major_locator().set_params(integer=True)
    label_axes(axes, "trial", objective)
    scale.apply(axes)
    return figure


def against(
    places: Sequence[float],
    trials: Sequence[Scored],
    scale: Scale,
    *,
    log: bool = False,
    labels: Sequence[str] = (),
) -> "Figure":
    """Draw the objective of trials against their values of a range.

    Args:
        places: their values; of a choice the number of the label, from 0.
        trials: the same trials.
        scale: what the axis of the objective shows.
        log: whether the range is logarithmic.
        labels: of a choice's values.
    """
    figure, axes = new_figure(4.2, 2.6)
    if labels:
        _labels(axes, places, trials, scale, labels)
        width = min(0.5, 12 / max(len(trials), 1))
        places = [p + width * ((7 * n % 11) / 11 - 0.5) for n, p in enumerate(places)]
    elif log:
        axes.set_xscale("log")
    _points(axes, places, trials, scale)
    scale.apply(axes)
    return figure


def learning_curves(
    curves: Sequence[tuple[str, Sequence[int], Sequence[float]]], objective: str
) -> "Figure":
    """Draw the objective of some trials over their epochs.

    Args:
        curves: of each trial its name, its epochs and what was measured after them.
        objective: its name.
    """
    figure, axes = new_figure(8.5, 3.2)
    for index, (name, epochs, values) in enumerate(curves):
        style = {"color": ORANGE, "linewidth": 2.0} if not index else {"linewidth": 1.2}
        axes.plot(epochs, values, marker="." if len(epochs) < 30 else None, label=name, **style)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    label_axes(axes, "epoch", objective)
    return figure


def _points(axes: Any, places: Sequence[float], trials: Sequence[Scored], scale: Scale) -> None:
    marks = {"points": ("o", 5, BLUE, BLUE), "stopped": ("o", 5, "none", BLUE)}
    marks["best"] = ("o", 8, ORANGE, ORANGE)
    groups: dict[str, list[tuple[float, float]]] = {name: [] for name in marks}
    for place, trial in zip(places, trials, strict=True):
        group = "best" if trial.best else "stopped" if trial.stopped else "points"
        groups[group].append((place, scale.clip(trial.value)))
    for name, (marker, size, face, edge) in marks.items():
        if groups[name]:
            x, y = zip(*groups[name], strict=True)
            style = {"marker": marker, "ms": size, "mfc": face, "mec": edge, "linestyle": ""}
            axes.plot(x, y, gid=name, zorder=4 if name == "best" else 3, **style)


def _labels(
    axes: Any,
    places: Sequence[float],
    trials: Sequence[Scored],
    scale: Scale,
    labels: Sequence[str],
) -> None:
    """Write a choice's values below the axis, and mark the median of each."""
    import statistics

    axes.set_xlim(-0.6, len(labels) - 0.4)
    short = [label if len(label) <= 14 else f"{label[:13]}…" for label in labels]
    slanted = {"rotation": 30, "ha": "right"} if sum(map(len, short)) > 36 else {}
    axes.set_xticks(range(len(labels)), short, **slanted)
    for number in range(len(labels)):
        values = [t.value for place, t in zip(places, trials, strict=True) if place == number]
        if values:
            middle = scale.clip(statistics.median(values))
            axes.hlines(middle, number - 0.3, number + 0.3, color=GREY, linewidth=2.5, zorder=1)
