"""Figures and templates: what holds for each of them, whatever is drawn."""

import re
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from conftest import Python
from matplotlib.figure import Figure
from pages import EVIL

from tfpipe.evaluation.report.page import (
    TEMPLATES,
    measured,
    new_figure,
    png,
    scale_axis,
    short,
    svg,
)


def line(label: str = "a line") -> Figure:
    figure, axes = new_figure(3.0, 2.0)
    axes.plot([1, 2], [3, 4], label=label)
    axes.set(xlabel=label)
    axes.legend()
    return figure


def texts(drawing: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(drawing).iter() if e.tag.endswith("text")]


def test_a_figure_says_what_it_shows_and_has_the_colours_of_the_page() -> None:
    drawing = svg("How it went", line)
    root = ElementTree.fromstring(drawing)
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "How it went")
    assert root[0].text == "How it went"
    assert "currentColor" in drawing
    assert "#ffffff" not in drawing
    assert "#000000" not in drawing
    assert set(re.findall('font-family: ([^;"]*)', drawing)) == {"inherit"}


def test_a_figure_is_the_same_each_time() -> None:
    assert svg("How it went", line) == svg("How it went", line)
    assert "<dc:date>" not in svg("How it went", line)


def test_figures_of_one_page_share_no_ids() -> None:
    drawings = [svg(title, line) for title in ("one", "two")]
    ids = [re.findall(r'\sid="([^"]*)"', drawing) for drawing in drawings]
    assert set(ids[0]).isdisjoint(ids[1])
    for drawing, own in zip(drawings, ids, strict=True):
        assert set(re.findall(r"(?:url\(#|href=\"#)([^)\"]*)", drawing)) <= set(own)


@pytest.mark.parametrize("name", [EVIL, "$x$ and $\\frac$", 'x id="y"', "犬 🐕"])
def test_any_name_can_be_drawn_and_stays_text(name: str) -> None:
    drawing = svg(name, line, name)
    assert ElementTree.fromstring(drawing).attrib["aria-label"] == name
    assert "".join(texts(drawing)).count(name) == 2
    assert png(line, name).startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_said() -> None:
    def broken() -> Figure:
        raise ValueError(EVIL)

    said = svg("The loss", broken)
    assert said == f"The loss: this could not be drawn (ValueError: {EVIL})."


def test_drawing_leaves_the_state_of_matplotlib_alone() -> None:
    before = dict(mpl.rcParams)
    svg("How it went", line)
    png(line)
    assert dict(mpl.rcParams) == before


TEMPLATE_NAMES = ("base", "macros", "page", "run", "runs", "search", "comparison")


def test_each_page_is_named_beside_the_base() -> None:
    names = {file.name for file in TEMPLATES.iterdir()}
    assert names == {f"{n}.html.jinja" for n in TEMPLATE_NAMES}


def test_what_renders_is_imported_when_it_renders() -> None:
    modules = "tfpipe.evaluation.report.run", "tfpipe.evaluation.report.comparison"
    code = f"import sys, {', '.join(modules)}; print({{'jinja2', 'matplotlib'}} & {{*sys.modules}})"
    out, err = Python("-c", code).communicate()
    assert out == "set()\n", err


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3_200_000, "3.2M"),
        (138e6, "138M"),
        (2e9, "2B"),
        (12_500, "12.5k"),
        (9_999, "9999"),
        (120, "120"),
        (0.05, "0.05"),
        (1e-5, "1e-5"),
        (2.5e12, "2.5e+12"),
        (0.1 + 0.2, "0.3"),
        (0, "0"),
    ],
)
def test_numbers_on_an_axis_are_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.25, "0.2500"), (float("nan"), "nan"), (float("inf"), "inf")],
)
def test_metrics_in_a_table(value: float | None, text: str) -> None:
    assert measured(value, "-") == text


@pytest.mark.parametrize(
    ("ends", "log", "ticks"),
    [
        ((0.0, 1.0), False, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((0.273, 0.759), False, [0.3, 0.4, 0.5, 0.6, 0.7]),
        ((1e-4, 1e-1), True, [1e-4, 1e-3, 1e-2, 1e-1]),
        ((0.02, 0.3), True, [0.02, 0.05, 0.1, 0.2]),
        ((1.2, 1.4), True, [1.2, 1.25, 1.3, 1.35, 1.4]),
    ],
)
def test_ticks_are_round_numbers_between_the_ends(
    ends: tuple[float, float], log: bool, ticks: list[float]
) -> None:
    _, axes = new_figure(4.0, 3.0)
    scale_axis(axes, "x", ends, log=log)
    places = [p for p in axes.xaxis.get_majorticklocs() if ends[0] - 1e-12 <= p <= ends[1] + 1e-12]
    assert places == pytest.approx(ticks)
