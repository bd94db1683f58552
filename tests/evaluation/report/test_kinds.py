"""What a report says of answers of every kind, the odd ones too: it stays true."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.evaluation.predictions import Answered
from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.kinds import sections_of
from tfpipe.evaluation.report.sections import Section, render_sections
from tfpipe.evaluation.samples import Sample
from tfpipe.evaluation.scores.forecasts import NaiveForecasts
from tfpipe.tasks import task_for

RNG = np.random.default_rng(0)
FEATURE = Feature("x", (2,), "float32", "vector")


def judged(label: Label, answers: Any, labels: Any, **more: Any) -> Judged:
    task = task_for(ElementSpec((FEATURE,), (label,)))
    answers, labels = np.asarray(answers, np.float32), np.asarray(labels)

    def samples(rows: Iterable[int]) -> dict[int, Sample]:
        return {row: {"x": np.array([row, 0.5], np.float32)} for row in rows}

    answered = Answered(labels, answers, more.pop("weights", None))
    return Judged(task, answered, "test", "", (FEATURE,), samples, **more)


def told(found: list[Section]) -> tuple[dict[str, Any], str]:
    """What sections say in numbers, which JSON takes, and in words; all figures are drawn."""
    drawn = [part for one in render_sections(found) for part in (*one.small, *one.large)]
    assert not [text for text in map(str, drawn) if "could not be drawn" in text]
    data = {section.key: section.data for section in found}
    return json.loads(json.dumps(data)), " ".join(t for section in found for t in section.text)


CLASSES = Label("label", "class", (), ("ape", "bee", "cow"))


def test_classes() -> None:
    answers = RNG.dirichlet((1, 1, 1), 400)
    labels = np.where(RNG.random(400) < 0.7, answers.argmax(1), RNG.integers(0, 3, 400))
    traits = {"kind": np.where(labels == 2, "odd", "usual")}
    answers[labels == 2] = (0.9, 0.05, 0.05)
    validation = Answered(labels[:100], answers[:100].astype("float32"))
    places = [f"here/photos/cat/{row}.jpg" for row in range(400)]
    found = judged(CLASSES, answers, labels, traits=traits, validation=validation, places=places)
    data, words = told(sections_of(found))
    assert data["classes"]["accuracy"] == metrics.accuracy_score(labels, answers.argmax(1))
    assert data["slices"]["slices"][0]["name"] == "kind is odd"
    assert data["slices"]["slices"][0]["score"] == 0.0
    assert "as the validation split asks for" in words
    wrong = np.flatnonzero(answers.argmax(1) != labels)
    of_true = found.answered.answers[np.arange(400), labels]
    assert (
        data["samples"]["worst"] == wrong[np.argsort(of_true[wrong], kind="stable")][:12].tolist()
    )
    [samples] = [section for section in sections_of(found) if section.key == "samples"]
    headings = [heading for heading, _ in samples.cards]
    assert headings == ["Worst errors", "Most certain and right"]
    first = samples.cards[0][1][0]
    row = data["samples"]["worst"][0]
    said, true = CLASSES.classes[answers[row].argmax()], CLASSES.classes[labels[row]]
    assert first.caption == f"{said} {answers[row].max():.0%} ({true})"
    assert (first.right, dict(first.rows)) == (False, {"x": f"{row}, 0.5"})
    assert first.note.endswith(f"photos/cat/{row}.jpg")
    assert first.bars[0] == (said, pytest.approx(answers[row].max()))


def test_two_classes_have_thresholds() -> None:
    scores = RNG.random((200, 1))
    labels = (scores[:, 0] + 0.3 * RNG.normal(size=200) > 0.6).astype(int)
    label = Label("label", "class", (), ("no", "yes"))
    data, words = told(
        sections_of(judged(label, scores, labels, validation=Answered(labels, scores)))
    )
    area = metrics.roc_auc_score(labels, np.float32(scores[:, 0]))
    assert data["curves"]["roc_auc"]["yes"] == pytest.approx(area)
    assert len(data["curves"]["thresholds"]) >= 9
    assert "yes is answered from a probability of 0.5 on" in words
    assert "On the validation split 0." in words


def test_ten_thousand_labels_of_a_thousand_classes() -> None:
    names = tuple(f"class {i}" for i in range(1000))
    labels = RNG.integers(0, 1000, 10_000)
    answers = RNG.random((10_000, 1000)).astype("float32")
    answers[np.arange(10_000), labels] += 0.5
    answers /= answers.sum(axis=1, keepdims=True)
    found = sections_of(judged(Label("label", "class", (), names), answers, labels))
    data, _ = told(found)
    assert data["classes"]["accuracy"] == pytest.approx((answers.argmax(1) == labels).mean())
    assert data["classes"]["confusion"] is None
    assert len(found[0].tables[0].rows) == 30
    assert found[0].tables[0].note == "The 30 of 1,000 classes with the least F1."


@pytest.mark.parametrize(
    ("answers", "labels", "says"),
    [
        (
            [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]],
            [0, 1],
            "This split has no sample of 1 of 3 classes: cow.",
        ),
        ([[0.8, 0.1, 0.1]] * 9, [0, 1, 2] * 3, "Every sample gets the same answer, ape."),
        (
            [[0.8, 0.1, 0.1], [np.nan] * 3],
            [0, 1],
            "1 answer is no number, and counts as wrong.",
        ),
        ([[np.nan] * 3] * 2, [0, 1], "2 answers are no numbers, and count as wrong."),
        (
            [[0.1, 0.8, 0.1]],
            [1],
            "100.0% of 1 sample are answered right; with so many of them the true share is between "
            "20.7% and 100.0%",
        ),
    ],
)
def test_odd_answers_of_classes(answers: Any, labels: Any, says: str) -> None:
    _, words = told(sections_of(judged(CLASSES, answers, labels)))
    assert says in words


@pytest.mark.parametrize(
    ("answers", "labels", "says"),
    [
        ([[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0], "the mean absolute error is 0.3333 (95% interval"),
        ([[2.0]] * 5, [1.0, 2.0, 3.0, 2.0, 2.0], "Every sample gets the same answer."),
        ([[np.nan], [2.0]], [1.0, 2.0], "1 answer is no number; the figures are of the others."),
        ([[np.nan]], [1.0], "the mean absolute error is not known"),
        ([[1.5]], [1.0], "Over 1 sample the mean absolute error is 0.5000, the root of"),
    ],
)
def test_odd_answers_of_numbers(answers: Any, labels: Any, says: str) -> None:
    data, words = told(sections_of(judged(Label("price", "real"), answers, labels)))
    assert says in words
    assert set(data) == {"numbers", "samples"}


def test_forecasts_by_how_far_ahead() -> None:
    true = RNG.normal(size=(60, 4)).astype("float32")
    said = true + np.array([0.1, 0.2, 0.4, 0.8], np.float32)
    label = Label("series", "real", (4,))
    assert "horizons" not in told(sections_of(judged(label, said, true)))[0]
    data, words = told(sections_of(judged(label, said, true, in_time=True)))
    assert data["horizons"]["mae_by_horizon"] == pytest.approx([0.1, 0.2, 0.4, 0.8], rel=1e-5)
    assert "One step ahead the mean absolute error is 0.1000, 4 steps ahead 0.8000." in words
    naive = NaiveForecasts({"the last value": true + 1, "the value 7 before": true - 0.5}, 0.25)
    data, words = told(sections_of(judged(label, said, true, in_time=True, naive=naive)))
    assert data["horizons"]["mase"] == pytest.approx(1.5, rel=1e-5)
    assert data["horizons"]["mase_of_naive"] == pytest.approx(
        {"the last value": 4.0, "the value 7 before": 2.0}, rel=1e-5
    )
    assert "With the last value for a forecast it is 1.0000 and 1.0000." in words
    assert (
        "Over all steps the MASE is 1.500; it is 4.000 with the last value, 2.000 with the value 7 "
        "before."
    ) in words


def test_yes_no_answers() -> None:
    label = Label("tags", "multilabel", (3,), ("red", "green", "blue"))
    labels = RNG.integers(0, 2, (100, 3))
    labels[:, 2] = 0
    answers = np.clip(labels + 0.5 * RNG.normal(size=(100, 3)), 0.01, 0.99)
    data, words = told(sections_of(judged(label, answers, labels)))
    red, _, blue = data["answers"]["by_answer"]
    said = np.float32(answers) >= 0.5
    assert red["f1"] == pytest.approx(metrics.f1_score(labels[:, 0], said[:, 0]))
    assert red["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels[:, 0], answers[:, 0]))
    assert blue["roc_auc"] is None
    exact = (said == labels).all(axis=1).mean()
    assert words.startswith(f"{exact:.1%} of 100 samples have all 3 answers right (95% interval")


def test_weights_are_told_apart() -> None:
    found = judged(CLASSES, [[0.8, 0.1, 0.1]], [0], notes=("class_weights changed the loss.",))
    assert "class_weights changed the loss." in told(sections_of(found))[1]


def test_without_samples_there_is_nothing_to_judge() -> None:
    assert sections_of(judged(CLASSES, np.zeros((0, 3)), np.zeros(0, int))) == []
