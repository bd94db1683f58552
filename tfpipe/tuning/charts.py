"""The charts of a search's report, as SVG.

Whatever stands for a trial has `data-t` with the trial's number, by which report.js finds it.
"""

import math
from collections.abc import Iterator, Sequence
from html import escape
from statistics import median

from tfpipe.declare.hp import Float, Int
from tfpipe.text import brief
from tfpipe.training.reporting import EpochRow
from tfpipe.tuning.dimension import Dimension
from tfpipe.tuning.importance import evenly
from tfpipe.tuning.picture import LEVELS, Picture
from tfpipe.tuning.store import Trial
from tfpipe.tuning.svg import (
    LETTER,
    Frame,
    Scale,
    element,
    line,
    path,
    picture,
    plain,
    squeezed,
    text,
)

_SIZE = (480.0, 270.0)
_SMALL = (360.0, 230.0)
_CURVE = (190.0, 124.0)
# Of the parallel coordinates: their width where there is room, and the pixels between two axes.
_WIDE, _NEAREST, _FARTHEST = 1156.0, 118.0, 320.0
_LEFT, _RIGHT = 74.0, 58.0
_TALL, _HEAD, _FOOT = 290.0, 52.0, 40.0
_FAILED_ROOM = 26.0
_CROWD = 80  # lines of which the worse ones are drawn thin
_MARKS = 6000  # in the charts of all ranges together: many ranges and trials would be slow to show


def over_trials(shown_as: Picture) -> str:
    """The objective of each trial in the order in which they were made, and the best so far."""
    places = {t.id: float(number) for number, t in enumerate(shown_as.trials, 1)}
    count = max(len(places), 2)
    ticks = [(v, plain(v)) for v in Scale(1, count).ticks(6) if v == int(v)]
    x = Scale(0.5, count + 0.5)
    return _progress(shown_as, places, x, ticks, f"{shown_as.search.asked.objective} over trials")


def over_time(shown_as: Picture) -> str:
    """The same over the time for which the search had been at work."""
    longest = max(shown_as.times.values(), default=0.0) or 1.0
    unit, seconds = next(u for u in _UNITS if longest >= u[1] or u[1] == 1.0)
    x = Scale(0.0, 1.03 * longest / seconds)
    places = {trial: time / seconds for trial, time in shown_as.times.items()}
    ticks = [(v, plain(v)) for v in x.ticks(6)]
    title = f"{shown_as.search.asked.objective} over time"
    return _progress(shown_as, places, x, ticks, title, unit)


_UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


def _progress(
    shown_as: Picture,
    places: dict[str, float],
    x: Scale,
    ticks: Sequence[tuple[float, str]],
    title: str,
    unit: str = "trials so far",
) -> str:
    """Trials as points, those that failed below, and a line of steps for the best so far."""
    failed = [t for t in shown_as.trials if t.state == "failed" and t.id in places]
    room = _FAILED_ROOM if failed else 0.0
    frame = Frame(*_SIZE, x, shown_as.scale, bottom=38 + room, top=32)
    drawn = [*frame.vertical(shown_as.objective)] if shown_as.ranked else []
    drawn += _base(frame, room, unit, ticks)
    drawn += _steps(shown_as, places, frame)
    for trial, value in reversed(shown_as.ranked):
        if trial.id in places:
            drawn.append(_point(shown_as, trial, value, *frame.at(places[trial.id], value)))
    row = frame.height - frame.bottom + room / 2
    drawn += [text("failed", frame.left - 7, row + 4, "tick", "end")] if failed else []
    for trial in failed:
        drawn.append(_cross(trial, frame.at(places[trial.id], 0)[0], row))
    return picture(*_SIZE, title, *drawn)


def _base(
    frame: Frame, room: float, unit: str, ticks: Sequence[tuple[float, str]]
) -> Iterator[str]:
    """The horizontal axis, below the row of the failed trials where there is one."""
    if room:
        base = frame.height - frame.bottom
        yield line(frame.left, base, frame.width - frame.right, base, "grid")
    lower = Frame(frame.width, frame.height, frame.x, frame.y, bottom=38)
    yield from lower.horizontal(unit, ticks)


