"""Axes of charts: round numbers, places, and words that stay words."""

from xml.etree import ElementTree

import pytest

from tfpipe import hp
from tfpipe.text import brief
from tfpipe.tuning.dimension import Dimension, dimensions_of
from tfpipe.tuning.svg import Frame, Scale, clipped, element, picture, plain, squeezed, text


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 1), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (Scale(0.273, 0.759), [0.3, 0.4, 0.5, 0.6, 0.7]),
        (Scale(-3, 40), [0.0, 10.0, 20.0, 30.0, 40.0]),
        (Scale(16, 256), [50.0, 100.0, 150.0, 200.0, 250.0]),
        (Scale(5, 5), [5]),
        (Scale(1e-4, 1e-1, log=True), [1e-4, 1e-3, 1e-2, 1e-1]),
        (Scale(0.02, 0.3, log=True), [0.02, 0.05, 0.1, 0.2]),
        (Scale(1.2, 1.4, log=True), [1.2, 1.4]),
        (Scale(1e-12, 1e12, log=True), [1e-12, 1e-7, 1e-2, 1e3, 1e8]),
    ],
)
def test_ticks_are_round_numbers_between_the_ends(scale: Scale, ticks: list[float]) -> None:
    assert scale.ticks() == ticks


def test_places_on_a_scale() -> None:
    assert [Scale(0, 4).share(v) for v in (-1, 0, 1, 4, 9)] == [0, 0, 0.25, 1, 1]
    assert Scale(1e-4, 1, log=True).share(0.01) == pytest.approx(0.5)
    assert Scale(3, 3).share(3) == 0.5
    assert Frame(200, 100, Scale(0, 1), Scale(0, 1)).at(0, 1) == (52, 14)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.1, "0.1"),
        (0.001, "0.001"),
        (1e-4, "1e-4"),
        (2.5e-7, "2.5e-7"),
        (250.0, "250"),
        (99999.0, "99999"),
        (1e5, "1e5"),
        (-1.25e9, "-1.25e9"),
        (0.0, "0"),
    ],
)
def test_numbers_on_an_axis(value: float, words: str) -> None:
    assert plain(value) == words


def test_words_of_others_stay_words() -> None:
    evil = "</text><script>\"'&"
    drawn = picture(10.0, 5.5, evil, text(evil, 1, 2), element("g", data_t=evil))
    root = ElementTree.fromstring(drawn)
    assert [child.tag for child in root] == ["text", "g"]
    assert (root[0].text, root[1].attrib["data-t"], root.attrib["aria-label"]) == (evil,) * 3
    assert root.attrib["viewBox"] == "0 0 10 5.5"
    assert (clipped("abcdef", 6), clipped("abcdefg", 6)) == ("abcdef", "abcde…")
    long = ("Adam(learning_rate=0.001)", "Adam(learning_rate=1.0)", "SGD")
    assert [squeezed(name, 14) for name in long] == ["Adam(le…0.001)", "Adam(le…e=1.0)", "SGD"]


def test_places_in_a_range() -> None:
    rate = Dimension("rate", hp.Float(1e-3, min=1e-4, max=1e-2, log=True))
    choice = Dimension("choice", hp.Choice("x", values=tuple("xyzw")), labels=tuple("xyzw"))
    assert [rate.share(v) for v in (1e-4, 1e-3, 1e-2)] == pytest.approx([0, 0.5, 1])
    assert [choice.share(v) for v in ("x", "w")] == [0.125, 0.875]
    assert [Dimension("on", hp.Bool(True)).share(v) for v in (False, True)] == [
        0.25,
        0.75,
    ]


def test_ranges_in_words() -> None:
    data = {"dimensions": [], "size": None}
    one = {"name": "a", "when": [["b", 2]], "min": 16, "max": 256, "log": False}
    data["dimensions"] = [  # type: ignore[assignment]
        {**one, "type": "Int", "declared": 32, "step": 16},
        {**one, "type": "Int", "declared": 32, "step": 1},
        {**one, "type": "Float", "declared": 3e-5, "min": 1e-5, "step": None, "log": True},
        {"name": "c", "type": "Choice", "declared": "x", "labels": ["x", "y"], "when": []},
        {"name": "d", "type": "Bool", "declared": True, "when": []},
    ]
    axes = dimensions_of(data)
    assert [axis.described() for axis in axes] == [
        "16 to 256 (step 16)",
        "16 to 256",
        "1e-05 to 256 (logarithmic)",
        "x, y",
        "False, True",
    ]
    assert axes[0].when == (("b", 2),)
    assert [brief(v) for v in (0.123456, 12, True, "x", None)] == ["0.1235", "12", "True", "x", ""]
