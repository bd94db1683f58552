"""Values, counts, sizes, durations and lists in words."""

import itertools
import math
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

BLOCKS = "▁▂▃▄▅▆▇█"


def brief(value: object) -> str:
    """Return a value in a few characters: four digits of a number with a fraction."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def number(value: float) -> str:
    """Return a metric in a few characters."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.2e}"


def counted(count: int, noun: str) -> str:
    """Return how many there are of something: `1 trial`, `2,000 classes`."""
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "tch")) else "s"
    return f"{count:,} {noun}{ending}"


def listed(items: Iterable[object], most: int | None = None) -> str:
    """Return the first items of a list in a sentence: `a, b and 3 more`.

    Args:
        items: what is listed, each by its `str`.
        most: how many to name; all when None.
    """
    words = [str(item) for item in items]
    rest = len(words) - (len(words) if most is None else most)
    return ", ".join(words[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def quoted(names: Iterable[object], most: int | None = None) -> str:
    """Return names in quotes, as `listed` does: `'a', 'b' and 3 more`."""
    return listed(map(repr, names), most)


def either(words: Sequence[str]) -> str:
    """Return alternatives in a sentence: `a`, `a or b`, `a, b or c`."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def at_root(root: Path) -> str:
    """Return the option by which another command finds what is below a folder; empty for here."""
    return "" if root == Path(".") else f" --root {shlex.quote(str(root))}"


def byte_size(size: float) -> str:
    """Return a number of bytes for people: `154 MB`."""
    units = iter(("B", "kB", "MB", "GB"))
    unit = next(units)
    while size >= 1000 and unit != "GB":
        size, unit = size / 1000, next(units)
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"


def milliseconds(value: float) -> str:
    """Return a number of milliseconds in three digits: `0.123 ms`, `1,590 ms`."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def clock(seconds: float) -> str:
    """Return a duration as a clock shows it: `0:42`, `1:02:03`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def sparkline(
    values: Sequence[float],
    ends: tuple[float, float] | None = None,
    *,
    width: int = 40,
    marks: str = BLOCKS,
) -> str:
    """Return a curve in characters, the higher the larger; what is no number is a dot.

    Args:
        values: one after the other; more than `width` are averaged in groups.
        ends: the values of the lowest and the highest mark; those of the curve when None.
        width: how many characters at the most.
        marks: the characters, the lowest first.
    """
    if len(values) > width:
        places = [i * len(values) // width for i in range(width + 1)]
        groups = [values[a:b] for a, b in itertools.pairwise(places)]
        values = [sum(group) / len(group) for group in groups]
    finite = [v for v in values if math.isfinite(v)]
    low, high = ends or (min(finite, default=0.0), max(finite, default=0.0))
    scale = (len(marks) - 1) / (high - low) if high > low else 0.0
    heights = [min(max(v, low), high) - low if math.isfinite(v) else None for v in values]
    return "".join("." if h is None else marks[round(h * scale)] for h in heights)


def first_sentence(text: str) -> str:
    """Return a text up to the first full stop that begins another sentence, on one line."""
    return re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(text.split()))[0]


def short_path(path: Path) -> str:
    """Return a path as a person would type it: relative where it lies below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
