"""Compiling: names of Keras, metrics on logits, precision."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe import Pipeline, deferred
from tfpipe import keras as keras_
from tfpipe.data import Arrays
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import MLP
from tfpipe.models.parameter_count import count
from tfpipe.training.compile import compile_model
from tfpipe.training.layer_names import named_from_the_first


def two_classes() -> Any:
    return np.random.default_rng(0).normal(size=(40, 3)).astype("float32"), np.arange(40) % 2


class Two(Pipeline):
    data = Arrays(two_classes)
    model = MLP(units=(5,))


def compiled(pipeline: Pipeline) -> Any:
    found = compile_model(
        pipeline, pipeline.spec(), tf.distribute.get_strategy(), pipeline.precision
    )
    keras.config.set_dtype_policy("float32")
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "Adm"}, "optimizer='Adm': Keras has none of that name. Did you mean 'Adam'"),
        ({"loss": "mee"}, "loss='mee': Keras has none of that name."),
        ({"metrics": ("acuracy",)}, "metrics='acuracy': Keras has none of that name. Did you mean"),
    ],
)
def test_unknown_names_are_suggested(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        compiled(Two(**changes))


def test_accuracy_by_name_reads_logits() -> None:
    """Keras's own "accuracy" would compare logits with one half."""
    model = compiled(Two(metrics=("accuracy",))).model
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    model.layers[-1].bias.assign([0.25])  # a logit above 0: class 1
    x, y = two_classes()
    assert model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] == 0.5
    assert model.evaluate(x, np.ones_like(y), verbose=0, return_dict=True)["accuracy"] == 1.0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_keeps_variables_and_the_last_layer_in_float32(precision: str) -> None:
    model = compiled(Two(precision=precision)).model
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert model.layers[1].compute_dtype == precision
    assert model.output.dtype == "float32"


def test_a_builder_must_return_a_model() -> None:
    class Nothing(Two):
        def build_model(self) -> Any:
            return None

    with pytest.raises(
        ModelError, match=r"Nothing.build_model\(\) should return a keras.Model, got NoneType"
    ):
        compiled(Nothing())


def test_count_counts_numbers() -> None:
    assert count(compiled(Two()).model.weights) == 3 * 5 + 5 + 5 + 1


def test_metrics_by_name_keep_their_name() -> None:
    model = compiled(Two(metrics=("mse",), loss="binary_crossentropy")).model
    x, y = two_classes()
    assert set(model.evaluate(x, y, verbose=0, return_dict=True)) == {"loss", "mse"}


OPTIMIZERS = deferred("tfpipe.optimizers")


def test_a_schedule_over_the_whole_training_gets_its_steps() -> None:
    schedule = OPTIMIZERS.Triangular(1.0)
    declared = OPTIMIZERS.LookaheadSGD(schedule)
    optimizer = compiled(Two(optimizer=declared, batch_size=16, epochs=5)).model.optimizer
    assert optimizer.total_steps == optimizer._learning_rate.total_steps == 3 * 5
    few = Two(optimizer=declared, steps_per_epoch=7, epochs=2, precision="float16")
    assert compiled(few).model.optimizer.inner_optimizer.total_steps == 14
    own = declared.replace(learning_rate=schedule.replace(total_steps=9), total_steps=8)
    kept = compiled(Two(optimizer=own)).model.optimizer
    assert (kept.total_steps, kept._learning_rate.total_steps) == (8, 9)
    plain = Two(optimizer=keras_.optimizers.SGD(schedule), batch_size=40, epochs=3)
    assert compiled(plain).model.optimizer._learning_rate.total_steps == 3


class Nameless(Two):
    def build_model(self) -> Any:
        keras.layers.Dense(1)  # as another job in this process would
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def test_layers_are_named_as_in_a_new_process() -> None:
    names = [[layer.name for layer in compiled(Nameless()).model.layers] for _ in range(2)]
    assert names == [["dense_1"]] * 2


def test_a_layer_made_before_may_bear_the_first_name() -> None:
    made = named_from_the_first(lambda: keras.layers.Dense(5))

    class MadeBefore(Two):
        def build_model(self) -> Any:
            return keras.Sequential([keras.Input((3,)), made, keras.layers.Dense(1)])

    assert [layer.name for layer in compiled(MadeBefore()).model.layers] == ["dense", "dense_1"]
