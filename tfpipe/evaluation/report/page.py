"""Rendering a report: a jinja2 template and figures, in one file that opens offline.

The page needs no script and fetches nothing, which its content security policy enforces. It is
light or dark as the reader's system is, and readable on a phone and on paper.
"""

import io
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).with_name("templates")
# What figures are drawn in; in the page it is the colour of the text around them.
INK = "#010203"
BLUE, ORANGE, GREY = "#3d8fd1", "#e0691a", "#8a8f98"


def render(template: str, **values: Any) -> str:
    """Return the page of a template, every value of it escaped.

    Args:
        template: "run", "search" or "comparison".
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
    return environment.get_template(f"{template}.html.jinja").render(**values)


def new_figure(width: float = 7.0, height: float = 3.2) -> "tuple[Figure, Any]":
    """Return a figure of a size in inches, and its axes, without the state of pyplot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    axes = figure.subplots()
    axes.patch.set_alpha(0.0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(GREY)
    axes.tick_params(colors=INK, color=GREY, labelsize=9)
    axes.grid(color=GREY, alpha=0.2, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def label_axes(axes: Any, x: str, y: str) -> None:
    """Name the axes of a figure."""
    axes.set_xlabel(x, color=INK, fontsize=9)
    axes.set_ylabel(y, color=INK, fontsize=9)


def svg(figure: "Figure", title: str) -> "Markup":
    """Return a figure as SVG for a page, with a text for those who cannot see it.

    Args:
        figure: what was drawn.
        title: what it shows.
    """
    import matplotlib
    from markupsafe import Markup, escape

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawing = text.getvalue().partition("<svg")[2]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.S)
    drawing = re.sub(r"\s*\n\s*", "\n", drawing).replace(INK, "currentColor")
    # Several figures stand in one page: what one refers to must be its own.
    mark = f"{zlib.crc32(title.encode()):x}"
    drawing = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{mark}-", drawing)
    opening, _, rest = drawing.partition(">")
    named = (
        f'<svg role="img" aria-label="{escape(title)}"{opening}>\n<title>{escape(title)}</title>'
    )
    return Markup(named + rest)
