"""The figures of a comparison of networks: accuracy, size and time, two at a time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfpipe.evaluation.report.page import COLOURS, GREY, new_figure, png, scale_axis, svg

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = ("o", "s", "^", "D")
# Where a name may go around its point, the best places first: right, left, above, below, corners;
# then the same farther away, in points.
_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (7, 14, 24, 36, 52)


@dataclass(frozen=True)
class Point:
    """A network in the figures.

    Args:
        name: its name in keras.applications.
        family: those of one have one colour.
        accuracy: the share of validation samples that it answers right.
        parameters: how many it has.
        step_seconds: how long a training step takes; None where that is not known.
    """

    name: str
    family: str
    accuracy: float
    parameters: int
    step_seconds: float | None

    @property
    def error(self) -> float:
        """The share that it answers wrong; above 0, to have a place on a logarithmic axis."""
        return max(1 - self.accuracy, 1e-4)

    @property
    def step_milliseconds(self) -> float | None:
        """How long a training step takes."""
        return None if self.step_seconds is None else 1000 * self.step_seconds


# A figure's file: its title, the attributes of a network on its axes, and for each of these 1 where
# more is better, -1 where less is; None where no network is better than another.
Figured = tuple[str, tuple[str, str, tuple[int, int] | None]]
FIGURES: dict[str, Figured] = {
    "accuracy_size": ("Accuracy against size", ("parameters", "accuracy", (-1, 1))),
    "error_time": ("Error against time", ("step_milliseconds", "error", (-1, -1))),
    "time_size": ("Time against size", ("parameters", "step_milliseconds", None)),
}
_NAMES = {
    "accuracy": "validation accuracy",
    "error": "validation error",
    "parameters": "parameters",
    "step_milliseconds": "time of a training step, in ms",
}


def figures_of(points: Sequence[Point]) -> "list[str | Markup]":
    """Return the figures for a page; one whose values are not known is left out."""
    return [svg(title, scatter, points, *axes) for title, axes in _known(points).values()]


def pictures_of(points: Sequence[Point], title: str) -> Iterator[tuple[str, bytes]]:
    """Yield the same figures as PNG files by name.

    Args:
        points: the networks.
        title: what was compared.
    """
    for file, (what, axes) in _known(points).items():
        yield f"{file}.png", png(scatter, points, *axes, f"{what} · {title}")


def _known(points: Sequence[Point]) -> dict[str, Figured]:
    return {file: what for file, what in FIGURES.items() if placed(points, *what[1][:2])}


def placed(points: Sequence[Point], x: str, y: str) -> list[tuple[Point, float, float]]:
    """Return the networks with two of their attributes, without those that lack a number."""
    valued = [(point, getattr(point, x), getattr(point, y)) for point in points]
    known = [(p, float(a), float(b)) for p, a, b in valued if a is not None and b is not None]
    return [(p, a, b) for p, a, b in known if math.isfinite(a) and math.isfinite(b)]


def frontier(
    points: Sequence[tuple[float, float]], better: tuple[int, int]
) -> list[tuple[float, float]]:
    """Return the points that no other one beats on both axes, from the best on the first one on.

    Args:
        points: their values.
        better: for each axis 1 where more is better, -1 where less is.
    """
    best: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda p: (-better[0] * p[0], -better[1] * p[1])):
        if not best or better[1] * (y - best[-1][1]) > 0:
            best.append((x, y))
    return best


def scatter(
    networks: Sequence[Point],
    x: str,
    y: str,
    better: tuple[int, int] | None = None,
    title: str = "",
) -> "Figure":
    """Draw networks as named points, a colour for each family, and the line of the best.

    Args:
        networks: which.
        x: the attribute on the horizontal axis.
        y: the attribute on the vertical axis.
        better: for each axis 1 where more is better, -1 where less is; None without a line.
        title: what stands above.
    """
    points = placed(networks, x, y)
    figure, axes = new_figure(9.6, 6.0)
    figure.subplots_adjust(top=0.95)
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set(xlabel=_NAMES[x], ylabel=_NAMES[y])
    for which, name, values in (
        ("x", x, [a for _, a, _ in points]),
        ("y", y, [b for _, _, b in points]),
    ):
        low, high = min(values), max(values)
        if name == "accuracy":
            room = 0.08 * (high - low) or 0.05
            scale_axis(axes, which, (low - room, high + room), text=lambda v: f"{100 * v:.3g}%")
        else:
            wider = max((high / low) ** 0.08, 1.1)
            scale_axis(axes, which, (low / wider, high * wider), log=True)
    if better and len(points) > 1:
        line = frontier([(a, b) for _, a, b in points], better)
        axes.plot(*zip(*line, strict=True), "--", color=GREY, linewidth=1.2, zorder=1, gid="line")
    families = sorted({n.family for n in networks})
    for network, a, b in points:
        index = families.index(network.family)
        mark = _MARKS[index // len(COLOURS) % len(_MARKS)]
        axes.plot(a, b, mark, color=COLOURS[index % len(COLOURS)], ms=7, mec="none", gid="points")
    _name(figure, axes, points)
    return figure


def _name(figure: "Figure", axes: "Axes", points: Sequence[tuple[Point, float, float]]) -> None:
    """Write names beside points, where they cover neither each other nor a point.

    The points in the thick of it choose first. A name that finds no room nearby goes farther away,
    with a thin line to its point.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    renderer = FigureCanvasAgg(figure).get_renderer()
    pixels = figure.dpi / 72
    at = {n.name: axes.transData.transform((x, y)) for n, x, y in points}
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in at.values()]
    inside = axes.get_window_extent(renderer)

    def room(point: tuple[Point, float, float]) -> float:
        px, py = at[point[0].name]
        return float(sum(sorted((px - x) ** 2 + (py - y) ** 2 for x, y in at.values())[:4]))

    for network, x, y in sorted(points, key=room):
        style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "zorder": 4}
        label = axes.annotate(network.name, (x, y), (0, 0), **style)
        size = label.get_window_extent(renderer)
        label.remove()
        px, py = at[network.name]
        options: list[tuple[float, int, Bbox]] = []
        for distance in _DISTANCES:
            for right, up in _AROUND:
                gap = distance * pixels * (0.6 if right and up else 1.0)
                left = px + right * gap + size.width * (right - 1) / 2
                bottom = py + up * gap + size.height * (up - 1) / 2
                box = Bbox.from_bounds(left, bottom, size.width, size.height)
                outside = not (inside.x0 <= left and box.x1 <= inside.x1 and inside.y0 <= bottom)
                options.append((box.count_overlaps(taken) + 9 * outside, len(options), box))
        _, place, box = min(options, key=lambda option: option[:2])
        taken.append(box)
        if place >= 2 * len(_AROUND):
            style["arrowprops"] = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6}
        offset = ((box.x0 - px) / pixels, (box.y0 - py) / pixels)
        axes.annotate(network.name, (x, y), offset, va="bottom", **style)
