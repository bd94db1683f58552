"""What goes into a model: raw numbers, categories and bytes, made into numbers inside it."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ModelError
from tfpipe.models.inputs import image_feature, numbers

MakeSpec = Callable[..., ElementSpec]
MakeTraining = Callable[..., Training]
Reload = Callable[[keras.Model], keras.Model]

SALARY = np.float32([150_000, 150_002, 149_998, 150_004])
AGE = np.float32([20, np.nan, 40, 60])
TOWN = np.array(["Zürich", "Bern", "Basel", "Bern"], object)


@pytest.fixture
def bfloat16() -> Iterator[None]:
    """Layers compute in bfloat16, which has eight bits of a number."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def read(spec: ElementSpec, train: Training | None = None, **options: Any) -> keras.Model:
    """A model whose answers are the numbers that the next layers would get."""
    inputs, x = numbers(spec, "MLP", train, **options)
    return keras.Model(inputs, x)


def tensors(columns: dict[str, Any]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(values) for name, values in columns.items()}


# Numbers of a table


def test_a_tables_numbers_are_standardised_as_by_scikit_learn(
    table_of: MakeSpec, training: MakeTraining
) -> None:
    columns = {"salary": SALARY, "flat": np.float32([7, 7, 7, 7])}
    model = read(table_of(salary="number", flat="number"), training(columns))
    rows = np.stack(list(columns.values()), axis=1)
    np.testing.assert_allclose(
        model(tensors(columns)), StandardScaler().fit_transform(rows), rtol=1e-5
    )


def test_columns_go_by_their_names_and_not_by_their_order(
    table_of: MakeSpec, training: MakeTraining
) -> None:
    columns = {"salary": SALARY, "age": np.float32([1, 2, 3, 4])}
    model = read(table_of(salary="number", age="number"), training(columns), normalize=False)
    turned = dict(reversed(columns.items()))
    np.testing.assert_array_equal(model(tensors(turned))[:, 0], SALARY)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_missing_number_becomes_the_mean(
    table_of: MakeSpec, training: MakeTraining, normalize: bool
) -> None:
    model = read(table_of(age="number"), training(AGE), normalize=normalize)
    found = np.asarray(model(tf.constant(AGE)))[:, 0]
    if normalize:
        np.testing.assert_allclose(found, [-1.2247449, 0, 0, 1.2247449], atol=1e-6)
    else:
        assert found.tolist() == [20, 40, 40, 60]


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("normalize", [True, False])
def test_no_precision_rounds_raw_numbers(
    table_of: MakeSpec, training: MakeTraining, normalize: bool
) -> None:
    columns = {"salary": SALARY, "town": TOWN}
    model = read(table_of(salary="number", town="category"), training(columns), normalize=normalize)
    found = np.asarray(model(tensors(columns)))
    assert found.dtype == np.float32
    expected = (SALARY - 150_001) / np.sqrt(5) if normalize else SALARY
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("shape", [(3,), (3, 1, 1)])
def test_no_precision_rounds_raw_arrays_before_they_are_standardised(
    spec_of: MakeSpec, training: MakeTraining, shape: tuple[int, ...]
) -> None:
    rows = np.float32([[150_000, 1, 2], [150_002, 1, 4]]).reshape(2, *shape)
    model = read(spec_of(shape, "float32"), training(rows), normalize=True)
    assert np.asarray(model(rows)).tolist() == [[-1, 0, -1], [1, 0, 1]]


# Categories


@pytest.mark.parametrize("drop", [None, "first"])
def test_categories_are_encoded_as_by_scikit_learn(
    table_of: MakeSpec, training: MakeTraining, drop: str | None
) -> None:
    model = read(
        table_of(town="category"), training(TOWN), categories="dummy" if drop else "one_hot"
    )
    words = np.array(TOWN.tolist())
    order = [np.array(["Basel", "Bern", "Zürich"])]
    expected = OneHotEncoder(categories=order, drop=drop).fit_transform(words[:, None]).toarray()
    found = np.asarray(model(tf.constant(TOWN)))
    np.testing.assert_array_equal(found if drop else found[:, 1:], expected)


@pytest.mark.parametrize(
    ("categories", "unknown"), [("one_hot", [1.0, 0, 0, 0]), ("dummy", [0.0, 0])]
)
def test_unknown_and_missing_words(
    table_of: MakeSpec, training: MakeTraining, categories: Any, unknown: list[float]
) -> None:
    model = read(table_of(town="category"), training(TOWN), categories=categories)
    for word in ("Genf", "", "bern", "[UNK]"):
        assert np.asarray(model(tf.constant([word]))).tolist() == [unknown]


def test_a_single_row_is_as_in_a_batch(table_of: MakeSpec, training: MakeTraining) -> None:
    columns = {"town": TOWN, "age": AGE}
    model = read(table_of(town="category", age="number"), training(columns))
    one = {name: values[:1] for name, values in tensors(columns).items()}
    np.testing.assert_array_equal(model(one), model(tensors(columns))[:1])


def test_numbers_come_before_categories(table_of: MakeSpec, training: MakeTraining) -> None:
    columns = {"town": TOWN, "age": AGE, "sex": np.array(["f", "m", "f", "f"], object)}
    spec = table_of(town="category", age="number", sex="category")
    model = read(spec, training(columns), categories="dummy", normalize=False)
    assert np.asarray(model(tensors(columns))).tolist() == [
        [20, 0, 1, 0],  # age; Bern, Zürich; m
        [40, 1, 0, 1],
        [40, 0, 0, 0],
        [60, 1, 0, 0],
    ]


