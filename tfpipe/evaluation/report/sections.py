"""The parts that a report is put together from: sentences, tables, figures and samples."""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.evaluation.report.page import drawn
from tfpipe.storage import write_whole

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """A table whose rows begin with their name.

    Args:
        heads: of the columns.
        rows: cells as they are shown.
        note: what stands below.
        marked: the first cells of the rows that are to be seen first.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    marked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Args:
        name: of its files, in letters, digits and underscores.
        title: what it shows, for those who cannot see it too.
        draw: draws it.
        small: whether several stand beside each other.
    """

    name: str
    title: str
    draw: "Callable[[], Figure]"
    small: bool = True


@dataclass(frozen=True)
class Card:
    """A sample with what was answered.

    Args:
        caption: "cat 87% (dog)".
        right: whether it is; None where an answer is only more or less so.
        image: a PNG file; empty for none.
        image_name: what the picture shows, for those who cannot see it.
        bars: names with shares from 0 to 1, the greatest first.
        rows: name and value of columns.
        text: the sample itself, or its beginning.
        marks: words of the text with how much each one speaks for the answer, -1 to 1; empty for
            none.
        note: what else is to be said.
        overlay: a second PNG file of the same picture.
        overlay_name: what that shows.
        large: whether the picture is as wide as the card, of which two stand side by side.
    """

    caption: str
    right: bool | None = None
    image: bytes = b""
    image_name: str = "sample"
    bars: tuple[tuple[str, float], ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    text: str = ""
    marks: tuple[tuple[str, float], ...] = ()
    note: str = ""
    overlay: bytes = b""
    overlay_name: str = "what it was judged by"
    large: bool = False

    @property
    def sources(self) -> list[str]:
        """The pictures as a page holds them."""
        return [data_uri(png) for png in (self.image, self.overlay) if png]


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Args:
        key: what report.json calls it; empty for what stands in the page alone.
        title: its heading.
        text: sentences.
        tables: tables.
        drawings: figures.
        cards: samples, under a heading each group.
        data: the same in numbers, for report.json.
        folded: whether it is closed until a reader opens it.
    """

    key: str
    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    cards: tuple[tuple[str, tuple[Card, ...]], ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    folded: bool = False


@dataclass(frozen=True)
class Rendered:
    """A section with its figures drawn."""

    section: Section
    small: "list[str | Markup]"
    large: "list[str | Markup]"


def render_sections(sections: Iterable[Section], folder: Path | None = None) -> list[Rendered]:
    """Draw the figures of sections.

    Args:
        sections: which.
        folder: where each figure is written as SVG and PNG; None for nowhere.
    """
    rendered = []
    for section in sections:
        groups: dict[bool, list[str | Markup]] = {True: [], False: []}
        for drawing in section.drawings:
            markup, files = drawn(drawing.title, drawing.draw, files=folder is not None)
            groups[drawing.small].append(markup)
            if folder is not None:
                for ending, content in files.items():
                    write_whole(folder / f"{drawing.name}.{ending}", content)
        rendered.append(Rendered(section, groups[True], groups[False]))
    return rendered


def data_uri(png: bytes) -> str:
    """Return a picture as a page holds it that fetches nothing."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
