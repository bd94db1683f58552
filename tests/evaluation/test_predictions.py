"""A model's answers to a split: kept whole, paired by a hash of the samples."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import RunError
from tfpipe.evaluation.predictions import Predictions, predictions, sample_ids
from tfpipe.tasks import task_for

X = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")


def test_answers_are_kept_with_labels_and_weights(tmp_path: Path) -> None:
    task = task_for(
        ElementSpec(
            (Feature("x", (3,), "float32", "vector"),), (Label("y", "class", (), ("a", "b", "c")),)
        )
    )
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    labels, weights = np.arange(7) % 3, np.arange(7.0, dtype="float32")
    batches = tf.data.Dataset.from_tensor_slices((X, labels, weights)).batch(3)
    seen: list[int] = []
    found = predictions(model, task, batches, lambda features: seen.append(len(features)))
    assert seen == [3, 3, 1]
    found.save(tmp_path / "test.npz")
    read = Predictions.load(tmp_path / "test.npz")
    np.testing.assert_array_equal(read.ids, sample_ids(X))
    [answered] = read.outputs.values()
    np.testing.assert_allclose(answered.answers, tf.nn.softmax(X), rtol=1e-6)
    np.testing.assert_array_equal(answered.labels, labels)
    np.testing.assert_array_equal(answered.weights, weights)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    for name in ("bad.npz", "none.npz"):
        with pytest.raises(RunError, match=rf"{name} holds no predictions that can be read: "):
            Predictions.load(tmp_path / name)


def test_equal_samples_have_equal_ids_whatever_their_batch() -> None:
    assert sample_ids(X).tolist() == [*sample_ids(X[:2]), *sample_ids(X[2:])]
    assert len({*sample_ids(X).tolist()}) == 7
    one = {"a": X[:, 0], "word": np.array([b"ab", b"c"] + [b""] * 5, object)}
    other = {"word": np.array([b"a", b"bc"] + [b""] * 5, object), "a": X[:, 0]}
    assert (sample_ids(one)[:2] != sample_ids(other)[:2]).all()
    assert (sample_ids(one)[2:] == sample_ids(other)[2:]).all()
