"""The page of a run: verdict, facts, curves, sections; what others wrote stays text."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from pages import EVIL, Read, charts_of, check_self_contained

from tfpipe.evaluation.report.charts import (
    confusion_figure,
    curve_figure,
    forecast_figure,
    settings_figure,
)
from tfpipe.evaluation.report.page import png
from tfpipe.evaluation.report.run import RunPage
from tfpipe.evaluation.report.sections import Card, Drawing, Section, Table
from tfpipe.evaluation.samples import Shown
from tfpipe.training.reporting import EpochRow

FACTS = {"directory": "runs/small/1", "data": "Arrays · 72 train"}
METRICS = {"train": {"loss": 0.5, "accuracy": 0.75}, "test": {"loss": 0.25}}
NAMES, MATRIX = ("cat", "dog", "owl"), np.array([[8, 1, 1], [0, 2, 0], [3, 0, 1]])
PICTURE = Shown(np.zeros((4, 4, 3), np.uint8)).png()


def rows(*losses: float, **more: float) -> list[EpochRow]:
    measured = ({"loss": v, "val_loss": 2 * v, "learning_rate": 0.1, **more} for v in losses)
    return [EpochRow(i, 9, 1.5, 1.0, metrics, 0.25) for i, metrics in enumerate(measured, 1)]


def test_a_run_in_numbers(tmp_path) -> None:
    card = Card("cat 87% (dog)", False, PICTURE, "sample 3", (("cat", 0.87), ("dog", 0.13)))
    section = Section(
        "classes",
        "Classes",
        ("8 of 10 are right.",),
        (Table(("class", "samples"), [("cat", "10"), ("dog", "2")], "Note.", frozenset({"dog"})),),
        (Drawing("confusion", "Confusion matrix", lambda: confusion_figure(NAMES, MATRIX), False),),
        (("Worst errors", (card, Card("a text", None, text="long", marks=(("good", 1.0),)))),),
    )
    page = RunPage(
        "small/1",
        "Small",
        FACTS,
        METRICS,
        rows(0.5, 0.25),
        2,
        ["How good.", "How it fits."],
        [section],
        [("epochs", "2", "small.py:9", False), ("seed", "0", "default", True)],
        {"python": "3.11"},
        ["Mind this."],
    ).html(tmp_path)
    assert check_self_contained(page) == []
    read = Read(page)
    words = " ".join(read.words.split())
    assert words.startswith(
        "small/1 · run small/1 Small Mind this. How good. How it fits. directory runs/small/1 data "
    )
    assert "split loss accuracy train 0.5000 0.7500 test 0.2500 " in words
    assert "All 2 epochs epoch loss val_loss seconds 1 0.5000 1.0000 1.5 2 0.2500 0.5000" in words
    assert "Classes 8 of 10 are right. Confusion matrix cat dog owl answered" in words
    assert "class samples cat 10 dog 2 Note. Worst errors cat 87% (dog) cat 87% dog 13%" in words
    assert "What was declared field value from epochs 2 small.py:9 seed 0 default" in words
    assert [chart.attrib["aria-label"] for chart in charts_of(page)] == [
        "loss over the epochs",
        "Learning rate and input wait over the epochs",
        "Confusion matrix",
    ]
    marked = [a for tag, a in read.found if tag == "tr" and a.get("class") == "differs"]
    assert len(marked) == 2, "the dog, and the epochs, which are no default"
    [wrong] = [a for _, a in read.found if a.get("class") == "card wrong"]
    assert wrong
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f"{name}.{ending}"
        for name in ("curve_loss", "curve_settings", "confusion")
        for ending in ("svg", "png")
    }
    drawing = ElementTree.parse(tmp_path / "confusion.svg").getroot()
    assert drawing.tag.endswith("svg")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_a_curve_has_a_line_for_each_of_training_and_validation() -> None:
    [axes] = curve_figure("loss", rows(0.5, math.nan, 0.25), 3, [2]).axes
    drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_array_equal(drawn["train"], [[1, 0.5], [2, math.nan], [3, 0.25]])
    np.testing.assert_array_equal(drawn["validation"][[0, 2]], [[1, 1.0], [3, 0.5]])
    assert drawn["best"][:, 0].tolist() == [3, 3]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_gid() == "phase"] == [1.5]
    left, right = settings_figure(rows(0.5, 0.25)).axes
    assert left.lines[0].get_ydata().tolist() == [0.1, 0.1]
    assert right.lines[0].get_ydata().tolist() == [0.25, 0.25]


def test_a_loss_that_was_never_finite_is_said() -> None:
    page = RunPage("small/1", "Small", FACTS, METRICS, rows(math.nan, math.inf)).html()
    words = " ".join(Read(page).words.split())
    assert "loss over the epochs: this could not be drawn (ValueError: no epoch has a" in words
    assert "1 nan nan 1.5 2 inf inf 1.5" in words


def test_what_cannot_be_drawn_is_said_in_the_page() -> None:
    def broken() -> None:
        raise ValueError(EVIL)

    section = Section("", "Broken", drawings=(Drawing("broken", "A figure", broken),))
    page = RunPage("small/1", "Small", FACTS, METRICS, (), sections=[section]).html()
    check_self_contained(page)
    assert f"A figure: this could not be drawn (ValueError: {EVIL})." in Read(page).words


def test_a_confusion_matrix_counts_in_its_cells() -> None:
    [axes] = confusion_figure(NAMES, MATRIX, "small").axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert (cells[0, 0], cells[2, 0], cells[0, 2]) == ("8\n80%", "1\n10%", "3\n75%")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["cat", "dog", "owl"]
    assert axes.yaxis_inverted()
    [mesh] = axes.collections
    assert mesh.get_array()[1].tolist() == [0.0, 1.0, 0.0]
    assert axes.get_title() == "small"
    [many] = confusion_figure([f"c{i}" for i in range(21)], np.eye(21, dtype=int)).axes
    assert len(many.texts) == 0


def test_a_long_series_is_drawn_to_its_end() -> None:
    true = np.arange(1000.0)
    [axes] = forecast_figure(true, true + 1, 3).axes
    assert axes.lines[1].get_xydata()[-1].tolist() == [999, 1000]
    assert axes.lines[1].get_label() == "3 ahead"


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    names = (EVIL, "$\\frac$")
    card = Card(
        EVIL, True, PICTURE, EVIL, ((EVIL, 0.5),), ((EVIL, EVIL),), EVIL, ((EVIL, -0.5),), EVIL
    )
    section = Section(
        EVIL,
        EVIL,
        (EVIL,),
        (Table((EVIL,), [(EVIL,)], EVIL, frozenset({EVIL})),),
        (Drawing("evil", EVIL, lambda: confusion_figure(names, np.eye(2, dtype=int))),),
        ((EVIL, (card,)),),
    )
    more = rows(0.5, **{EVIL: 0.5})
    facts, metrics = {EVIL: EVIL}, {EVIL: {EVIL: 0.5}}
    fields = [(EVIL, EVIL, EVIL, False)]
    page = RunPage(
        EVIL, EVIL, facts, metrics, more, 1, [EVIL], [section], fields, {EVIL: EVIL}, [EVIL]
    ).html()
    check_self_contained(page)
    charts = charts_of(page)
    assert len(charts) == 3
    assert EVIL in "".join(ElementTree.tostring(charts[-1], encoding="unicode", method="text"))
    assert png(confusion_figure, names, np.eye(2, dtype=int), EVIL).startswith(b"\x89PNG")


@pytest.mark.parametrize(("card", "right"), [(Card("a", True), "card right"), (Card("a"), "card")])
def test_a_card_says_whether_it_is_right(card: Card, right: str) -> None:
    section = Section("", "Samples", cards=(("All", (card,)),))
    page = RunPage("small/1", "Small", FACTS, {}, (), sections=[section]).html()
    assert right in [a.get("class") for _, a in Read(page).found]
