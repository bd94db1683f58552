"""Heads: the last layer, loss, metrics and answers of a task."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.tasks import task_for

MakeSpec = Callable[..., ElementSpec]


@pytest.mark.parametrize(
    ("label", "task", "units"),
    [
        ("class", "classification", 5),
        ("binary", "binary", 1),
        ("multilabel", "multilabel", 3),
        ("regression", "regression", 1),
        ("regression of two", "regression", 2),
    ],
)
def test_the_task_is_read_from_the_labels(
    spec_of: MakeSpec, label: str, task: str, units: int
) -> None:
    head = task_for(spec_of(label=label))
    assert (head.name, head.units) == (task, units)
    assert task_for(spec_of(label=label), task) == head


@pytest.mark.parametrize(
    ("label", "task", "units"),
    [("binary", "classification", 2), ("class", "regression", 1), ("binary", "regression", 1)],
)
def test_another_task_that_fits(spec_of: MakeSpec, label: str, task: str, units: int) -> None:
    head = task_for(spec_of(label=label), task)
    assert (head.name, head.units) == (task, units)


@pytest.mark.parametrize(
    ("label", "task", "message"),
    [
        (
            "class",
            "binary",
            "task='binary' does not fit the labels, which are class indices of 5 classes. "
            "Possible: classification, regression.",
        ),
        (
            "multilabel",
            "classification",
            "task='classification' does not fit the labels, which are 3 yes/no answers. Possible: "
            "multilabel.",
        ),
        (
            "regression",
            "multilabel",
            "task='multilabel' does not fit the labels, which are real numbers. Possible: "
            "regression.",
        ),
    ],
)
def test_a_task_that_does_not_fit(spec_of: MakeSpec, label: str, task: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        task_for(spec_of(label=label), task)
    assert str(caught.value) == message


def test_answers_are_probabilities_or_values(spec_of: MakeSpec) -> None:
    logits = np.array([[0.0, 2.0, -1.0]], np.float32)
    softmax = np.exp(logits) / np.exp(logits).sum()
    sigmoid = 1 / (1 + np.exp(-logits))
    for label, expected in (
        ("class", softmax),
        ("multilabel", sigmoid),
        ("binary", sigmoid),
        ("regression", logits),
    ):
        answers = task_for(spec_of(label=label)).answers(logits.astype(np.float16))
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("label", "right", "wrong", "y"),
    [
        ("class", [[0.0, 9, 0, 0, 0]], [[9.0, 0, 0, 0, 0]], [1]),
        ("binary", [[9.0]], [[-9.0]], [1]),
        ("multilabel", [[9.0, -9, 9]], [[-9.0, 9, -9]], [[1, 0, 1]]),
        ("regression", [[3.0]], [[-3.0]], [3.0]),
        ("regression of two", [[3.0, 1.0]], [[-3.0, 5.0]], [[3.0, 1.0]]),
    ],
)
def test_loss_and_metrics_are_on_logits(
    spec_of: MakeSpec, label: str, right: list[list[float]], wrong: list[list[float]], y: list[int]
) -> None:
    head = task_for(spec_of(label=label))

    def measured(outputs: list[list[float]]) -> dict[str, float]:
        rows = np.array(outputs, np.float32)
        inputs = keras.Input(rows.shape[1:])
        model = keras.Model(inputs, keras.layers.Identity()(inputs))
        model.compile(loss=head.loss_for(), metrics=head.metrics_for())
        return dict(model.evaluate(rows, np.array(y), verbose=0, return_dict=True))

    good, bad = measured(right), measured(wrong)
    assert good["loss"] < 0.01 < bad["loss"]
    if label.startswith("regression"):
        assert good["mae"] == 0 < bad["mae"]
    else:
        assert (good["accuracy"], bad["accuracy"]) == (1, 0)
