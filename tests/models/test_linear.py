"""Linear: regression and classification with the task's layer alone."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models import Linear

MakeSpec = Callable[..., ElementSpec]
MakeTraining = Callable[..., Training]


@pytest.mark.parametrize(
    ("shape", "label", "parameters"),
    [((3,), "regression", 4), ((), "regression", 2), ((28, 28, 1), 10, 7_850), ((4,), "binary", 5)],
)
def test_parameters(
    spec_of: MakeSpec, shape: tuple[int, ...], label: str | int, parameters: int
) -> None:
    assert Linear().build(spec_of(shape, "float32", label)).count_params() == parameters


def test_raw_numbers_give_the_planes_own_weights(table_of: MakeSpec) -> None:
    spec = table_of(x="number", y="number", a="number")
    model = Linear(normalize=False).build(spec)
    model.layers[-1].set_weights([np.array([[7.0], [6.0], [3.0]]), np.array([5.0])])
    answer = model({"x": tf.constant([2.0]), "y": tf.constant([3.0]), "a": tf.constant([4.0])})
    assert np.asarray(answer).tolist() == [[49.0]]


def test_least_squares_are_reached(spec_of: MakeSpec) -> None:
    rng = np.random.default_rng(0)
    rows = rng.uniform(-5, 5, (200, 3)).astype(np.float32)
    answers = rows @ np.float32([7, 6, 3]) + 5
    keras.utils.set_random_seed(0)
    model = Linear().build(spec_of((3,), "float32", "regression"))
    model.compile(keras.optimizers.SGD(0.03), "mse")
    model.fit(rows, answers, epochs=15, batch_size=20, verbose=0)
    np.testing.assert_allclose(np.ravel(model.get_weights()[0]), [7, 6, 3], atol=1e-3)


def test_a_table_is_standardised_and_its_categories_looked_up(
    table_of: MakeSpec, training: MakeTraining
) -> None:
    columns = {"age": np.float32([1, 3]), "town": np.array(["a", "b"], object)}
    spec = table_of(age="number", town="category")
    for builder, width in ((Linear(), 4), (Linear(categories="dummy"), 2)):
        model = builder.build(spec, "auto", training(columns))
        assert model.layers[-1].kernel.shape == (width, 1)
        read = keras.Model(model.inputs, model.layers[-1].input)
        found = read({name: tf.constant(values) for name, values in columns.items()})
        assert found[:, 0].numpy().tolist() == [-1.0, 1.0]


def test_fields(spec_of: MakeSpec) -> None:
    model = Linear(l2=1e-3, initializer="he_uniform", scale=(-1.0, 1.0)).build(spec_of())
    last = model.layers[-1]
    assert round(float(last.kernel_regularizer.l2), 6) == 1e-3
    assert type(last.kernel_initializer).__name__ == "HeUniform"
    assert model.get_layer("rescaling").offset == -1.0
