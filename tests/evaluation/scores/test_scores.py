"""The figures of a split: equal to scikit-learn's, or worked out by hand."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from tfpipe.evaluation.scores.baseline import constant_class, constant_number, linear
from tfpipe.evaluation.scores.calibration import calibration, heated, temperature
from tfpipe.evaluation.scores.classes import ClassScores, thresholds
from tfpipe.evaluation.scores.label_errors import doubtful_labels, suspicious_labels
from tfpipe.evaluation.scores.numbers import NumberScores
from tfpipe.evaluation.scores.slices import slices

RNG = np.random.default_rng(0)
NAMES = ("ape", "bee", "cow")


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def drawn(probabilities: np.ndarray) -> np.ndarray:
    """Labels that come true as often as probabilities say."""
    return np.array([RNG.choice(len(p), p=p) for p in probabilities])


LOGITS = RNG.normal(size=(4000, 3)) * 2
Y = drawn(softmax(LOGITS))
P = softmax(LOGITS)


def test_figures_of_classes_are_scikit_learns() -> None:
    scores = ClassScores(NAMES, P, Y)
    said = P.argmax(axis=1)
    assert scores.accuracy == metrics.accuracy_score(Y, said)
    found = binomtest(int((said == Y).sum()), len(Y)).proportion_ci(method="wilson")
    assert scores.interval == (found.low, found.high)
    expected = metrics.precision_recall_fscore_support(Y, said)
    for column, values in zip(("precision", "recall", "f1", "samples"), expected, strict=True):
        assert [getattr(row, column) for row in scores.by_class] == values.tolist()
    assert scores.macro_f1 == pytest.approx(metrics.f1_score(Y, said, average="macro"))
    np.testing.assert_array_equal(scores.matrix, metrics.confusion_matrix(Y, said))
    assert scores.top(2) == metrics.top_k_accuracy_score(Y, P, k=2)
    one_against_all = [metrics.roc_auc_score(i == Y, P[:, i]) for i in range(3)]
    np.testing.assert_allclose(scores.areas, one_against_all)
    curves = {curve.name: curve for curve in scores.roc()}
    assert [*curves] == [NAMES[i] for i in np.argsort(one_against_all)]
    assert metrics.auc(curves["bee"].x, curves["bee"].y) == pytest.approx(one_against_all[1])
    [bee] = [curve for curve in scores.precision_recall() if curve.name == "bee"]
    assert bee.area == metrics.average_precision_score(Y == 1, P[:, 1])
    wrong = scores.matrix - np.diag(np.diag(scores.matrix))
    true, answered = np.unravel_index(wrong.argmax(), (3, 3))
    assert scores.confused(1) == [(NAMES[true], NAMES[answered], int(wrong.max()))]


def test_a_class_without_samples_and_answers_that_are_no_numbers() -> None:
    answers = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [np.nan] * 3])
    scores = ClassScores(NAMES, answers, np.array([0, 1, 1]))
    assert (scores.unanswered, scores.accuracy) == (1, 2 / 3)
    assert scores.matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    ape, bee, cow = scores.by_class
    assert (bee.precision, bee.recall, bee.samples) == (1.0, 0.5, 2)
    assert (ape.f1, cow.samples) == (1.0, 0)
    assert math.isnan(cow.recall)
    assert scores.macro_f1 == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(scores.areas[2])
    assert [curve.name for curve in scores.roc()] == ["ape", "bee"]
    nothing = ClassScores(NAMES, np.full((2, 3), np.nan), np.array([0, 1]))
    assert (nothing.accuracy, nothing.matrix.sum()) == (0.0, 0)


def test_thresholds_trade_precision_for_recall() -> None:
    scores = np.array([0.1, 0.35, 0.4, 0.8])
    labels = np.array([0, 1, 0, 1])
    rows = {round(t.threshold, 3): t for t in thresholds(np.stack([1 - scores, scores], 1), labels)}
    assert [*rows] == [0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert rows[0.35][1:] == pytest.approx((2 / 3, 1.0, 0.8, 0.75))
    assert rows[0.5][1:] == pytest.approx((1.0, 0.5, 2 / 3, 0.75))
    assert math.isnan(rows[0.9].precision)


def test_the_calibration_error_by_hand() -> None:
    # Two answers with 0.9, one of them right; two with 0.6, both right.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    found = calibration(probabilities, np.array([0, 1, 0, 1]), (P, Y))
    np.testing.assert_allclose(found.confidence, [0.6, 0.9])
    np.testing.assert_allclose(found.right, [1.0, 0.5])
    assert found.count.tolist() == [2, 2]
    assert found.error == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)


def test_a_temperature_undoes_what_was_multiplied() -> None:
    too_sure = softmax(2 * LOGITS)
    assert temperature(too_sure, Y) == pytest.approx(2.0, rel=0.06)
    np.testing.assert_allclose(heated(too_sure, 2.0), P, atol=1e-6)
    found = calibration(too_sure, Y, (too_sure, Y))
    assert found.mended < 0.02 < found.error


def test_flipped_labels_are_found() -> None:
    sure = softmax(4 * np.eye(3)[RNG.integers(0, 3, 1000)] + RNG.normal(size=(1000, 3)))
    labels = sure.argmax(axis=1)
    flipped = RNG.permutation(1000)[:30]
    labels[flipped] = (labels[flipped] + 1) % 3
    found = suspicious_labels(sure, labels)
    assert len(set(flipped) & set(found[:40])) >= 27
    by_hand = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9], [0.45, 0.55]])
    # Thresholds: (0.9 + 0.8 + 0.3) / 3 = 0.667 and (0.9 + 0.55) / 2 = 0.725: 0.7 is not above.
    assert suspicious_labels(by_hand, np.array([0, 0, 0, 1, 1])).tolist() == [2]
    assert doubtful_labels(by_hand, np.array([0, 0, 0, 1, 1])).tolist() == []
    by_hand[2] = (0.2, 0.8)
    assert doubtful_labels(by_hand, np.array([0, 0, 0, 1, 1])).tolist() == [2]


def test_figures_of_numbers_are_scikit_learns() -> None:
    true = RNG.normal(size=(200, 2))
    said = true + RNG.normal(size=(200, 2)) * (0.1, 1.0)
    said[7] = np.nan
    scores = NumberScores(("a", "b"), said, true)
    known = np.arange(200) != 7
    assert scores.unanswered == 1
    for index, row in enumerate(scores.by_number()):
        y, p = true[known, index], said[known, index]
        assert row.mae == pytest.approx(metrics.mean_absolute_error(y, p))
        assert row.rmse == pytest.approx(metrics.root_mean_squared_error(y, p))
        assert row.r2 == pytest.approx(metrics.r2_score(y, p))
        assert row.median == pytest.approx(metrics.median_absolute_error(y, p))
    low, high = scores.mae_interval()
    assert low < scores.overall.mae < high
    one = NumberScores(("a",), np.array([[1.0]]), np.array([[3.0]]))
    assert (one.overall.mae, math.isnan(one.overall.r2)) == (2.0, True)
    assert all(map(math.isnan, one.mae_interval()))


def test_slices_that_do_worse_are_found_and_chance_is_not() -> None:
    size = 2000
    country = np.array(["at", "be", "ch"])[RNG.integers(0, 3, size)]
    age = RNG.normal(40, 10, size)
    age[:50] = np.nan
    right = RNG.random(size) < np.where(country == "be", 0.6, 0.9)
    found = slices({"country": country, "age": age}, right)
    assert [s.name for s in found] == ["country is be"]
    assert found[0].score == pytest.approx(right[country == "be"].mean())
    assert found[0].rest == pytest.approx(right[country != "be"].mean())
    losses = np.where(age > 50, 5.0, 1.0) + RNG.normal(size=size)
    worst = slices({"country": country, "age": age}, -losses)[0]
    assert worst.name.startswith("age 4")
    assert slices({"age": np.ones(size)}, right) == []


def test_baselines() -> None:
    training = np.array([0, 1, 1, 1])
    assert constant_class(NAMES, training, np.array([1, 1, 0, 2])) == ("always answering bee", 0.5)
    assert constant_number(np.array([[1.0], [2.0], [9.0]]), np.array([[2.0], [4.0]])).score == 1.0
    x = RNG.normal(size=(300, 2))
    x[0, 0] = np.nan
    word = np.array([b"yes", b"no"], object)[(x[:, 1] > 0).astype(int)]
    columns = {"x": x, "word": word, "empty": np.full(300, np.nan)}
    labels = (np.nan_to_num(x[:, 0]) > 0).astype(int)
    found = linear((columns, labels), (columns, labels), classes=True)
    assert found is not None
    assert found.score > 0.95
    line = linear((columns, 3 * x[:, 1]), (columns, 3 * x[:, 1]), classes=False)
    assert line is not None
    assert line.score < 0.05
    assert linear(({}, labels), ({}, labels), classes=True) is None
    assert linear((columns, labels * 0), (columns, labels), classes=True) is None