def test_declared_categories_need_no_training(table_of: MakeSpec) -> None:
    town = Feature("town", (), "string", "category", ("Zürich", "Bern"))
    model = read(table_of(town="category").replace(features=(town,)))
    assert np.asarray(model(tf.constant(["Bern"]))).tolist() == [[0, 0, 1]]


def test_a_category_may_hold_the_word_that_keras_uses_for_unknown_ones(
    table_of: MakeSpec, training: MakeTraining
) -> None:
    words = np.array(["[UNK]", "A", "a"], object)
    model = read(table_of(code="category"), training(words))
    assert np.asarray(model(tf.constant(["A", "[UNK]", "a"])))[:, 1:].tolist() == np.eye(3).tolist()


def test_one_word_as_a_dummy_has_no_column(table_of: MakeSpec, training: MakeTraining) -> None:
    columns = {"code": np.array(["x"] * 4, object), "age": AGE}
    spec = table_of(code="category", age="number")
    assert read(spec, training(columns), categories="dummy").output_shape == (None, 1)
    assert read(spec, training(columns)).output_shape == (None, 3)


def test_a_table_that_says_nothing_is_refused(table_of: MakeSpec, training: MakeTraining) -> None:
    columns = {"code": np.array(["x", "x"], object), "kind": np.array(["y", "y"], object)}
    spec = table_of(code="category", kind="category")
    with pytest.raises(ModelError) as caught:
        read(spec, training(columns), categories="dummy")
    assert str(caught.value) == (
        "MLP has nothing to read: each column (code, kind) holds one word only in the training "
        "split, and categories='dummy' gives the first word no column. Use categories='one_hot', "
        "or other columns."
    )


@pytest.mark.parametrize("name", ["km/h", "logits", "normalization"])
def test_names_that_keras_cannot_take_are_refused(table_of: MakeSpec, name: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(table_of(**{name: "number"}))
    assert str(caught.value) == (
        f"The column {name!r} has a name that Keras cannot take for an input: rename it, without "
        "'/' and to neither 'logits' nor 'normalization'."
    )


def test_names_with_spaces_are_taken(
    table_of: MakeSpec, training: MakeTraining, reload: Reload
) -> None:
    columns = {"fixed acidity": AGE, "Ort (Stadt)": TOWN}
    spec = table_of(**{"fixed acidity": "number", "Ort (Stadt)": "category"})
    model = read(spec, training(columns))
    np.testing.assert_array_equal(model(tensors(columns)), reload(model)(tensors(columns)))


# Images, vectors and arrays


@pytest.mark.parametrize("scale", [(0.0, 1.0), (-1.0, 1.0)])
def test_bytes_are_standardised_where_that_is_declared(
    spec_of: MakeSpec, training: MakeTraining, scale: tuple[float, float]
) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (20, 2, 2, 1)).astype(np.uint8)
    rows[:, 0, 0] = 0  # as in the corners of digits
    model = read(spec_of((2, 2, 1)), training(rows), normalize=True, scale=scale)
    scaled = scale[0] + rows.reshape(20, 4) / 255 * (scale[1] - scale[0])
    expected = StandardScaler().fit(scaled)
    np.testing.assert_allclose(model(rows), expected.transform(scaled), atol=1e-4)
    # A byte that was always 0 in training is divided by 1 after it is scaled.
    lit = np.full((1, 2, 2, 1), 255, np.uint8)
    np.testing.assert_allclose(np.asarray(model(lit))[0, 0], scale[1] - scale[0], atol=1e-5)


def test_vectors_are_standardised_where_that_is_declared(
    spec_of: MakeSpec, training: MakeTraining
) -> None:
    rows = np.random.default_rng(0).normal(1e5, 3, (20, 3)).astype(np.float32)
    spec = spec_of((3,), "float32")
    model = read(spec, training(rows), normalize=True)
    np.testing.assert_allclose(model(rows), StandardScaler().fit_transform(rows), atol=1e-3)
    for normalize in ("auto", False):
        np.testing.assert_array_equal(read(spec, training(rows), normalize=normalize)(rows), rows)


# All of them


def test_what_was_learnt_is_saved(
    table_of: MakeSpec, training: MakeTraining, reload: Reload
) -> None:
    columns = {"town": TOWN, "age": AGE, "salary": SALARY}
    spec = table_of(town="category", age="number", salary="number")
    model = read(spec, training(columns))
    assert model.weights == []
    np.testing.assert_array_equal(model(tensors(columns)), reload(model)(tensors(columns)))


def test_texts_are_refused(table_of: MakeSpec) -> None:
    with pytest.raises(ModelError) as caught:
        read(table_of(age="number", review="text"))
    assert str(caught.value) == "MLP reads numbers; 'review' holds texts. Use TextClassifier."


def test_what_is_no_image(table_of: MakeSpec) -> None:
    for columns, message in (
        (
            {"a": "number", "b": "category"},
            "LeNet reads images; the data is a table with 2 column(s) (a, b). Use MLP or Linear.",
        ),
        (
            dict.fromkeys("abcd", "number"),
            "LeNet reads images; the data is a table with 4 column(s) (a, b, c, ...). Use MLP or "
            "Linear.",
        ),
        ({"review": "text"}, "LeNet reads images; 'review' holds texts. Use TextClassifier."),
    ):
        with pytest.raises(ModelError) as caught:
            image_feature(table_of(**columns), "LeNet")
        assert str(caught.value) == message