def _steps(shown_as: Picture, places: dict[str, float], frame: Frame) -> list[str]:
    """The best so far, in the order of the places."""
    known = [(places[t.id], value) for t, value in shown_as.ranked if t.id in places]
    points: list[tuple[float, float]] = []
    best: float | None = None
    for x, value in sorted(known):
        better = best is None or (value > best if shown_as.rising else value < best)
        if not better:
            continue
        if best is not None:
            points.append(frame.at(x, best))
        points.append(frame.at(x, value))
        best = value
    if best is None:
        return []
    points.append(frame.at(frame.x.high, best))
    return [path(points, class_="sofar")]


def _point(shown_as: Picture, trial: Trial, value: float, x: float, y: float) -> str:
    style = shown_as.style(trial, value)
    radius = 5.5 if "best" in style else 4.0
    return element("circle", cx=x, cy=y, r=radius, class_=f"p {style}", data_t=trial.id)


def _cross(trial: Trial, x: float, y: float) -> str:
    arms = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8"
    return element("path", d=arms, class_="cross", data_t=trial.id, data_x=x, data_y=y)


def parallel(shown_as: Picture) -> str:
    """A line for each trial that counts, through its value of each range to its objective."""
    axes, scale = shown_as.axes, shown_as.scale
    between = min(max((_WIDE - _LEFT - _RIGHT) / len(axes), _NEAREST), _FARTHEST)
    width, height = _LEFT + _RIGHT + between * len(axes), _HEAD + _TALL + _FOOT
    places = [_LEFT + between * number for number in range(len(axes) + 1)]
    crowded = len(shown_as.ranked) > _CROWD
    drawn: list[str] = []
    for trial, value in reversed(shown_as.ranked):
        heights = [_height(axis, trial) for axis in axes]
        points = zip(places, [*heights, _up(scale.share(value))], strict=True)
        style = f"l {shown_as.style(trial, value)}{' thin' if crowded else ''}"
        drawn.append(path(points, class_=style, data_t=trial.id))
    for axis, x in zip(axes, places, strict=False):
        drawn += _upright(x, axis.name, _ticks_of(axis), bool(axis.when))
    objective = [(scale.share(v), plain(v)) for v in scale.ticks(6)]
    drawn += _upright(places[-1], shown_as.search.asked.objective, objective, False)
    return picture(width, height, "Parallel coordinates of the trials", *drawn, fixed=True)


def _up(share: float) -> float:
    return _HEAD + _TALL * (1 - share)


def _height(axis: Dimension, trial: Trial) -> float:
    """Where a trial's line meets an axis; below it where the trial has no such value."""
    if axis.name not in trial.values:
        return _HEAD + _TALL + 22
    return _up(axis.share(trial.values[axis.name]))


def _upright(
    x: float, name: str, ticks: Sequence[tuple[float, str]], conditional: bool
) -> Iterator[str]:
    """An axis of the parallel coordinates with its name above it."""
    yield line(x, _HEAD, x, _HEAD + _TALL, "axis")
    before, _, last = name.rpartition(".")
    most = int(_NEAREST / LETTER) - 2
    words = text(squeezed(before, most), x, _HEAD - 27, "name", "middle")
    words += text(squeezed(last, most), x, _HEAD - 13, "name strong", "middle")
    yield element("g", element("title", escape(name)), words)
    for share, label in ticks:
        height = _up(share)
        yield line(x - 4, height, x, height, "axis")
        yield text(squeezed(label, 14), x - 7, height + 4, "tick over", "end")
    if conditional:
        height = _HEAD + _TALL + 22
        yield line(x - 4, height, x + 4, height, "axis")
        yield text("unused", x - 7, height + 4, "tick over", "end")


