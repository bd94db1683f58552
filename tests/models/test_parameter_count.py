"""Parameters, and apart from them what preprocessing has learnt."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models import MLP, TextClassifier
from tfpipe.models.parameter_count import (
    count,
    parameters,
    preprocessing_state,
    trainable_parameters,
)

MakeSpec = Callable[..., ElementSpec]
MakeTraining = Callable[..., Training]
Reload = Callable[[keras.Model], keras.Model]


def test_count_is_of_numbers() -> None:
    assert count([tf.Variable(np.zeros((2, 3))), tf.Variable(1.0), tf.Variable(np.zeros(0))]) == 7


def test_weights_that_are_not_trained_are_parameters(spec_of: MakeSpec) -> None:
    model = MLP(units=(4,), batch_norm=True).build(spec_of((6,), "float32", 3))
    assert (parameters(model), trainable_parameters(model)) == (59, 51)
    assert preprocessing_state(model) == 0


def test_a_tables_statistics_and_words(
    table_of: MakeSpec, training: MakeTraining, reload: Reload
) -> None:
    columns = {
        "age": np.float32([1, 2, 3]),
        "salary": np.float32([1, 2, 3]),
        "town": np.array(["a", "b", "c"], object),
    }
    spec = table_of(age="number", salary="number", town="category")
    model = MLP(units=(4,), categories="dummy").build(spec, "auto", training(columns))
    for found in (model, reload(model)):
        assert (parameters(found), trainable_parameters(found)) == (25, 25)
        assert preprocessing_state(found) == 2 * 2 + (1 + 3)


def test_a_texts_words(table_of: MakeSpec, training: MakeTraining, reload: Reload) -> None:
    builder = TextClassifier(vocabulary=10, length=4, embedding=2)
    model = builder.build(
        table_of(review="text"), "auto", training(np.array(["good film", "bad film"], object))
    )
    for found in (model, reload(model)):
        assert parameters(found) == 11 * 2 + 2 + 1
        assert preprocessing_state(found) == 2 + 3


def test_layers_that_a_person_adapted(reload: Reload) -> None:
    """Their weights, mean, variance and a counter, are no parameters."""
    rows = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    normalization = keras.layers.Normalization()
    normalization.adapt(rows)
    bins = keras.layers.Discretization(num_bins=4)
    bins.adapt(rows)
    whole = keras.layers.IntegerLookup(vocabulary=[3, 5])
    inputs = keras.Input((3,))
    inner = keras.Model(inputs, normalization(inputs))
    parts = [inner(inputs), keras.ops.cast(bins(inputs), "float32")]
    parts.append(keras.ops.cast(whole(keras.ops.cast(inputs, "int64")), "float32"))
    outputs = keras.layers.Dense(1)(keras.layers.Concatenate()(parts))
    model = keras.Model(inputs, outputs)
    assert model.count_params() == 10 + 7
    for found in (model, reload(model)):
        assert (parameters(found), trainable_parameters(found)) == (10, 10)
        assert preprocessing_state(found) == (3 + 3) + 3 + 3


def test_a_layer_that_is_used_twice_counts_once() -> None:
    words = keras.layers.StringLookup(vocabulary=["a", "b"])
    one, other = keras.Input((), dtype="string"), keras.Input((), dtype="string")
    model = keras.Model([one, other], [words(one), words(other)])
    assert preprocessing_state(model) == 3
