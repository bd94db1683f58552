"""The figures of a search: what is drawn, and where."""

import numpy as np
import pytest

from tfpipe.evaluation.report.search import (
    Scale,
    Scored,
    against,
    learning_curves,
    over_trials,
    parallel,
)

UNIT = Scale(0.0, 1.0)
TRIALS = [
    Scored(1, 0.5),
    Scored(2, 0.25),
    Scored(4, 0.75, stopped=True),
    Scored(5, 0.9, best=True),
    Scored(6, -7.0),
]


def groups(axes: object) -> dict[str, list[list[float]]]:
    """The points of a figure by their names."""
    lines = [line for line in axes.lines if line.get_gid()]  # type: ignore[attr-defined]
    return {line.get_gid(): np.round(line.get_xydata(), 6).tolist() for line in lines}


@pytest.mark.parametrize(
    ("rising", "best"), [(True, [0.5, 0.5, 0.75, 0.9, 0.9]), (False, [0.5, 0.25, 0.25, 0.25, 0.0])]
)
def test_each_trial_the_best_so_far_and_those_that_failed(rising: bool, best: list[float]) -> None:
    [axes] = over_trials(TRIALS, [3, 7], "val_loss", UNIT, rising=rising).axes
    assert list(axes.lines[0].get_ydata()) == best
    drawn = groups(axes)
    assert drawn["points"] == [[1, 0.5], [2, 0.25], [6, 0.0]], "at the edge what lies beyond"
    assert (drawn["stopped"], drawn["best"]) == ([[4, 0.75]], [[5, 0.9]])
    assert [x for x, _ in drawn["failed"]] == [3, 7]
    assert axes.get_xlim() == (0.5, 7.5)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("trial", "val_loss")


def test_a_range_of_numbers_on_its_own_scale() -> None:
    places = [1e-4, 1e-3, 1e-2, 1e-1, 1e-3]
    [axes] = against(places, TRIALS, UNIT, ends=Scale(1e-4, 1e-1, log=True)).axes
    assert axes.get_xscale() == "log"
    assert groups(axes)["best"] == [[0.1, 0.9]]
    low, high = axes.get_xlim()
    assert low < 1e-4 < 1e-1 < high


def test_a_choice_has_its_labels_and_their_medians() -> None:
    labels = ["SGD", "a very long name of an optimizer", "unused"]
    [axes] = against([0, 0, 1, 1, 1], TRIALS, UNIT, labels=labels).axes
    shown = [tick.get_text() for tick in axes.get_xticklabels()]
    assert shown == ["SGD", "a very long n…", "unused"]
    medians = [c.get_segments()[0].tolist() for c in axes.collections]
    assert medians == [[[-0.3, 0.375], [0.3, 0.375]], [[0.7, 0.75], [1.3, 0.75]]]
    near = [round(x) for points in groups(axes).values() for x, _ in points]
    assert sorted(near) == [0, 0, 1, 1, 1]


def test_of_many_labels_some_are_written() -> None:
    [axes] = against([0], TRIALS[:1], UNIT, labels=[f"layer {i}" for i in range(40)]).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()][:2] == ["layer 0", "layer 4"]


def test_a_line_for_each_trial_passes_below_what_it_has_not() -> None:
    ticks = [[(0.0, "0"), (1.0, "0.5")], [(0.25, "SGD"), (0.75, "Adam")], [(0.0, "0.1")]]
    names = ["model.dropout", "optimizer", "val_accuracy"]
    [axes] = parallel(names, ticks, [[0.5, 0.25, 1.0], [0.1, None, 0.5]]).axes
    worse, best = (list(line.get_ydata()) for line in axes.lines)
    assert (best, worse) == ([0.5, 0.25, 1.0], [0.1, -0.12, 0.5])
    assert axes.lines[1].get_gid() == "best"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "dropout",
        "optimizer",
        "val_accuracy",
    ]
    assert [text.get_text() for text in axes.texts] == ["0", "0.5", "SGD", "Adam", "0.1"]


def test_learning_curves_are_told_apart() -> None:
    curves = [(f"trial {i}", [1, 2], [0.1 * i, 0.2 * i]) for i in range(5)]
    [axes] = learning_curves(curves, "val_accuracy").axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        f"trial {i}" for i in range(5)
    ]
    assert len({line.get_color() for line in axes.lines}) == 5


def test_places_on_a_scale() -> None:
    assert [Scale(0, 4).share(v) for v in (-1, 0, 1, 4, 9)] == [0, 0, 0.25, 1, 1]
    assert Scale(1e-4, 1, log=True).share(0.01) == pytest.approx(0.5)
