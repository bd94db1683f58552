"""The report of a comparison: which points are where, labels that can be read, the table."""

from io import BytesIO
from typing import Any

import pytest
from matplotlib.text import Text
from pages import EVIL, Read, charts_of, check_self_contained
from PIL import Image

from tfpipe.evaluation.report.comparison import (
    FIGURES,
    Network,
    comparison_files,
    frontier,
    placed,
    scatter,
)
from tfpipe.verbs.networks import PUBLISHED

SMALL = Network("MobileNet", "MobileNet", 0.6, 4_000_000, 0.02)
LARGE = Network("VGG16", "VGG", 0.9, 138_000_000, 0.5)
UNTIMED = Network("Xception", "Xception", 0.95, 23_000_000, None)
AXES = {file: axes for file, (_, axes) in FIGURES.items()}


def files(*networks: Network, **more: Any) -> dict[str, bytes]:
    given: dict[str, Any] = {"facts": {"training": "the head"}, "heads": ("network", "val acc")}
    rows = [(n.name, f"{n.accuracy:.4f}") for n in networks]
    return dict(comparison_files("cifar10/1", networks, **{**given, "rows": rows, **more}))


def test_the_page_has_the_figures_and_the_table() -> None:
    failures = [("NASNetLarge", "It is too large.")]
    written = files(LARGE, SMALL, UNTIMED, measured="In ms.", failures=failures)
    assert list(written) == [
        *("report.html", "accuracy_size.png", "error_time.png", "time_size.png"),
    ]
    page = written.pop("report.html").decode()
    assert check_self_contained(page) == ["table.csv"]
    titles = [chart.attrib["aria-label"] for chart in charts_of(page)]
    assert titles == ["Accuracy against size", "Error against time", "Time against size"]
    words = " ".join(Read(page).words.split())
    assert "cifar10/1 compare-models training the head Accuracy, size and time" in words
    assert "network val acc VGG16 0.9000 MobileNet 0.6000 Xception 0.9500 In ms." in words
    assert "Failures network reason NASNetLarge It is too large." in words
    for data in written.values():
        image = Image.open(BytesIO(data))
        image.load()
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 50, "something is drawn"


def test_a_figure_without_values_is_left_out() -> None:
    written = files(UNTIMED)
    assert set(written) == {"report.html", "accuracy_size.png"}
    assert len(charts_of(written["report.html"].decode())) == 1


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    network = Network(EVIL, EVIL, 0.5, 10, 0.1)
    page = files(network, facts={EVIL: EVIL}, measured=EVIL, failures=[(EVIL, EVIL)])
    check_self_contained(page["report.html"].decode())
    assert len(charts_of(page["report.html"].decode())) == 3


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
    assert Network("VGG16", "VGG", 1.0, 1, 1.0).error == 1e-4


def test_the_line_goes_through_what_none_beats_on_both_axes() -> None:
    points = [(1.0, 0.6), (2.0, 0.5), (3.0, 0.7), (3.0, 0.9)]
    assert frontier(points, (-1, 1)) == [(1.0, 0.6), (3.0, 0.9)]
    assert frontier(points, (-1, -1)) == [(1.0, 0.6), (2.0, 0.5)]


@pytest.mark.parametrize("file", AXES)
def test_labels_cover_neither_each_other_nor_a_point(file: str) -> None:
    networks = [
        Network(name, name, 0.5 + 0.4 * (i * 7 % 28) / 28, (3 + i) * 10**6, 0.01 * (3 + i * 5 % 28))
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
    networks = [Network("VGG16", "VGG", a, 14_700_000 + i, 0.5) for i, a in enumerate(accuracies)]
    for given in AXES.values():
        [axes] = scatter(networks, *given).axes
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            assert any(low <= place <= high for place in axis.get_majorticklocs())
