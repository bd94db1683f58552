"""The figures of a comparison: which points are where, and labels that can be read."""

from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.text import Text
from PIL import Image

from tfpipe.evaluation.report.comparison import (
    FIGURES,
    Point,
    figures_of,
    frontier,
    pictures_of,
    placed,
    scatter,
)
from tfpipe.verbs.networks import PUBLISHED

SMALL = Point("MobileNet", "MobileNet", 0.6, 4_000_000, 0.02)
LARGE = Point("VGG16", "VGG", 0.9, 138_000_000, 0.5)
UNTIMED = Point("Xception", "Xception", 0.95, 23_000_000, None)
AXES = {file: axes for file, (_, axes) in FIGURES.items()}


def test_each_figure_is_drawn_for_a_page_and_as_a_picture() -> None:
    points = [LARGE, SMALL, UNTIMED]
    charts = [ElementTree.fromstring(str(drawing)) for drawing in figures_of(points)]
    titles = [chart.attrib["aria-label"] for chart in charts]
    assert titles == ["Accuracy against size", "Error against time", "Time against size"]
    pictures = dict(pictures_of(points, "cifar10"))
    assert list(pictures) == ["accuracy_size.png", "error_time.png", "time_size.png"]
    for data in pictures.values():
        image = Image.open(BytesIO(data))
        image.load()
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 50, "something is drawn"


def test_a_figure_without_values_is_left_out() -> None:
    assert len(figures_of([UNTIMED])) == 1
    assert list(dict(pictures_of([UNTIMED], "cifar10"))) == ["accuracy_size.png"]
    unmeasured = Point("VGG16", "VGG", float("nan"), 10, None)
    assert placed([SMALL, unmeasured], *AXES["accuracy_size"][:2]) == [(SMALL, 4e6, 0.6)]
    assert figures_of([]) == list(pictures_of([], "cifar10")) == []


def test_where_the_points_are() -> None:
    networks = [SMALL, LARGE, UNTIMED]
    found = {f: [(n.name, x, y) for n, x, y in placed(networks, *AXES[f][:2])] for f in AXES}
    assert found["accuracy_size"] == [
        ("MobileNet", 4e6, 0.6),
        ("VGG16", 138e6, 0.9),
        ("Xception", 23e6, 0.95),
    ]
    assert found["error_time"] == [
        ("MobileNet", 20, pytest.approx(0.4)),
        ("VGG16", 500, pytest.approx(0.1)),
    ]
    assert found["time_size"] == [("MobileNet", 4e6, 20), ("VGG16", 138e6, 500)]
    [axes] = scatter(networks, *AXES["accuracy_size"]).axes
    drawn = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_gid() == "points"]
    assert drawn == [[4e6, 0.6], [138e6, 0.9], [23e6, 0.95]]
    [line] = [line for line in axes.lines if line.get_gid() == "line"]
    assert line.get_xydata().tolist() == [[4e6, 0.6], [23e6, 0.95]]


def test_no_error_at_all_has_a_place_on_a_logarithmic_axis() -> None:
    assert Point("VGG16", "VGG", 1.0, 1, 1.0).error == 1e-4


def test_the_line_goes_through_what_none_beats_on_both_axes() -> None:
    points = [(1.0, 0.6), (2.0, 0.5), (3.0, 0.7), (3.0, 0.9)]
    assert frontier(points, (-1, 1)) == [(1.0, 0.6), (3.0, 0.9)]
    assert frontier(points, (-1, -1)) == [(1.0, 0.6), (2.0, 0.5)]


@pytest.mark.parametrize("file", AXES)
def test_labels_cover_neither_each_other_nor_a_point(file: str) -> None:
    networks = [
        Point(name, name, 0.5 + 0.4 * (i * 7 % 28) / 28, (3 + i) * 10**6, 0.01 * (3 + i * 5 % 28))
        for i, name in enumerate(PUBLISHED)
    ]
    figure = scatter(networks, *AXES[file])
    [axes] = figure.axes
    figure.draw_without_rendering()
    page = axes.get_window_extent()
    # Without the line to its point, which an annotation counts as a part of itself.
    boxes = {t.get_text(): Text.get_window_extent(t) for t in axes.texts}
    assert set(boxes) == set(PUBLISHED)
    points = [line for line in axes.lines if line.get_gid() == "points"]
    marks = [axes.transData.transform(line.get_xydata()[0]) for line in points]
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
def test_every_axis_has_numbers(accuracies: tuple[float, float]) -> None:
    networks = [Point("VGG16", "VGG", a, 14_700_000 + i, 0.5) for i, a in enumerate(accuracies)]
    for given in AXES.values():
        [axes] = scatter(networks, *given).axes
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            assert any(low <= place <= high for place in axis.get_majorticklocs())
