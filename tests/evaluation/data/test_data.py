"""What is found in data: associations by hand, samples that are twice, stages of a pipeline."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.declare.formats import DateFormat, NumberFormat
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.evaluation.data.associations import associations, correlation_ratio, cramers_v
from tfpipe.evaluation.data.columns import columns_of, label_columns, named
from tfpipe.evaluation.data.duplicates import Fingerprints, exact, near
from tfpipe.evaluation.data.preprocessed import preprocessed
from tfpipe.evaluation.data.summary import picked, summary
from tfpipe.evaluation.predictions import sample_ids

RNG = np.random.default_rng(0)


def test_the_correlation_ratio_by_hand() -> None:
    # Groups 1 2 3 and 7 8 9: between them 54 of 58.
    ratio = correlation_ratio(np.array([0, 0, 0, 1, 1, 1]), np.array([1.0, 2, 3, 7, 8, 9]))
    assert ratio == pytest.approx(54 / 58)


def test_cramers_v_by_hand() -> None:
    # 40 of 50 on the diagonal of two even halves: chi-square 36 of 100 rows, so V = 0.6; less what
    # chance gives, phi-square 0.36 - 1/99, and both sides have 2 - 1/99 - 1 left.
    one, other = np.repeat([0, 1], 50), np.r_[[0] * 40, [1] * 10, [0] * 10, [1] * 40]
    assert cramers_v(one, other) == pytest.approx(np.sqrt((0.36 - 1 / 99) / (1 - 1 / 99)))
    assert cramers_v(np.zeros(9, int), np.arange(9)) == 0.0
    many = RNG.integers(0, 40, 400)  # which say nothing, and uncorrected 0.3
    assert cramers_v(many, RNG.integers(0, 2, 400)) < 0.15


def test_what_names_a_row_is_said_to() -> None:
    labels = RNG.integers(0, 2, 400)
    columns = {
        "number": np.arange(400.0),
        "name": np.array([f"n{i}".encode() for i in range(400)], object),
        "measured": RNG.normal(size=400),
        "few": RNG.integers(0, 30, 400).astype(float),
    }
    found = {a.column: a for a in associations(columns, labels, classes=True)}
    assert [name for name, a in found.items() if a.identifies] == ["number", "name"]
    assert found["name"].how == "too many words"


def test_a_copy_of_many_classes_gives_them_away() -> None:
    labels = RNG.integers(0, 90, 4000)
    [found] = associations({"copy": 3.0 * labels}, labels, classes=True)
    assert found.gives_away


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
    cropped = np.asarray(Image.fromarray(large[4][1:, 1:]).resize((64, 64)))
    plain = np.zeros((2, 64, 64, 3), np.uint8)
    images = {
        "train": np.concatenate([large, plain]),
        "test": np.stack([brighter, large[0], cropped, plain[0]]),
    }
    labels = {"train": np.arange(8), "test": np.array([5, 0, 4, 6])}
    prints = {name: Fingerprints() for name in images}
    for name, some in images.items():
        for row, image in enumerate(some):
            prints[name].add(row, image)
    ids = {name: sample_ids(some) for name, some in images.items()}
    [found] = near(prints, ids, labels)
    assert (found.first, found.second, found.count, found.otherwise) == ("train", "test", 2, 1)
    assert set(found.pairs) == {(2, 0), (4, 2)}
    assert near({"train": Fingerprints()}, ids, labels) == []


def test_what_has_one_silhouette_is_not_alike_for_that() -> None:
    # Discs whose inside differs: each looks like all others, none like one of them above all.
    y, x = np.mgrid[:32, :32]
    disc = ((x - 16) ** 2 + (y - 16) ** 2 < 140)[..., None]
    inside = np.stack(
        [
            np.asarray(Image.fromarray(RNG.integers(150, 256, (6, 6), np.uint8)).resize((32, 32)))
            for _ in range(40)
        ]
    )[..., None]
    images = np.where(disc, inside, 0).astype(np.uint8)
    again = np.where(disc, inside[7] * 0.97, 0).astype(np.uint8)
    prints = Fingerprints()
    for row, image in enumerate([*images, again]):
        prints.add(row, image)
    ids = sample_ids(np.stack([*images, again]))
    [found] = near({"train": prints}, {"train": ids}, {"train": np.zeros(41)})
    assert found.pairs == ((7, 40),)


def test_values_of_a_split() -> None:
    spec = ElementSpec(
        (Feature("age", (), "float32", "number"), Feature("city", (), "string", "category")),
        (Label("label", "class", (), ("a", "b")),),
    )
    x = {"age": np.array([1.0, np.nan, 3.0], np.float32), "city": np.array([b"A", b"", b"A"])}
    batches = tf.data.Dataset.from_tensor_slices((x, np.array([0, 1, 1]))).batch(2)
    found = summary(spec, batches, 3)
    age, city = found.spreads["age"], found.spreads["city"]
    assert (age.count, age.missing, age.least, age.greatest, age.mean) == (3, 1, 1.0, 3.0, 2.0)
    assert age.deviation == pytest.approx(1.0)
    assert (city.missing, city.words) == (1, {"A": 2})
    assert found.labels().tolist() == [0, 1, 1]
    assert len(found.ids) == len(found.rows["age"]) == 3
    some = picked(batches, [2, 0], spec)
    assert [(s["age"], labels[""]) for s, labels in some.values()] == [(1.0, 0), (3.0, 1)]


def test_images_to_compare_are_drawn_with_the_seed() -> None:
    spec = ElementSpec(
        (Feature("image", (8, 8, 1), "uint8", "image"),), (Label("y", "class", (), ("a", "b")),)
    )
    pixels = RNG.integers(0, 256, (50, 8, 8, 1), np.uint8)
    batches = tf.data.Dataset.from_tensor_slices((pixels, np.arange(50) % 2)).batch(16)
    one, again, other = (summary(spec, batches, 50, seed, 10) for seed in (1, 1, 2))
    assert len(one.prints.rows) == 10
    assert one.prints.rows == again.prints.rows != other.prints.rows
    assert max(one.prints.rows) > 16, "not the first ones alone"
    augmented = batches.map(lambda x, y: (tf.cast(x, tf.float32) * 1.5, y))
    [(sample, _)] = picked(augmented, [3], spec).values()
    assert sample["image"].dtype == np.uint8
    assert sample["image"].max() == 255


def test_columns_are_numbers_and_words_as_the_model_reads_them() -> None:
    comma = NumberFormat(decimal=",", thousands=".")
    features = (
        Feature("price", (), "string", "number", format=comma),
        Feature("day", (), "string", "date", format=DateFormat("dmy")),
        Feature("city", (), "string", "category"),
        Feature("sizes", (2,), "float32", "vector"),
        Feature("picture", (4, 4, 1), "uint8", "image"),
    )
    parts = (Label("kind", "class", (), ("a", "b")), Label("tags", "multilabel", (2,), ("x", "y")))
    spec = ElementSpec(features, (Label("labels", "several", parts=parts),))
    rows = {
        "price": np.array([b"1.234,5", b""], object),
        "day": np.array([b"31.12.2024", b"1.2.2023"], object),
        "city": np.array([b"A", b"B"], object),
        "sizes": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "picture": np.zeros((2, 4, 4, 1), np.uint8),
    }
    columns = columns_of(spec, rows)
    assert columns["price"][0] == 1234.5
    assert np.isnan(columns["price"][1])
    assert columns["sizes[1]"].tolist() == [2.0, 4.0]
    assert {name.partition("[")[0] for name in columns} == {"price", "day", "city", "sizes"}
    labels = {"kind": np.array([0, 1]), "tags": np.array([[1, 0], [1, 1]])}
    found = label_columns(spec.label, labels)
    assert [(c.name, c.labels.tolist(), c.usual) for c in found] == [
        ("kind", [0, 1], 0.5),
        ("x", [1, 1], 1.0),
        ("y", [0, 1], 0.5),
    ]
    real = label_columns(Label("price", "real"), {"": np.array([1.5, 2.5])})
    assert [(c.name, c.labels.tolist(), c.classes) for c in real] == [("price", [1.5, 2.5], False)]
    assert named(parts[1], np.array([1, 1])) == "x, y"
    assert named(Label("price", "real"), np.array(1.25)) == "1.25"


def test_what_the_first_trained_layer_gets() -> None:
    image = keras.Input((4, 4, 3))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    hidden = keras.layers.Dense(2, name="first")(keras.layers.Flatten()(scaled))
    model = keras.Model(image, keras.layers.Dense(1, name="second")(hidden))
    found = preprocessed(model, np.full((5, 4, 4, 3), 255, np.uint8))
    assert {name: (v.shape, v.max()) for name, v in found.items()} == {"first": ((5, 48), 1.0)}
    learnt = keras.layers.Normalization(mean=2.0, variance=4.0)
    layers = [keras.Input((3,)), learnt, keras.layers.Dense(1, name="only", trainable=False)]
    found = preprocessed(keras.Sequential(layers), np.full((2, 3), 4.0, np.float32))
    assert {name: v.mean() for name, v in found.items()} == {"only": 1.0}

    class Own(keras.Model):
        def call(self, x: tf.Tensor) -> tf.Tensor:
            return x

    assert preprocessed(Own(), np.zeros((1, 2))).startswith("What the model's layers make of it")
