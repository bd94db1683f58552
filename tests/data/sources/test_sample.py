"""Generated data: the same for the same seed, and learnable."""

from typing import Any

import keras
import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifier

from tfpipe.data import TFDS, Arrays, Sample
from tfpipe.data.sources.sample import DEFAULT_SIZE, default_size, sample_of
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.spec import ElementSpec, Feature, Kind, Label
from tfpipe.models import CNN_2_4_6, MLP
from tfpipe.tasks import task_for

COLOUR = Feature("image", (24, 24, 3), "uint8", "image")
GREY = Feature("image", (28, 28, 1), "uint8", "image")
VECTOR = Feature("features", (16,), "float32", "vector")
NUMBER = Label("label", "real")
ANSWERS = Label("label", "multilabel", (3,), ("a", "b", "c"))


def classes(count: int) -> Label:
    return Label("label", "class", (), tuple(f"class {i}" for i in range(count)))


def arrays(sample: Sample, split: str = "train", **options: Any) -> tuple[np.ndarray, np.ndarray]:
    batches = list(sample.input_fn(split, batch_size=sample.size, **options).as_numpy_iterator())
    ((x, y),) = batches
    return x, y


def predicted(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """The test split's labels, and what a linear model of the training split says of them."""
    parts = [arrays(sample, split) for split in ("train", "test")]
    train, test = (x.reshape(len(x), -1).astype(float) for x, _ in parts)
    mean, spread = train.mean(axis=0), train.std() + 1e-9
    model = (Ridge if sample.label.kind == "real" else RidgeClassifier)(alpha=100)
    model.fit((train - mean) / spread, parts[0][1])
    return parts[1][1], model.predict((test - mean) / spread)


@pytest.mark.parametrize("feature", [COLOUR, VECTOR], ids=lambda f: f.name)
@pytest.mark.parametrize("label", [classes(5), NUMBER, ANSWERS], ids=lambda i: i.kind)
def test_the_same_seed_gives_the_same_samples(feature: Feature, label: Label) -> None:
    first, again, other = (
        arrays(Sample((feature,), label, size=50, seed=seed)) for seed in (1, 1, 2)
    )
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, different)


def test_more_samples_test_and_train_differ() -> None:
    sample = Sample((COLOUR,), classes(5), size=50)
    assert sample.spec() == ElementSpec((COLOUR,), (classes(5),), {"train": 50, "test": 10})
    train = {image.tobytes() for image in arrays(sample)[0]}
    test = {image.tobytes() for image in arrays(sample, "test")[0]}
    assert (len(train), len(test)) == (50, 10)
    assert not train & test


def trained(sample: Sample, builder: ModelBuilder, epochs: int) -> float:
    """The accuracy on the test split, after training."""
    keras.utils.set_random_seed(0)
    model = builder.build(sample.spec())
    head = task_for(sample.spec())
    model.compile(keras.optimizers.Adam(2e-3), head.loss_for(), metrics=head.metrics_for())
    model.fit(*arrays(sample), epochs=epochs, verbose=0)
    return float(model.evaluate(*arrays(sample, "test"), verbose=0)[1])


def test_a_cnn_beats_an_mlp_and_both_beat_chance() -> None:
    sample = Sample((COLOUR,), classes(5), size=1000)
    mlp = trained(sample, MLP(units=(64,)), epochs=8)
    cnn = trained(sample, CNN_2_4_6(convs=2, units=32), epochs=4)
    assert mlp > 0.45  # chance is 0.2
    assert cnn > mlp + 0.05
    assert cnn > 0.7


@pytest.mark.parametrize(
    ("feature", "label", "least"),
    [
        (GREY, classes(10), 0.2),
        (COLOUR, classes(2), 0.75),
        (COLOUR, ANSWERS, 0.85),
        (VECTOR, classes(5), 0.9),
        (VECTOR, ANSWERS, 0.85),
        (Feature("bytes", (8,), "uint8", "vector"), classes(3), 0.8),
        (Feature("grid", (5, 5), "float32", "array"), classes(5), 0.9),
    ],
    ids=lambda v: getattr(v, "name", None),
)
def test_every_kind_can_be_learnt(feature: Feature, label: Label, least: float) -> None:
    labels, answers = predicted(Sample((feature,), label, size=800))
    assert (labels == answers).mean() > least


