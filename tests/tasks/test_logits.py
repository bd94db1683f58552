"""Losses and metrics that would take logits for probabilities are refused, with the repair."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import MLP
from tfpipe.training.compile import compile_model

losses, metrics = tfpipe.keras.losses, tfpipe.keras.metrics


class Two(Pipeline):
    data = Arrays(lambda: (np.eye(20, 3, dtype="float32"), np.arange(20) % 2))
    model = MLP(units=(4,))


def compiled(pipeline: Pipeline) -> Any:
    return compile_model(pipeline, pipeline.spec(), tf.distribute.get_strategy()).model


@pytest.mark.parametrize("name", ["binary_crossentropy", "BinaryCrossentropy"])
def test_a_crossentropy_by_name_reads_logits(name: str) -> None:
    by_name, declared = compiled(Two(loss=name)), compiled(Two())
    x, y = np.eye(20, 3, dtype="float32"), np.arange(20) % 2
    assert by_name.evaluate(x, y, verbose=0)[0] == declared.evaluate(x, y, verbose=0)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss": losses.BinaryCrossentropy()},
            "loss=keras.losses.BinaryCrossentropy() expects probabilities, and models give logits "
            "here: write keras.losses.BinaryCrossentropy(from_logits=True).",
        ),
        (
            {"metrics": (metrics.AUC(),)},
            "metrics: keras.metrics.AUC() expects probabilities, and models give logits here: "
            "write keras.metrics.AUC(from_logits=True).",
        ),
        (
            {"metrics": ("accuracy", metrics.Recall())},
            "metrics: keras.metrics.Recall() expects probabilities, and models give logits here: "
            "write keras.metrics.Recall(thresholds=0.0).",
        ),
        (
            {"metrics": ("BinaryAccuracy",)},
            "metrics: keras.metrics.BinaryAccuracy() expects probabilities, and models give logits "
            "here: write keras.metrics.BinaryAccuracy(threshold=0.0).",
        ),
    ],
)
def test_what_expects_probabilities_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(Two(**changes))
    assert str(caught.value) == message


def test_the_repairs_are_accepted() -> None:
    repaired = Two(
        loss=losses.BinaryCrossentropy(from_logits=True),
        metrics=(metrics.AUC(from_logits=True), metrics.Recall(thresholds=0.0)),
    )
    assert compiled(repaired).compiled


def test_a_model_of_ones_own_that_gives_probabilities_is_refused() -> None:
    class Own(Two):
        def build_model(self) -> Any:
            last = keras.layers.Dense(1, activation="sigmoid", name="last")
            return keras.Sequential([keras.Input((3,)), last])

    with pytest.raises(ModelError) as caught:
        compiled(Own())
    assert str(caught.value) == (
        "Own.build_model() should give logits; its last layer, 'last', has activation='sigmoid'. "
        "Leave the activation out: prediction and export add it."
    )
