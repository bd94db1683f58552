"""The figures of a comparison: which points are where, and labels that can be read."""

from io import BytesIO
from typing import Any

import pytest
from matplotlib.text import Text
from PIL import Image

from tfpipe.evaluation.report import comparison
from tfpipe.evaluation.report.comparison import Point, figures_of, frontier, places
from tfpipe.verbs.networks import PUBLISHED

SMALL = Point("MobileNet", 0.6, 4_000_000, 0.02)
LARGE = Point("VGG16", 0.9, 138_000_000, 0.5)
UNTIMED = Point("Xception", 0.95, 23_000_000, None)
FILES = {"accuracy_size.png", "error_time.png", "time_size.png"}


def test_there_are_three_figures_that_can_be_opened() -> None:
    found = figures_of([SMALL, LARGE, UNTIMED], "cifar10")
    assert set(found) == FILES
    for data in found.values():
        image = Image.open(BytesIO(data))
        image.load()
        assert image.format == "PNG"
        assert image.size == (1140, 744)
        assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 50, "something is drawn"


def test_a_figure_without_values_is_left_out() -> None:
    assert set(figures_of([UNTIMED], "cifar10")) == {"accuracy_size.png"}


def test_where_the_points_are() -> None:
    axes = {file: figure[:2] for file, figure in comparison._FIGURES.items()}
    points = [SMALL, LARGE, UNTIMED]
    found = {file: [(p.network, x, y) for p, x, y in places(points, *axes[file])] for file in axes}
    assert found["accuracy_size.png"] == [
        ("MobileNet", 4e6, 0.6),
        ("VGG16", 138e6, 0.9),
        ("Xception", 23e6, 0.95),
    ]
    assert found["error_time.png"] == [
        ("MobileNet", 20, pytest.approx(0.4)),
        ("VGG16", 500, pytest.approx(0.1)),
    ]
    assert found["time_size.png"] == [("MobileNet", 4e6, 20), ("VGG16", 138e6, 500)]


def test_no_error_at_all_has_a_place_on_a_logarithmic_axis() -> None:
    [(_, _, error)] = places([Point("VGG16", 1.0, 1, 1.0)], comparison._TIME, comparison._ERROR)
    assert error == 1e-4


def test_the_line_goes_through_what_none_beats_on_both_axes() -> None:
    placed = [(SMALL, 1.0, 0.6), (SMALL, 2.0, 0.5), (SMALL, 3.0, 0.7), (SMALL, 3.0, 0.9)]
    assert frontier(placed, (-1, 1)) == [(1.0, 0.6), (3.0, 0.9)]
    assert frontier(placed, (-1, -1)) == [(1.0, 0.6), (2.0, 0.5)]


def test_labels_cover_neither_each_other_nor_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    label = comparison._label

    def spy(axes: Any, labels: Any) -> None:
        label(axes, labels)
        drawn.append(axes)

    monkeypatch.setattr(comparison, "_label", spy)
    points = [
        Point(name, 0.5 + 0.4 * (i * 7 % 28) / 28, (3 + i) * 10**6, 0.01 * (3 + i * 5 % 28))
        for i, name in enumerate(PUBLISHED)
    ]
    figures_of(points, "all")
    assert len(drawn) == 3
    for axes in drawn:
        renderer = axes.figure.canvas.get_renderer()
        page = axes.get_window_extent(renderer)
        # Without the line to its point, which an annotation counts as a part of itself.
        boxes = {t.get_text(): Text.get_window_extent(t, renderer) for t in axes.texts}
        assert set(boxes) == set(PUBLISHED)
        marks = [axes.transData.transform(c.get_offsets()[0]) for c in axes.collections]
        for name, box in boxes.items():
            assert page.x0 <= box.x0, name
            assert box.x1 <= page.x1, name
            covered = [n for n, other in boxes.items() if n != name and overlap(box, other) > 4]
            assert covered == []
            assert not any(box.contains(x, y) for x, y in marks), name


def overlap(one: Any, other: Any) -> float:
    """The area that two boxes share, in pixels."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(width, 0) * max(height, 0))


@pytest.mark.parametrize("accuracies", [(0.1, 0.11), (0.5, 0.5), (0.2, 0.99)])
def test_every_axis_has_numbers(
    monkeypatch: pytest.MonkeyPatch, accuracies: tuple[float, float]
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(comparison, "_label", lambda axes, labels: drawn.append(axes))
    points = [Point("VGG16", a, 14_700_000 + i, 0.5) for i, a in enumerate(accuracies)]
    figures_of(points, "alike")
    for axes in drawn:
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            assert any(low <= place <= high for place in axis.get_majorticklocs())


@pytest.mark.parametrize(
    ("value", "shown"), [(3_200_000, "3.2M"), (138e6, "138M"), (0.05, "0.05"), (120, "120")]
)
def test_numbers_on_the_axes_are_short(value: float, shown: str) -> None:
    assert comparison._short(value) == shown
