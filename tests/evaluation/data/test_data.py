"""What is found in data: associations by hand, samples that are twice, stages of a pipeline."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.evaluation.data.associations import associations, correlation_ratio
from tfpipe.evaluation.data.duplicates import exact, near
from tfpipe.evaluation.data.preprocessed import preprocessed
from tfpipe.evaluation.data.summary import summary
from tfpipe.evaluation.predictions import sample_ids

RNG = np.random.default_rng(0)


def test_the_correlation_ratio_by_hand() -> None:
    # Groups 1 2 3 and 7 8 9: between them 54 of 58.
    ratio = correlation_ratio(np.array([0, 0, 0, 1, 1, 1]), np.array([1.0, 2, 3, 7, 8, 9]))
    assert ratio == pytest.approx(54 / 58)


def test_a_column_that_gives_the_label_away_is_named() -> None:
    labels = RNG.integers(0, 2, 600)
    copied = np.where(RNG.random(600) < 0.01, 1 - labels, labels)
    columns = {
        "noise": RNG.normal(size=600),
        "copy": copied.astype(float),
        "word": np.array([b"no", b"yes"], object)[copied],
        "missing": np.full(600, np.nan),
        "hint": labels + RNG.normal(size=600),
    }
    found = {a.column: a for a in associations(columns, labels, classes=True)}
    assert {name for name, a in found.items() if a.gives_away} == {"copy", "word"}
    assert found["word"].how == "Cramér's V"
    assert found["copy"].strength == pytest.approx(found["word"].strength, abs=0.01)
    assert found["noise"].strength < 0.1 < found["hint"].strength < 0.6
    assert found["missing"].strength == 0.0
    price = RNG.normal(size=600)
    columns = {
        "double": 2 * price + 1,
        "size": np.array([b"s", b"l"], object)[(price > 0).astype(int)],
    }
    double, size = associations(columns, price, classes=False)
    assert (double.how, double.strength, double.gives_away) == ("Pearson", pytest.approx(1.0), True)
    assert (size.how, size.gives_away) == ("correlation ratio", False)


def test_equal_samples_within_splits_and_across_them() -> None:
    train = np.array([[1.0], [2.0], [1.0], [3.0]])
    test = np.array([[3.0], [4.0], [1.0]])
    ids = {"train": sample_ids(train), "test": sample_ids(test)}
    labels = {"train": np.array([0, 1, 1, 0]), "test": np.array([0, 1, 0])}
    within, across = exact(ids, labels)
    assert (within.first, within.second, within.count, within.otherwise) == ("train", "train", 1, 1)
    assert within.pairs == ((0, 2),)
    assert (across.count, across.otherwise, across.pairs) == (2, 0, ((3, 0), (0, 2)))
    assert exact({"train": ids["test"]}, {"train": labels["test"]}) == []


def test_images_that_look_alike_and_are_not_equal() -> None:
    pictures = RNG.integers(0, 256, (6, 8, 8, 3), np.uint8)
    large = np.stack([np.asarray(Image.fromarray(p).resize((64, 64))) for p in pictures])
    brighter = np.clip(large[2].astype(int) + 12, 0, 255).astype(np.uint8)
    plain = np.zeros((2, 64, 64, 3), np.uint8)
    images = {"train": np.concatenate([large, plain]), "test": np.stack([brighter, large[0]])}
    labels = {"train": np.arange(8), "test": np.array([5, 0])}
    [found] = near(images, labels)
    assert (found.first, found.second, found.pairs, found.otherwise) == (
        "train",
        "test",
        ((2, 0),),
        1,
    )


def test_values_of_a_split() -> None:
    spec = ElementSpec(
        (Feature("age", (), "float32", "number"), Feature("city", (), "string", "category")),
        (Label("label", "class", (), ("a", "b")),),
    )
    x = {"age": np.array([1.0, np.nan, 3.0], np.float32), "city": np.array([b"A", b"", b"A"])}
    batches = tf.data.Dataset.from_tensor_slices((x, np.array([0, 1, 1]))).batch(2)
    found = summary(spec, batches)
    age, city = found.spreads["age"], found.spreads["city"]
    assert (age.count, age.missing, age.least, age.greatest, age.mean) == (3, 1, 1.0, 3.0, 2.0)
    assert age.deviation == pytest.approx(1.0)
    assert (city.missing, city.words) == (1, {"A": 2})
    assert found.labels().tolist() == [0, 1, 1]
    assert len(found.ids) == len(found.rows["age"]) == 3


def test_what_the_first_trained_layer_gets() -> None:
    image = keras.Input((4, 4, 3))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    hidden = keras.layers.Dense(2, name="first")(keras.layers.Flatten()(scaled))
    model = keras.Model(image, keras.layers.Dense(1, name="second")(hidden))
    found = preprocessed(model, np.full((5, 4, 4, 3), 255, np.uint8))
    assert {name: (v.shape, v.max()) for name, v in found.items()} == {"first": ((5, 48), 1.0)}

    class Own(keras.Model):
        def call(self, x: tf.Tensor) -> tf.Tensor:
            return x

    assert preprocessed(Own(), np.zeros((1, 2))).startswith("What the model's layers make of it")
