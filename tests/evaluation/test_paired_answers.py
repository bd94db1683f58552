"""Answers of two models: paired by sample, and compared."""

import numpy as np
from recorded import CLASSES, NUMBER, answered

from tfpipe.evaluation.paired_answers import Paired, compare_answers, pair
from tfpipe.evaluation.significance import Bootstrap, McNemar
from tfpipe.tasks.task import task_of

CLASS, REAL = task_of(CLASSES), task_of(NUMBER)


def rows(found: Paired) -> list[tuple[int, int]]:
    return sorted(zip(*(part.tolist() for part in found.rows), strict=True))


def test_samples_are_paired_whatever_their_order() -> None:
    found = pair(answered([0, 1, 2], [0, 0, 0], [7, 8, 9]), answered([2, 0], [0, 0], [9, 7]))
    assert rows(found) == [(0, 1), (2, 0)]
    assert (found.sizes, found.relabelled) == ((3, 2), 0)


def test_equal_samples_are_paired_as_often_as_both_have_them() -> None:
    found = pair(
        answered([1, 1, 1, 0], [0, 0, 0, 0], [5, 5, 5, 5]), answered([0, 1, 1], [0] * 3, [5] * 3)
    )
    assert len(found) == 3
    assert {3: 0}.items() <= dict(rows(found)).items()  # the one with label 0
    assert found.relabelled == 0


def test_samples_with_other_labels_are_counted_and_left_out() -> None:
    found = pair(answered([0, 1], [0, 0]), answered([0, 2], [0, 0]))
    assert (rows(found), found.relabelled) == ([(0, 0)], 1)


def test_right_and_wrong_answers_are_told_apart() -> None:
    first, second = answered([0, 1, 2, 0], [0, 1, 2, 1]), answered([2, 1, 0], [0, 2, 0], [2, 1, 0])
    paired = pair(first, second)
    found = compare_answers(CLASS, first.outputs[""], second.outputs[""], paired)
    assert found == McNemar(3, 3, 1, 2, 0, 0.5)


def test_an_answer_that_is_no_number_is_wrong() -> None:
    first, second = answered([0, 0], [0, 0]), answered([0, 0], [0, 0])
    second.outputs[""].answers[0] = np.nan
    found = compare_answers(CLASS, first.outputs[""], second.outputs[""], pair(first, second))
    assert isinstance(found, McNemar)
    assert (found.first, found.second) == (2, 1)


def test_numbers_are_compared_by_how_far_off_they_are() -> None:
    first, second = answered([1.0, 2.0, 3.0], [1.5, 2.5, 2.5]), answered([1.0, 2.0, 3.0], [1, 2, 3])
    found = compare_answers(REAL, first.outputs[""], second.outputs[""], pair(first, second))
    assert isinstance(found, Bootstrap)
    assert (found.samples, found.first, found.second, found.low, found.high) == (
        3,
        0.5,
        0.0,
        -0.5,
        -0.5,
    )
    second.outputs[""].answers[1] = np.inf
    found = compare_answers(REAL, first.outputs[""], second.outputs[""], pair(first, second))
    assert found is not None
    assert found.samples == 2
    second.outputs[""].answers[:] = np.nan
    assert compare_answers(REAL, first.outputs[""], second.outputs[""], pair(first, second)) is None
