"""What the charts of a report are made of: elements, scales and frames, as texts of SVG.

Colours and fonts are in report.css, so that a chart follows the page into the dark.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

LETTER = 6.2  # pixels of width, of a letter of 11 pixels


def element(name: str, *content: str, **attributes: Any) -> str:
    """An element of SVG or HTML; its content is taken as it is, its attributes are escaped.

    Args:
        name: the tag.
        content: what stands inside, which is text of SVG or HTML itself.
        attributes: `class_` for class, `stroke_width` for stroke-width; a None is left out.
    """
    listed = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{listed}>{''.join(content)}</{name}>"


def text(content: str, x: float, y: float, class_: str = "", anchor: str = "start") -> str:
    """Words at a place; they may hold anything."""
    attributes = {"class_": class_ or None, "text_anchor": None if anchor == "start" else anchor}
    return element("text", escape(content), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return element("path", d=f"M{_short(x1)} {_short(y1)}L{_short(x2)} {_short(y2)}", class_=class_)


def path(points: Iterable[tuple[float, float]], **attributes: Any) -> str:
    """A line through some points."""
    listed = "L".join(f"{_short(x)} {_short(y)}" for x, y in points)
    return element("path", d=f"M{listed}", **attributes)


def picture(width: float, height: float, title: str, *content: str, fixed: bool = False) -> str:
    """A whole chart.

    Args:
        width: of its own coordinates.
        height: of its own coordinates.
        title: what it shows, for who cannot see it.
        content: the elements.
        fixed: whether its coordinates are the page's pixels; else it fills the width that it gets.
    """
    size = {"width": width, "height": height} if fixed else {}
    box = f"0 0 {_short(width)} {_short(height)}"
    attributes = {"viewBox": box, "role": "img", "aria_label": title, **size}
    return element("svg", *content, class_="chart fixed" if fixed else "chart", **attributes)


def clipped(content: str, most: int) -> str:
    """A text that is not longer than so many letters."""
    return content if len(content) <= most else content[: most - 1] + "…"


def squeezed(content: str, most: int) -> str:
    """The same for names, which often differ at their ends: what is left out is in the middle."""
    if len(content) <= most:
        return content
    end = (most - 1) // 2
    return f"{content[: most - 1 - end]}…{content[len(content) - end :]}"


def plain(value: float) -> str:
    """A number on an axis, in a few characters."""
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        mantissa, _, exponent = f"{value:.3g}".partition("e")
        if not exponent:
            mantissa, _, exponent = f"{value:.2e}".partition("e")
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.6g}"


@dataclass(frozen=True)
class Scale:
    """Numbers between two ends, and their places on an axis.

    Args:
        low: the smallest.
        high: the largest.
        log: whether the axis is logarithmic; both ends are above 0 then.
    """

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a number is, from 0 at the low end to 1 at the high one; never outside."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low) if high > low else 0.5

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers between the ends, about so many."""
        if self.high <= self.low:
            return [self.low]
        return _decades(self.low, self.high, about) if self.log else self._even(about)

    def _even(self, about: int) -> list[float]:
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((m * power for m in (1.0, 2.0, 5.0) if m * power >= rough), 10.0 * power)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def _decades(low: float, high: float, about: int) -> list[float]:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    every = max(1, round((last - first) / about))
    subs = (1.0, 2.0, 5.0) if (last - first) * 2 < about else (1.0,)
    found = [m * 10.0**e for e in range(first, last + 1, every) for m in subs]
    kept = [float(f"{v:.12g}") for v in found if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
    return kept if len(kept) > 1 else [low, high]


@dataclass(frozen=True)
class Frame:
    """Two axes, and the places of points between them.

    Args:
        width: of the picture.
        height: of the picture.
        x: the horizontal scale.
        y: the vertical one.
        left: the room for the vertical axis's numbers.
        bottom: the room below.
        top: the room above.
        right: the room to the right.
    """

    width: float
    height: float
    x: Scale
    y: Scale
    left: float = 52.0
    bottom: float = 38.0
    top: float = 14.0
    right: float = 14.0

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point."""
        across = self.width - self.left - self.right
        return self.left + across * self.x.share(x), self.height_of(y)

    def height_of(self, y: float) -> float:
        """The place of a number on the vertical axis."""
        return self.height - self.bottom - self._tall * self.y.share(y)

    @property
    def _tall(self) -> float:
        return self.height - self.bottom - self.top

    def vertical(self, title: str) -> Iterator[str]:
        """The lines and numbers of the vertical axis, its title in the corner above them."""
        for value in self.y.ticks(max(2, round(self._tall / 36))):
            height = self.height_of(value)
            yield line(self.left, height, self.width - self.right, height, "grid")
            yield text(plain(value), self.left - 7, height + 4, "tick", "end")
        if title:
            yield text(title, 2, 11, "name")

    def horizontal(self, title: str, ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
        """The numbers of the horizontal axis, and its title in the corner below them."""
        base = self.height - self.bottom
        yield line(self.left, base, self.width - self.right, base, "axis")
        for value, label in ticks:
            x, _ = self.at(value, self.y.low)
            yield line(x, base, x, base + 4, "axis")
            yield text(label, x, base + 16, "tick", "middle")
        if title:
            yield text(title, self.width - self.right, self.height - 4, "name", "end")


def _attribute(value: Any) -> str:
    return _short(value) if isinstance(value, (int, float)) else str(value)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
