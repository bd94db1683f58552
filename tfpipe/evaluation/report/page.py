"""Rendering a report: a jinja2 template and matplotlib figures, in one file that opens offline.

The page needs no script and fetches nothing, which its content security policy enforces. It is
light or dark as the reader's system is, and readable on a phone and on paper.
"""

import io
import math
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

from tfpipe.text import brief, byte_size, clock, number

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

TEMPLATES = Path(__file__).with_name("templates")
# What figures are drawn in; in a page it becomes the colour of the text around them.
INK = "#010203"
BLUE, ORANGE, GREY = "#3d8fd1", "#e0691a", "#8a8f98"
# Told apart by the colour-blind, on white and on black (after Okabe and Ito).
COLOURS = (ORANGE, BLUE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", GREY)
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.alpha": 0.2,
    "grid.color": GREY,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a name may have dollar signs
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
}


def render(template: Literal["run", "runs", "search", "comparison", "page"], **values: Any) -> str:
    """Return the page of a template, every value of it escaped.

    Args:
        template: which page, a file of templates/.
        values: what the template shows; figures as `svg` gives them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for value_filter in (brief, clock, byte_size, measured):
        environment.filters[value_filter.__name__] = value_filter
    return environment.get_template(f"{template}.html.jinja").render(**values)


def measured(value: float | None, missing: str = "") -> str:
    """Return a metric as a table shows it.

    Args:
        value: what was measured; None where it was not.
        missing: what stands for None.
    """
    if value is None:
        return missing
    return number(value) if math.isfinite(value) else str(value)


def short(value: float) -> str:
    """Return a number of an axis in a few characters: 3.2M, 0.05, 1e-5."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if 10_000 <= abs(value) < 1e12 and abs(value) >= size:
            return f"{value / size:.5g}{unit}"
    return re.sub(r"e([-+])0", r"e\1", f"{value:.6g}")


def new_figure(
    width: float, height: float, *, left: float = 0.75, bottom: float = 0.5
) -> "tuple[Figure, Axes]":
    """Return a figure and its axes, without the state of pyplot; all sizes are inches.

    Args:
        width: of the figure.
        height: of the figure.
        left: the room for the numbers and the name of the vertical axis.
        bottom: the same of the horizontal axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    # Margins by hand: matplotlib's layout engines draw each figure twice.
    figure.subplots_adjust(left / width, bottom / height, 1 - 0.15 / width, 1 - 0.15 / height)
    axes = figure.subplots()
    for which in ("x", "y"):
        scale_axis(axes, which)
    return figure, axes


def scale_axis(
    axes: "Axes",
    which: str,
    ends: tuple[float, float] | None = None,
    *,
    log: bool = False,
    whole: bool = False,
    text: Callable[[float], str] = short,
) -> None:
    """Give an axis its ends, and a few numbers that are round and easy to read.

    Args:
        axes: of the figure.
        which: "x" or "y".
        ends: the least and the greatest value; those of what is drawn when None.
        log: whether it is logarithmic.
        whole: whether its numbers are whole.
        text: writes a number.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axis = getattr(axes, f"{which}axis")
    axes.set(**{f"{which}scale": "log" if log else "linear"})
    if ends:
        axes.set(**{f"{which}lim": ends})
    decades = math.log10(ends[1] / ends[0]) if log and ends else 0
    if decades > 0.7:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2 else (1.0,)))
    else:
        axis.set_major_locator(MaxNLocator(6, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())


@contextmanager
def _styled(salt: str) -> Iterator[None]:
    import matplotlib

    with (
        warnings.catch_warnings(),
        matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}),
    ):
        # The reader's browser has letters that matplotlib's own font has not.
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def svg(
    title: str, draw: "Callable[P, Figure]", *args: P.args, **options: P.kwargs
) -> "str | Markup":
    """Return a figure as SVG for a page, or a sentence on why it cannot be drawn.

    Args:
        title: what it shows, for those who cannot see it.
        draw: draws it.
        args: what `draw` is called with.
        options: the same by name.
    """
    return drawn(title, lambda: draw(*args, **options))[0]


def drawn(
    title: str, draw: "Callable[[], Figure]", files: bool = False
) -> "tuple[str | Markup, dict[str, bytes]]":
    """Return a figure as `svg` does, and its files by ending.

    Args:
        title: what it shows, for those who cannot see it.
        draw: draws it.
        files: whether files are wanted: an SVG and a PNG, both on white.
    """
    from markupsafe import Markup, escape

    written, picture = io.StringIO(), io.BytesIO()
    try:
        with _styled(title):
            empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
            figure = draw()
            figure.savefig(written, format="svg", metadata=empty)
            if files:
                figure.savefig(picture, format="png", dpi=120, facecolor="white")
    except Exception as error:  # noqa: BLE001 (neither a run nor a search fails for a figure)
        return f"{title}: this could not be drawn ({type(error).__name__}: {error}).", {}
    named, text = f"{zlib.crc32(title.encode()):x}", escape(title)

    def own(tag: re.Match[str]) -> str:
        # Several figures stand in one page: what one refers to must be its own.
        marked = re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{named}-", tag[0])
        return re.sub(
            r"font-family: [^;]*", "font-family: inherit", marked.replace(INK, "currentColor")
        )

    opening, _, rest = written.getvalue().partition("<svg")[2].partition(">")
    body = re.sub("<[^>]*>", own, rest.replace(INK, "currentColor"))
    body = re.sub(r"\s*\n\s*", "\n", body).strip()
    markup = Markup(f'<svg role="img" aria-label="{text}"{opening}>\n<title>{text}</title>\n{body}')
    if not files:
        return markup, {}
    alone = str(markup).replace("<svg ", '<svg style="color:#1c2024;background:#fff" ', 1)
    return markup, {"svg": alone.encode(), "png": picture.getvalue()}


def png(draw: "Callable[P, Figure]", *args: P.args, **options: P.kwargs) -> bytes:
    """Return a figure as a PNG file, on white.

    Args:
        draw: draws it.
        args: what `draw` is called with.
        options: the same by name.
    """
    written = io.BytesIO()
    with _styled(""):
        draw(*args, **options).savefig(written, format="png", dpi=120, facecolor="white")
    return written.getvalue()
