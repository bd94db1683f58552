"""Pages as a browser reads them, and what holds for each report."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

EVIL = "</script><script>alert(1)</script><img src=x onerror='alert(1)'>\"&"
_VOID = {"meta", "br", "link", "img", "input", "hr"}


class Read(HTMLParser):
    """A page as a browser reads it: its tags balance, its text is told from its marks."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.inside: dict[str, str] = {}
        self.words = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.inside[self.open[-1]] = self.inside.get(self.open[-1], "") + data
            return
        self.words += f"{data} "


def charts_of(page: str) -> list[ElementTree.Element]:
    """The charts, each of which is XML."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]


def points(chart: ElementTree.Element, *groups: str) -> int:
    """How many trials a chart shows as points: all, or those of some groups."""
    wanted = groups or ("points", "stopped", "best")
    drawn = [e for e in chart.iter() if e.attrib.get("id", "").rpartition("-")[2] in wanted]
    return sum(len(e.findall(".//{*}use")) for e in drawn)


def check_self_contained(page: str) -> list[str]:
    """Assert that a page holds all that it needs and runs nothing; return where its links go."""
    read = Read(page)
    assert {"script", "image", "iframe"}.isdisjoint(tag for tag, _ in read.found)
    pictures = [names["src"] for tag, names in read.found if tag == "img"]
    assert all(source.startswith("data:image/png;base64,") for source in pictures)
    assert all(names["alt"] for tag, names in read.found if tag == "img")
    named = [(name, value) for _, names in read.found for name, value in names.items()]
    assert not [name for name, _ in named if name == "srcset" or name.startswith("on")]
    assert sum(name == "src" for name, _ in named) == len(pictures)
    assert "@import" not in read.inside["style"]
    assert not re.search(r"url\((?!#)", page)
    [policy] = [names["content"] for _, names in read.found if "http-equiv" in names]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "prefers-color-scheme: dark" in read.inside["style"]
    for chart in charts_of(page):
        assert chart.attrib["role"] == "img"
        assert chart.attrib["aria-label"] == chart.findtext("{*}title") != ""
    return [value for name, value in named if name == "href" and not value.startswith("#")]
