"""The page of a run: its facts, metrics, curves and classes."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from pages import EVIL, Read, charts_of, check_self_contained

from tfpipe.evaluation.classes import Confusion
from tfpipe.evaluation.report.page import png
from tfpipe.evaluation.report.run import confusion_figure, curve_figure, run_report
from tfpipe.training.reporting import EpochRow

FACTS = {"directory": "runs/small/1", "data": "Arrays · 72 train"}
METRICS = {"train": {"loss": 0.5, "accuracy": 0.75}, "test": {"loss": 0.25}}
COUNTS = Confusion(("cat", "dog", "owl"), np.array([[8, 1, 1], [0, 2, 0], [3, 0, 1]]))


def rows(*losses: float, **more: float) -> list[EpochRow]:
    measured = ({"loss": v, "val_loss": 2 * v, "learning_rate": 0.1, **more} for v in losses)
    return [EpochRow(i, 9, 1.5, 1.0, metrics) for i, metrics in enumerate(measured, 1)]


def test_a_run_in_numbers() -> None:
    page = run_report(
        "small/1",
        "Small",
        FACTS,
        METRICS,
        rows(0.5, 0.25),
        confusion={"": COUNTS},
        notes=["Mind this."],
    )
    assert check_self_contained(page) == []
    words = " ".join(Read(page).words.split())
    assert words.startswith("small/1 · run small/1 Small Mind this. directory runs/small/1 data ")
    assert "split loss accuracy train 0.5000 0.7500 test 0.2500 " in words
    assert "All 2 epochs epoch loss val_loss seconds 1 0.5000 1.0000 1.5 2 0.2500 0.5000" in words
    assert "class samples right most often taken for cat 10 80.0% dog (1) dog 2 100.0%" in words
    assert [chart.attrib["aria-label"] for chart in charts_of(page)] == [
        "loss over the epochs",
        "Confusion matrix of the test split",
    ]


def test_without_classes_and_without_a_test_split() -> None:
    page = run_report("small/1", "Small", FACTS, {"train": {"loss": 0.5}}, rows(0.5))
    words = Read(page).words
    assert "Classes" not in words
    assert len(charts_of(page)) == 1


def test_a_curve_has_a_line_for_each_of_training_and_validation() -> None:
    [axes] = curve_figure("loss", rows(0.5, math.nan, 0.25)).axes
    drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert set(drawn) == {"train", "validation"}
    np.testing.assert_array_equal(drawn["train"], [[1, 0.5], [2, math.nan], [3, 0.25]])
    np.testing.assert_array_equal(drawn["validation"][[0, 2]], [[1, 1.0], [3, 0.5]])


def test_a_loss_that_was_never_finite_is_said() -> None:
    page = run_report("small/1", "Small", FACTS, METRICS, rows(math.nan, math.inf))
    words = " ".join(Read(page).words.split())
    assert charts_of(page) == []
    assert "loss over the epochs: this could not be drawn (ValueError: no epoch has a" in words
    assert "1 nan nan 1.5 2 inf inf 1.5" in words


def test_what_cannot_be_drawn_is_said_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError(EVIL)

    monkeypatch.setattr("tfpipe.evaluation.report.run.curve_figure", broken)
    page = run_report("small/1", "Small", FACTS, METRICS, rows(0.5))
    check_self_contained(page)
    assert (
        f"loss over the epochs: this could not be drawn (ValueError: {EVIL})." in Read(page).words
    )


def test_a_confusion_matrix_counts_in_its_cells() -> None:
    [axes] = confusion_figure(COUNTS, "small").axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert (cells[0, 0], cells[2, 0], cells[0, 2]) == ("8", "1", "3"), "(answered, true)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["cat", "dog", "owl"]
    assert axes.yaxis_inverted()
    [mesh] = axes.collections
    assert mesh.get_array()[1].tolist() == [0.0, 1.0, 0.0]
    assert axes.get_title() == "small"


@pytest.mark.parametrize("count", [21, 61])
def test_many_classes_are_a_picture_beside_the_page(count: int) -> None:
    counts = Confusion(tuple(f"c{i}" for i in range(count)), np.eye(count, dtype=int))
    page = run_report("small/1", "Small", FACTS, METRICS, rows(0.5), confusion={"": counts})
    assert check_self_contained(page) == ["test_confusion.png"]
    assert len(charts_of(page)) == 1
    [axes] = confusion_figure(counts).axes
    assert (len(axes.texts), len(axes.get_xticks())) == (0, count if count < 60 else 0)


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    counts = Confusion((EVIL, "$\\frac$"), np.eye(2, dtype=int))
    page = run_report(
        EVIL,
        EVIL,
        {EVIL: EVIL},
        {EVIL: {EVIL: 0.5}},
        rows(0.5, **{EVIL: 0.5}),
        confusion={"": counts},
        notes=[EVIL],
    )
    check_self_contained(page)
    charts = charts_of(page)
    assert len(charts) == 3
    assert EVIL in "".join(ElementTree.tostring(charts[-1], encoding="unicode", method="text"))
    assert png(confusion_figure, counts, EVIL).startswith(b"\x89PNG")