@pytest.mark.parametrize("feature", [VECTOR, COLOUR], ids=lambda f: f.name)
@pytest.mark.parametrize("shape", [(), (2,)])
def test_numbers_can_be_learnt(feature: Feature, shape: tuple[int, ...]) -> None:
    sample = Sample((feature,), Label("price", "real", shape), size=800)
    labels, answers = predicted(sample)
    assert labels.shape == (160, *shape)
    assert np.abs(labels - answers).mean() < 0.6 * np.abs(labels - labels.mean(axis=0)).mean()


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_any_number_of_classes_is_there_in_equal_shares(count: int) -> None:
    _, labels = arrays(Sample((COLOUR,), classes(count), size=200))
    counts = np.bincount(labels)
    assert len(counts) == count
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    ("shape", "dtype", "kind"),
    [
        ((24, 20, 1), "uint8", "image"),
        ((16, 24, 4), "float32", "image"),
        ((4,), "float64", "vector"),
        ((4,), "int64", "vector"),
        ((4,), "bool", "vector"),
        ((), "float32", "array"),
        ((3, 4, 5, 6), "int16", "array"),
    ],
)
@pytest.mark.parametrize("label", [classes(3), NUMBER], ids=lambda i: i.kind)
def test_shapes_and_types_are_those_asked_for(
    shape: tuple[int, ...], dtype: str, kind: Kind, label: Label
) -> None:
    x, _ = arrays(Sample((Feature("x", shape, dtype, kind),), label, size=20))
    assert x.shape == (20, *shape)
    assert x.dtype == dtype
    assert len(np.unique(x)) > 1
    if kind == "image" and dtype == "float32":
        assert -1 < x.min() < x.max() < 2


def test_several_features() -> None:
    sample = Sample((COLOUR, VECTOR), classes(3), size=20)
    ((x, y),) = sample.input_fn("train", batch_size=20).as_numpy_iterator()
    assert {name: values.shape for name, values in x.items()} == {
        "image": (20, 24, 24, 3),
        "features": (20, 16),
    }
    assert y.shape == (20,)


def test_it_stands_in_for_a_data_set_that_is_not_there(tmp_path: Any) -> None:
    source = TFDS("cifar10", validation=0.05, data_dir=str(tmp_path))
    sample = sample_of(source, None, 3)
    spec = sample.spec()
    assert spec.feature == Feature("image", (32, 32, 3), "uint8", "image")
    assert spec.classes[:2] == ("airplane", "automobile")
    size = default_size(spec.features)
    held_out = 196  # as many of each class
    assert 3_000 < size < DEFAULT_SIZE
    assert spec.splits == {"train": size - held_out, "validation": held_out, "test": size // 5}
    assert sample_of(source, 400, 3).spec().splits == {"train": 380, "validation": 20, "test": 80}
    assert (sample.seed, list(tmp_path.iterdir())) == (3, [])


@pytest.mark.parametrize(
    ("validation", "test", "splits"),
    [
        ("test", "test", {"train": 100, "validation": 20, "test": 20}),
        (None, None, {"train": 100}),
        (0.1, 0.2, {"train": 72, "validation": 8, "test": 20}),
        ("other", "test", {"train": 90, "validation": 10, "test": 20}),
    ],
)
def test_it_takes_the_splits_of_what_it_stands_for(
    validation: Any, test: Any, splits: dict[str, int]
) -> None:
    source = Arrays(lambda: (np.zeros((10, 4)), np.arange(10) % 2), validation, test)
    assert sample_of(source, 100, 0).spec().splits == splits


@pytest.mark.parametrize(("side", "size"), [(28, 5102), (224, 500), (1000, 500)])
def test_large_samples_are_made_in_smaller_numbers(side: int, size: int) -> None:
    assert default_size((Feature("image", (side, side, 3), "uint8", "image"),)) == size


def test_texts_and_categories_favour_words_of_their_class() -> None:
    features = (
        Feature("review", (), "string", "text"),
        Feature("country", (), "string", "category", ("France", "Spain")),
        Feature("age", (), "float32", "number"),
    )
    source = Sample(features, Label("label", "class", (), ("no", "yes")), size=600)
    x, y = next(source.input_fn("train", batch_size=600).as_numpy_iterator())
    assert set(x["country"]) == {b"France", b"Spain"}
    assert x["age"].dtype == np.float32
    words = [set(text.split()) for text in x["review"]]
    assert all(8 <= len(text.split()) < 40 for text in x["review"])
    vocabulary = sorted(set.union(*words))
    present = np.array([[w in text for w in vocabulary] for text in words], float)
    difference = present[y == 0].mean(axis=0) - present[y == 1].mean(axis=0)
    assert np.abs(difference).max() > 0.3
    again = next(source.replace().input_fn("train", batch_size=600).as_numpy_iterator())[0]
    np.testing.assert_array_equal(x["review"], again["review"])


def test_words_follow_real_numbers_too() -> None:
    features = (Feature("review", (), "string", "text"),)
    source = Sample(features, Label("label", "real"), size=100)
    x, y = next(source.input_fn("train", batch_size=100).as_numpy_iterator())
    assert len(set(x)) == 100
    assert y.dtype == np.float32


def test_a_number_of_the_last_rows_becomes_a_tenth() -> None:
    source = Arrays(lambda: (np.zeros((2000, 2)), np.zeros(2000)), validation=300, test=500)
    assert sample_of(source, 100, 0).spec().splits == {"train": 81, "validation": 9, "test": 10}
