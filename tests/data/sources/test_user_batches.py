"""UserBatches: batches that a pipeline's own input_fn makes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data.sources.user_batches import UserBatches
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import DataError

X = np.zeros((20, 4), np.float32)
Y = np.arange(20) % 3


def batches(x: Any = X, y: Any = Y, size: int = 8) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


def only_train(made: Any) -> Callable[[str], Any]:
    return lambda split: made if split == "train" else None


def refused(function: Callable[[str], Any]) -> str:
    with pytest.raises(DataError) as caught:
        UserBatches(function).spec()
    return str(caught.value)


def test_a_spec_is_read_from_the_batches() -> None:
    sizes = {"train": 20, "validation": 8, "test": 4}
    source = UserBatches(lambda split: batches(X[: sizes[split]], Y[: sizes[split]]))
    label = Label("label", "class", (), ("0", "1", "2"))
    features = (Feature("features", (4,), "float32", "vector"),)
    assert source.spec() == ElementSpec(features, (label,), sizes)
    assert sum(len(y) for _, y in source.input_fn("validation", batch_size=99)) == 8


def test_classes_are_counted_over_all_splits() -> None:
    source = UserBatches(lambda split: batches(y=Y if split == "train" else Y * 2))
    assert source.spec().classes == ("0", "1", "2", "3", "4")


@pytest.mark.parametrize(
    ("x", "y", "feature", "label"),
    [
        (
            np.zeros((20, 8, 8, 3), np.uint8),
            Y[:, None],
            Feature("features", (8, 8, 3), "uint8", "image"),
            Label("label", "class", (), ("0", "1", "2")),
        ),
        (
            {"age": X},
            Y / 2.0,
            Feature("age", (4,), "float32", "vector"),
            Label("label", "real"),
        ),
        (
            X[:, 0],
            np.stack([Y, Y], axis=1),
            Feature("features", (), "float32", "array"),
            Label("label", "multilabel", (2,), ("0", "1")),
        ),
    ],
)
def test_features_and_labels(x: Any, y: Any, feature: Feature, label: Label) -> None:
    spec = UserBatches(only_train(batches(x, y))).spec()
    assert (spec.feature, spec.label, spec.splits) == (feature, label, {"train": 20})


def missing(split: str) -> Any:
    return {"train": batches()}[split]


def refusing(split: str) -> Any:
    if split != "train":
        raise ValueError(f"there is no {split} here")
    return batches()


def unfinished(split: str) -> Any:
    if split != "train":
        raise NotImplementedError
    return batches()


@pytest.mark.parametrize("function", [missing, refusing, unfinished, only_train(batches())])
def test_ways_to_say_that_there_is_no_such_split(function: Callable[[str], Any]) -> None:
    assert UserBatches(function).spec().splits == {"train": 20}


def test_any_other_error_is_not_hidden() -> None:
    def broken(split: str) -> Any:
        return batches() if split == "train" else int("three")

    with pytest.raises(ValueError, match="invalid literal"):
        UserBatches(broken).spec()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            None,
            "input_fn('train') should return a tf.data.Dataset of batches (features, label), got "
            "NoneType.",
        ),
        (
            (X, Y),
            "input_fn('train') should return a tf.data.Dataset of batches (features, label), got "
            "tuple.",
        ),
        (
            tf.data.Dataset.from_tensor_slices((X, Y)),
            "input_fn('train') should return a tf.data.Dataset of batches (features, label); these "
            "samples are not batched: add .batch(32).",
        ),
        (batches().repeat(), "input_fn('train') never ends: leave out repeat()."),
        (batches().take(0), "input_fn('train') gives no samples."),
        (
            batches(y=Y - 2),
            "input_fn('train') gives the label -2: number the classes from 0.",
        ),
        (
            batches().map(lambda x, y: (tf.ensure_shape(x, [None, 4])[:, : y[0] + 1], y)),
            "input_fn: 'features' has an open shape (None, None): give every size.",
        ),
    ],
)
def test_refused(made: Any, message: str) -> None:
    assert refused(only_train(made)) == message


def test_several_inputs_go_by_name() -> None:
    made = batches().map(lambda x, y: ((x, x), y))
    assert "mappings of several by name; got" in refused(only_train(made))
    assert "got TensorSpec" in refused(only_train(tf.data.Dataset.range(3).batch(2)))
