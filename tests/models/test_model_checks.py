"""Models that a person wrote: built, as wide as the task needs, giving logits."""

import logging
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ModelError
from tfpipe.models.model_checks import check_logits, check_model, check_width
from tfpipe.tasks import task_for

MakeSpec = Callable[..., ElementSpec]


def dense(units: int, **options: Any) -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(units, name="last", **options)(inputs))


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.last = keras.layers.Dense(5)

    def call(self, x: Any) -> Any:
        return self.last(x)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "net() should return a keras.Model, got NoneType."),
        (
            keras.Sequential([keras.layers.Dense(2)]),
            "net() returned a model without an input shape: add keras.Input.",
        ),
    ],
)
def test_what_is_no_built_model(returned: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_model(returned, "net()")
    assert str(caught.value) == message
    check_model(dense(2), "net()")


def test_what_trains_or_judges_itself_in_its_own_way_is_refused() -> None:
    class Evaluated(keras.Model):  # type: ignore[misc]
        def evaluate(self, *args: Any, **options: Any) -> None:
            return None

    class Fitted(Evaluated):
        def fit(self, *args: Any, **options: Any) -> None:
            return None

    inputs = keras.Input((3,))
    for own, method in ((Fitted, "fit"), (Evaluated, "evaluate")):
        model = own(inputs, keras.layers.Dense(2)(inputs))
        with pytest.raises(ModelError) as caught:
            check_model(model, "net()")
        assert str(caught.value) == (
            f"net() returned a {own.__name__}, whose own {method}() would not be called: training "
            "goes from step to step, so that it can be resumed at any of them. Override train_step "
            "or test_step instead, use a callback, or return keras.Model(model.inputs, "
            "model.outputs) if its layers are all that is wanted."
        )
        check_model(keras.Model(model.inputs, model.outputs), "net()")


@pytest.mark.parametrize(
    ("label", "task", "needed"),
    [
        ("class", "classification", 5),
        ("binary", "binary", 1),
        ("multilabel", "multilabel", 3),
        ("regression of two", "regression", 2),
    ],
)
def test_the_width(spec_of: MakeSpec, label: str, task: str, needed: int) -> None:
    head = task_for(spec_of(label=label))
    check_width(dense(needed), head, "net()")
    with pytest.raises(ModelError) as caught:
        check_width(dense(7), head, "net()")
    assert str(caught.value) == (
        f"net() gave 7 output(s) a sample; the task, {task}, needs {needed}."
    )


def test_a_width_that_keras_cannot_tell_is_left_alone(spec_of: MakeSpec) -> None:
    head = task_for(spec_of(label="class"))
    open_ended = keras.Input((None,))
    check_width(keras.Model(open_ended, open_ended), head, "net()")
    check_width(Subclassed(), head, "net()")


def test_a_subclass_that_was_called_is_built(spec_of: MakeSpec) -> None:
    model = Subclassed()
    with pytest.raises(ModelError, match="without an input shape"):
        check_model(model, "net()")
    model(np.zeros((1, 3)))
    check_model(model, "net()")
    check_logits(model, task_for(spec_of(label="class")), "net()")


def test_probabilities_that_are_not_the_tasks_are_refused(spec_of: MakeSpec) -> None:
    task = task_for(spec_of(label="class"))
    with pytest.raises(ModelError) as caught:
        check_logits(dense(5, activation="sigmoid"), task, "net()")
    assert str(caught.value) == (
        "net() should give logits; its last layer, 'last', has activation='sigmoid'. Leave the "
        "activation out: prediction and export add it."
    )
    check_logits(dense(5, activation="softmax"), task, "net()")
    check_logits(dense(1, activation="sigmoid"), task_for(spec_of(label="regression")), "net()")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
def test_rounded_logits_are_warned_of(
    spec_of: MakeSpec, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    with caplog.at_level(logging.WARNING, "tfpipe.models"):
        check_logits(dense(5, dtype=policy), task_for(spec_of(label="class")), "net()")
    expected = (
        "The last layer of net(), 'last', computes in bfloat16: give it dtype='float32', as "
        "rounded logits cost accuracy."
    )
    assert caplog.messages == ([expected] if policy == "mixed_bfloat16" else [])
