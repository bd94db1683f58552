"""The figures of a comparison of networks: accuracy, size and time, two at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from tfpipe.models.pretrained.contracts import CONTRACTS

# Told apart in print and by the colour-blind (Okabe and Ito), then again with other marks.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5C5C5C")
_MARKS = ("o", "s", "^", "D")
_FONT = 8.0  # points
_GAP = 4.0  # pixels between a point's mark and its label
_MARK = 6.0  # half the width of a mark
# Where a label may go around its point, the best places first: right, left, above, below, corners.
_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_FARTHER = (1.0, 3.5, 7.0, 11.0, 16.0)


@dataclass(frozen=True)
class Point:
    """A network in the figures.

    Args:
        network: its name in keras.applications.
        accuracy: the share of validation samples that it answers right.
        parameters: how many it has.
        step_seconds: how long a training step takes; None where that is not known.
    """

    network: str
    accuracy: float
    parameters: int
    step_seconds: float | None


@dataclass(frozen=True)
class _Axis:
    """What an axis shows: its title, the value of a point, and whether it is logarithmic."""

    title: str
    value: Any
    log: bool = True


_ACCURACY = _Axis("validation accuracy", lambda p: p.accuracy, log=False)
# A network without an error would have no place on a logarithmic axis.
_ERROR = _Axis("validation error", lambda p: max(1 - p.accuracy, 1e-4))
_SIZE = _Axis("parameters", lambda p: p.parameters)
_TIME = _Axis(
    "time of a training step, in ms",
    lambda p: None if p.step_seconds is None else 1000 * p.step_seconds,
)

# file: the axes, and whether more of each is better
_FIGURES = {
    "accuracy_size.png": (_SIZE, _ACCURACY, "Accuracy against size", (-1, 1)),
    "error_time.png": (_TIME, _ERROR, "Error against time", (-1, -1)),
    "time_size.png": (_SIZE, _TIME, "Time against size", None),
}


def figures_of(points: Sequence[Point], title: str) -> dict[str, bytes]:
    """The figures as PNG files by name; one whose values are not known is left out.

    Args:
        points: the networks.
        title: what was compared.
    """
    found = {}
    for file, (x, y, what, better) in _FIGURES.items():
        placed = places(points, x, y)
        if placed:
            found[file] = _drawn(placed, x, y, f"{what} · {title}", better)
    return found


def places(points: Sequence[Point], x: _Axis, y: _Axis) -> list[tuple[Point, float, float]]:
    """The points with their values on two axes, those left out that lack one."""
    valued = [(p, x.value(p), y.value(p)) for p in points]
    return [(p, float(a), float(b)) for p, a, b in valued if a is not None and b is not None]


def frontier(
    placed: Sequence[tuple[Point, float, float]], better: tuple[int, int]
) -> list[tuple[float, float]]:
    """The points that no other one beats on both axes, from the best on the first one on.

    Args:
        placed: the points with their values.
        better: for each axis 1 where more is better, -1 where less is.
    """
    ordered = sorted(placed, key=lambda p: (-better[0] * p[1], -better[1] * p[2]))
    found: list[tuple[float, float]] = []
    for _, a, b in ordered:
        if not found or better[1] * (b - found[-1][1]) > 0:
            found.append((a, b))
    return found


def _drawn(
    placed: Sequence[tuple[Point, float, float]],
    x: _Axis,
    y: _Axis,
    title: str,
    better: tuple[int, int] | None,
) -> bytes:
    """A scatter of labelled points, a colour for each family, and the line of the best."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 6.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=10)
    for axis, which in ((x, "x"), (y, "y")):
        _scale(axes, axis, which, [a if which == "x" else b for _, a, b in placed])
    axes.grid(which="major", color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if better is not None and len(placed) > 1:
        best = frontier(placed, better)
        line: dict[str, Any] = {"color": "#B0B0B0", "linewidth": 1.2, "linestyle": (0, (4, 3))}
        axes.plot(*zip(*best, strict=True), zorder=1, **line, label="none is better on both axes")
    styles = _styles([p.network for p, _, _ in placed])
    for point, a, b in placed:
        colour, mark = styles[_family(point.network)]
        axes.scatter(
            a, b, s=52, color=colour, marker=mark, linewidths=0.8, edgecolors="white", zorder=3
        )
    figure.draw_without_rendering()  # so that places on the page are known
    _label(axes, [(p.network, a, b, styles[_family(p.network)][0]) for p, a, b in placed])
    if better is not None and len(placed) > 1:
        axes.legend(frameon=False, fontsize=8, loc="best", labelcolor="#707070")
    encoded = BytesIO()
    figure.savefig(encoded, format="png")
    return encoded.getvalue()


def _scale(axes: Any, axis: _Axis, which: str, values: list[float]) -> None:
    """An axis with its title, some room around the values, and readable numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = min(values), max(values)
    named = getattr(axes, f"{which}axis")
    if not axis.log:
        margin = 0.08 * (high - low) or 0.05
        getattr(axes, f"set_{which}lim")(low - margin, high + margin)
        named.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.3g}%"))
    else:
        getattr(axes, f"set_{which}scale")("log")
        room = max((high / low) ** 0.08, 1.25 if which == "x" else 1.08)  # names are wide
        getattr(axes, f"set_{which}lim")(low / room, high * room)
        named.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 30 else (1.0, 3.0)))
        if high / low < 4:  # decades, and parts of them, would be few or none
            named.set_major_locator(MaxNLocator(6))
        named.set_major_formatter(FuncFormatter(lambda v, _: _short(v)))
        named.set_minor_formatter(NullFormatter())
    getattr(axes, f"set_{which}label")(axis.title)
    axes.tick_params(labelsize=9, color="#B0B0B0")


def _short(value: float) -> str:
    """A number in a few characters: 3.2M, 0.05, 120."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _family(network: str) -> str:
    known = CONTRACTS.get(network)
    return known.family if known else network


def _styles(networks: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a mark for each family, in the order of the table of contracts."""
    there = {_family(network) for network in networks}
    families = [f for f in dict.fromkeys(c.family for c in CONTRACTS.values()) if f in there]
    return {
        family: (_COLOURS[i % len(_COLOURS)], _MARKS[i // len(_COLOURS) % len(_MARKS)])
        for i, family in enumerate([*families, *sorted(there - set(families))])
    }


def _label(axes: Any, labels: Sequence[tuple[str, float, float, str]]) -> None:
    """Names beside the points, where they cover neither each other nor a point.

    The points in the thick of it choose first. A name that finds no room nearby goes farther away,
    with a thin line to its point.
    """
    from matplotlib.patheffects import withStroke

    renderer = axes.figure.canvas.get_renderer()
    at = {name: axes.transData.transform((a, b)) for name, a, b, _ in labels}
    points = [_Box(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in at.values()]
    page = axes.get_window_extent(renderer)
    inside = _Box(page.x0, page.y0, page.x1, page.y1)
    taken: list[_Box] = []
    for name, a, b, colour in sorted(labels, key=lambda text: _room(text[0], at)):
        style = {"fontsize": _FONT, "color": _darker(colour), "va": "bottom", "zorder": 4}
        text = axes.annotate(name, (a, b), (0, 0), textcoords="offset pixels", **style)
        size = text.get_window_extent(renderer)
        box, far = _free(at[name], (size.width, size.height), [*points, *taken], inside)
        taken.append(box)
        text.remove()
        arrow = {"arrowstyle": "-", "color": "#A0A0A0", "linewidth": 0.6, "shrinkB": 3}
        label = axes.annotate(
            name,
            (a, b),
            (box.left - at[name][0], box.bottom - at[name][1]),
            textcoords="offset pixels",
            arrowprops=arrow if far else None,
            **style,
        )
        label.set_path_effects([withStroke(linewidth=2.0, foreground="white")])


def _darker(colour: str) -> str:
    """A colour that small letters can be read in."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (0.72 * part for part in to_rgb(colour))
    return str(to_hex((red, green, blue)))


def _room(name: str, at: dict[str, Any]) -> float:
    """How far the nearest three other points are, together."""
    px, py = at[name]
    distances = sorted((px - x) ** 2 + (py - y) ** 2 for n, (x, y) in at.items() if n != name)
    return float(sum(distances[:3]))


@dataclass(frozen=True)
class _Box:
    """A rectangle on the page, in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "_Box") -> float:
        """The area that two boxes share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)


def _free(
    point: Any, size: tuple[float, float], taken: Sequence[_Box], inside: _Box
) -> tuple[_Box, bool]:
    """Where a label of a size covers least, the nearest such place; and whether that is far."""
    best, least = None, float("inf")
    for box, far in _candidates(point, size):
        covered = sum(box.overlap(other) for other in taken) + box.area - box.overlap(inside)
        if covered < least - 1:
            best, least = (box, far), covered
        if covered < 1:
            break
    assert best is not None
    return best


def _candidates(point: Any, size: tuple[float, float]) -> Iterator[tuple[_Box, bool]]:
    """Boxes around a point, from the best place near it to those farther away."""
    (px, py), (width, height) = point, size
    for farther in _FARTHER:
        gap = _MARK + _GAP * farther
        for right, up in _AROUND:
            if right and up:  # a corner lies nearer than a side
                left = px + (gap * 0.6 if right > 0 else -gap * 0.6 - width)
            else:
                left = px + (gap if right > 0 else -gap - width if right < 0 else -width / 2)
            bottom = py + (gap * 0.6 if up > 0 else -gap * 0.6 - height if up < 0 else -height / 2)
            yield _Box(left, bottom, left + width, bottom + height), farther > 3.5