def _ticks_of(axis: Dimension, about: int = 5) -> list[tuple[float, str]]:
    """The places and labels on the axis of a range; of many values of a choice, some."""
    if isinstance(axis.range, (Float, Int)):
        scale = Scale(axis.range.min, axis.range.max, axis.range.log)
        values = scale.ticks(about)
        if isinstance(axis.range, Int):
            values = [v for v in values if v == int(v)]
        return [(scale.share(v), plain(v)) for v in values]
    every = -(-len(axis.values) // 14)
    return [(axis.share(v), brief(v)) for v in axis.values[::every]]


def against(shown_as: Picture, axis: Dimension) -> str:
    """The objective of each trial against its value of one range."""
    frame = Frame(*_SMALL, Scale(0.0, 1.0), shown_as.scale, right=20)
    drawn = [*frame.vertical("")]
    drawn += frame.horizontal("", _fitting(_ticks_of(axis), frame))
    groups: dict[float, list[float]] = {}
    marked = evenly(len(shown_as.ranked), max(_MARKS // len(shown_as.axes), 50))
    for number in reversed(marked):  # the best on top
        trial, value = shown_as.ranked[number]
        if axis.name not in trial.values:
            continue
        x = axis.share(trial.values[axis.name])
        groups.setdefault(x, []).append(value)
        spread = 0.0 if axis.numeric else _spread(number) / max(len(axis.values), 1)
        drawn.append(_point(shown_as, trial, value, *frame.at(x + spread, value)))
    if not axis.numeric:
        for x, values in groups.items():
            left, y = frame.at(x - 0.3 / len(axis.values), median(values))
            right, _ = frame.at(x + 0.3 / len(axis.values), 0)
            drawn.append(line(left, y, right, y, "median"))
    return picture(*_SMALL, f"The objective against {axis.name}", *drawn)


def _spread(number: int) -> float:
    """How far beside its place a point is drawn, so that equal values are told apart."""
    return 0.4 * ((number * 0.618034) % 1.0 - 0.5)


def _fitting(ticks: Sequence[tuple[float, str]], frame: Frame) -> list[tuple[float, str]]:
    """Those labels of an axis that have room beside each other, shortened where need be."""
    across = frame.width - frame.left - frame.right
    each = across / max(len(ticks), 1)
    most = max(int(each / LETTER) - 1, 4)
    every = max(1, -(-int(4 * LETTER) // max(int(each), 1)))
    return [(share, squeezed(label, most * every)) for share, label in ticks[::every]]


def curves(
    rows: Sequence[EpochRow],
    objective: str,
    scale: Scale,
    epochs: int,
    best: int | None,
) -> str:
    """The objective in each epoch of a trial, and the same of training where it is measured.

    Args:
        rows: the epochs.
        objective: the metric.
        scale: the vertical axis, the same for the trials that are compared.
        epochs: where the horizontal axis ends.
        best: the best epoch.
    """
    frame = Frame(*_CURVE, Scale(0.5, epochs + 0.5), scale, left=34, bottom=22, top=8, right=8)
    ticks = [(v, plain(v)) for v in Scale(1, max(epochs, 2)).ticks(4) if v == int(v) <= epochs]
    drawn = [*frame.vertical(""), *frame.horizontal("", ticks)]
    for name, style in ((training_of(objective), "training"), (objective, "measured")):
        known = [(r.epoch, r.metrics.get(name, math.nan)) for r in rows]
        points = [frame.at(epoch, value) for epoch, value in known if math.isfinite(value)]
        if name == objective and len(points) == 1:
            drawn.append(element("circle", cx=points[0][0], cy=points[0][1], r=2.5, class_="dot"))
        elif len(points) > 1:
            drawn.append(path(points, class_=style))
    at_best = [r.metrics[objective] for r in rows if r.epoch == best and objective in r.metrics]
    for value in at_best[:1]:
        x, y = frame.at(best or 0, value)
        drawn.append(element("circle", cx=x, cy=y, r=4, class_="p best"))
    return picture(*_CURVE, f"{objective} in each epoch", *drawn)


def training_of(objective: str) -> str:
    """The name of a validation metric's like in training."""
    return objective.removeprefix("val_") if objective.startswith("val_") else ""


def legend(shown_as: Picture) -> str:
    """What the colours of the trials mean."""
    low, high = shown_as.scale.low, shown_as.scale.high
    inside = [value for _, value in shown_as.ranked if low <= value <= high]
    boxes = "".join(element("i", class_=f"q{level}") for level in range(LEVELS))
    worst, best = f"{inside[-1]:.3g}", f"{inside[0]:.3g}"
    return element("span", f"{worst} ", boxes, f" {best}", class_="key")
