"""MLP: published sizes and what each field does."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.evaluation.predict import answers as answers_of
from tfpipe.models import MLP
from tfpipe.tasks import task_for

MakeSpec = Callable[..., ElementSpec]
MakeTraining = Callable[..., Training]


def layers(model: keras.Model, kind: type) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("units", "shape", "dtype", "parameters"),
    [
        ((256, 128), (28, 28, 1), "uint8", 235_146),  # mnist_mlp
        ((128,), (28, 28, 1), "uint8", 101_770),  # fashion_mnist_mlp
        ((256, 128, 64, 32), (64,), "float32", 60_202),  # digits_mlp
        ((128,), (28, 28), "uint8", 101_770),
        ((), (64,), "float32", 650),
    ],
)
def test_parameters(
    spec_of: MakeSpec, units: tuple[int, ...], shape: tuple[int, ...], dtype: str, parameters: int
) -> None:
    assert MLP(units=units).build(spec_of(shape, dtype)).count_params() == parameters


def test_a_forward_pass_by_hand(spec_of: MakeSpec) -> None:
    """Three inputs, three hidden units and two outputs, all sigmoid."""
    spec = spec_of((3,), "float32", "multilabel")
    spec = spec.replace(labels=(spec.label.replace(shape=(2,), classes=("a", "b")),))
    model = MLP(units=(3,), activation="sigmoid").build(spec)
    hidden = np.float32([[0.2, -0.3, 0.4], [0.1, 0.5, -0.6], [-0.7, 0.8, 0.9]])
    output = np.float32([[0.3, -0.1], [-0.5, 0.2], [0.6, 0.7]])
    biases = np.float32([0.1, -0.2, 0.3]), np.float32([0.05, -0.4])
    model.set_weights([hidden, biases[0], output, biases[1]])

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    x = np.float32([[1.0, 0.5, -1.5], [0, 0, 0]])
    expected = sigmoid(sigmoid(x @ hidden + biases[0]) @ output + biases[1])
    answers = answers_of(model, task_for(spec), x)
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    # (1, 0.5, -1.5): the hidden units get 1.4, -1.45 and -0.95.
    assert answers[0] == pytest.approx([0.589763, 0.438562], abs=1e-6)


@pytest.mark.parametrize(
    ("units", "inputs", "parameters"),
    [((20,), 13, 301), ((64,), 11, 833), ((10,), 4, 61)],
    ids=["boston_mlp", "wine_mlp", "sine_mlp"],
)
def test_parameters_of_regressions(
    spec_of: MakeSpec, units: tuple[int, ...], inputs: int, parameters: int
) -> None:
    rows = np.random.default_rng(0).normal(size=(8, inputs)).astype(np.float32)
    spec = spec_of((inputs,), "float32", "regression")
    model = MLP(units=units, normalize=True).build(
        spec, "auto", lambda: tf.data.Dataset.from_tensor_slices(rows).batch(4)
    )
    assert model.count_params() == parameters


@pytest.mark.parametrize(("categories", "parameters"), [("dummy", 11_905), ("one_hot", 12_417)])
def test_parameters_of_churn_mlp(
    table_of: MakeSpec, training: MakeTraining, categories: Any, parameters: int
) -> None:
    """Eight numbers, three countries and two sexes: 11 columns as dummies."""
    numbers = {f"number {i}": np.arange(6, dtype=np.float32) for i in range(8)}
    words = {
        "Geography": np.array([b"France", b"Spain", b"Germany"] * 2, object),
        "Gender": np.array([b"Female", b"Male"] * 3, object),
    }
    spec = table_of(
        label="binary", **dict.fromkeys(numbers, "number"), **dict.fromkeys(words, "category")
    )
    builder = MLP(units=(128, 64, 32), categories=categories)
    model = builder.build(spec, "auto", training(numbers | words))
    assert model.count_params() == parameters


@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (4, 5, 3), (2, 3, 4, 5)])
def test_any_shape(spec_of: MakeSpec, shape: tuple[int, ...]) -> None:
    assert MLP(units=(4,)).build(spec_of(shape, "float32", 3)).output_shape == (None, 3)


def test_fields(spec_of: MakeSpec) -> None:
    builder = MLP(units=(8, 4), activation="tanh", dropout=0.2, batch_norm=True, l2=1e-3)
    model = builder.build(spec_of((6,), "float32"))
    *hidden, last = layers(model, keras.layers.Dense)
    assert [layer.units for layer in hidden] == [8, 4]
    assert {layer.activation.__name__ for layer in hidden} == {"tanh"}
    assert [round(float(layer.kernel_regularizer.l2), 6) for layer in hidden] == [1e-3, 1e-3]
    assert (last.activation.__name__, last.kernel_regularizer) == ("linear", None)
    assert [layer.rate for layer in layers(model, keras.layers.Dropout)] == [0.2, 0.2]
    assert len(layers(model, keras.layers.BatchNormalization)) == 2


def test_the_plain_one_has_dense_layers_alone(spec_of: MakeSpec) -> None:
    model = MLP(units=(8,)).build(spec_of((6,), "float32"))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Dense", "Dense"]


def test_the_answers_of_a_regression_may_have_bounds(spec_of: MakeSpec) -> None:
    rows = 1000 * np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    spec = spec_of((2,), "float32", "regression")
    bounded, free = MLP(output="tanh").build(spec), MLP().build(spec)
    assert np.abs(bounded(rows)).max() <= 1 < np.abs(free(rows)).max()


@pytest.mark.parametrize(("label", "task"), [("binary", "binary"), ("class", "classification")])
def test_probabilities_are_refused(spec_of: MakeSpec, label: str, task: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MLP(output="sigmoid").build(spec_of((2,), "float32", label))
    assert str(caught.value) == (
        f"MLP.output='sigmoid': models give logits where the task is {task}, and prediction and "
        "export make probabilities of them. Leave it out."
    )


def test_an_unknown_activation_is_refused(spec_of: MakeSpec) -> None:
    with pytest.raises(ConfigError) as caught:
        MLP(activation="rleu").build(spec_of())
    assert str(caught.value).startswith(
        "MLP.activation: keras.activations has no 'rleu'. Did you mean 'relu'"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"units": (8, 0)},
            "MLP.units takes a tuple, each item a whole number of at least 1, got 0 (int) at "
            "units[1].",
        ),
        (
            {"dropout": 1.0},
            "MLP.dropout takes a number of at least 0 and below 1, got 1.0 (float).",
        ),
        ({"l2": -1.0}, "MLP.l2 takes a number of at least 0, got -1.0 (float)."),
        ({"unit": (8,)}, "MLP has no field 'unit'. Did you mean 'units'?"),
    ],
)
def test_wrong_values_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MLP(**fields)
    assert str(caught.value) == message
