"""Arrays: what a function may return, and what it may not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError
from tfpipe.models import MLP

X = np.zeros((20, 4), np.float32)
Y = np.arange(20) % 3
PIXELS = np.zeros((20, 8, 8, 3), np.uint8)


def spec_of(returned: Any, **fields: Any) -> Any:
    return Arrays(lambda: returned, **fields).spec()


def refused(returned: Any, **fields: Any) -> str:
    with pytest.raises(DataError) as caught:
        spec_of(returned, **fields)
    return str(caught.value)


# What it may return


@pytest.mark.parametrize(
    ("returned", "splits"),
    [
        ((X, Y), {"train": 18, "validation": 2}),
        ([X, Y], {"train": 18, "validation": 2}),
        (((X, Y), (X[:5], Y[:5])), {"train": 18, "validation": 2, "test": 5}),
        ({"train": (X, Y)}, {"train": 18, "validation": 2}),
        ({"train": (X, Y), "test": (X, Y)}, {"train": 18, "validation": 2, "test": 20}),
    ],
)
def test_pairs_keras_datasets_and_mappings(returned: Any, splits: dict[str, int]) -> None:
    assert spec_of(returned).splits == splits


def test_a_split_of_ones_own_name_can_be_for_validation() -> None:
    spec = spec_of({"train": (X, Y), "valid": (X[:6], Y[:6])}, validation="valid")
    assert spec.splits == {"train": 20, "validation": 6}


def test_both_shares_are_held_out() -> None:
    assert spec_of((X, Y), validation=0.25, test=0.2).splits == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }


@pytest.mark.parametrize(
    ("x", "feature"),
    [
        (PIXELS, Feature("image", (8, 8, 3), "uint8", "image")),
        (PIXELS[..., 0], Feature("image", (8, 8, 1), "uint8", "image")),
        (PIXELS / 255, Feature("image", (8, 8, 3), "float32", "image")),
        (X, Feature("features", (4,), "float32", "vector")),
        (X.astype(np.float64), Feature("features", (4,), "float32", "vector")),
        (X.tolist(), Feature("features", (4,), "float32", "vector")),
        (X.astype(np.int64), Feature("features", (4,), "int64", "vector")),
        (X[:, 0], Feature("features", (), "float32", "array")),
        ({"height": X}, Feature("height", (4,), "float32", "vector")),
    ],
)
def test_features(x: Any, feature: Feature) -> None:
    assert spec_of((x, Y)).feature == feature


def test_features_by_name() -> None:
    spec = spec_of(({"photo": PIXELS, "age": X[:, :1]}, Y))
    assert [f.name for f in spec.features] == ["photo", "age"]


@pytest.mark.parametrize(
    ("y", "label"),
    [
        (Y, Label("label", "class", (), ("0", "1", "2"))),
        (Y[:, None], Label("label", "class", (), ("0", "1", "2"))),
        (Y == 1, Label("label", "class", (), ("False", "True"))),
        (Y + 1, Label("label", "class", (), ("1", "2", "3"))),
        (2 * (Y % 2) - 1, Label("label", "class", (), ("-1", "1"))),
        (Y * 1.0, Label("label", "class", (), ("0", "1", "2"))),
        (Y + 1.0, Label("label", "real", ())),
        (np.array(["ape", "cow", "bee"])[Y], Label("label", "class", (), ("ape", "bee", "cow"))),
        ([str(8 + y) for y in Y], Label("label", "class", (), ("8", "9", "10"))),
        (np.eye(3)[Y], Label("label", "class", (), ("0", "1", "2"))),
        (Y / 7, Label("label", "real", ())),
        (Y[:, None] / 7, Label("label", "real", ())),
        (np.stack([Y, Y], axis=1) / 7, Label("label", "real", (2,))),
        (np.stack([Y > 0, Y > 1], axis=1), Label("label", "multilabel", (2,), ("0", "1"))),
    ],
)
def test_labels(y: np.ndarray, label: Label) -> None:
    assert spec_of((X, y)).label == label


@pytest.mark.parametrize(
    ("y", "kind", "classes", "how"),
    [
        (Y, "auto", ("0", "1", "2"), "class indices 0 to 2"),
        (Y * 1.0, "auto", ("0", "1", "2"), "class indices 0 to 2"),
        (Y * 1.0, "number", (), "whole numbers 0 to 2, taken for real numbers"),
        (Y + 1, "auto", ("1", "2", "3"), "whole numbers 1 to 3, each different one a class"),
        (Y * 100, "auto", ("0", "100", "200"), "whole numbers 0 to 200, each different one a cl"),
        (2 * Y - 1, "auto", ("-1", "1", "3"), "whole numbers -1 to 3, each different one a class"),
        ((2.0 * (Y == 1) - 1), "auto", ("-1", "1"), "whole numbers -1 to 1, each different one"),
        (
            Y + 1.0,
            "auto",
            (),
            "whole numbers 1 to 3, taken for real numbers; task='classification' makes classes of "
            "them",
        ),
        (Y + 1.0, "class", ("1", "2", "3"), "whole numbers 1 to 3, each different one"),
        (Y * 5000, "number", (), "whole numbers 0 to 10000, taken for real numbers"),
        (Y == 1, "class", ("False", "True"), "booleans of 2 classes"),
        (np.array(list("abc"))[Y], "auto", ("a", "b", "c"), "texts of 3 classes"),
        (np.eye(3)[Y], "auto", ("0", "1", "2"), "one-hot rows of 3 classes"),
        (Y / 7, "auto", (), "real numbers"),
    ],
)
def test_it_is_said_how_labels_are_read_and_the_kind_decides(
    y: np.ndarray, kind: str, classes: tuple[str, ...], how: str
) -> None:
    source = Arrays(lambda: (X, y), validation=None).with_labels(kind)
    assert source.spec().classes == classes
    assert source.label_reading().startswith(how)
    (batch,) = source.input_fn("train", batch_size=20, shuffle=False)
    expected = Y == 1 if len(classes) == 2 else Y
    np.testing.assert_array_equal(batch[1], expected if classes else y.astype("float32"))


def test_indices_of_which_some_are_missing_stay_indices() -> None:
    assert Arrays(lambda: (X, Y * 2)).spec().classes == ("0", "1", "2", "3", "4")


@pytest.mark.parametrize(
    ("y", "row"),
    [
        (np.array(["a"] * 12 + [None] * 8, object), "row 12 is None"),
        (np.array([1, "a"] * 10, object), "row 1 is 'a'"),
        (np.array(["2024-01-01"] * 20, "datetime64[D]"), "row 0 is datetime.date(2024, 1, 1)"),
    ],
)
def test_labels_that_are_neither_texts_nor_numbers(y: np.ndarray, row: str) -> None:
    assert refused((X, y)) == (
        "Arrays: y of split 'train' should hold texts, booleans or numbers, one kind for all "
        f"samples; {row}."
    )


def test_words_may_be_declared_in_an_order_of_ones_own() -> None:
    y = np.array(["low", "high", "mid"])[Y]
    source = Arrays(lambda: (X, y), validation=None, classes=("low", "mid", "high", "top"))
    assert source.spec().classes == ("low", "mid", "high", "top")
    (batch,) = source.input_fn("train", batch_size=20, shuffle=False)
    np.testing.assert_array_equal(batch[1], np.array([0, 2, 1])[Y])
    assert refused((X, y), classes=("low", "mid", "hihg")) == (
        "Arrays: y has the label 'high', which classes does not name. Did you mean 'hihg'?"
    )
    numbered = Arrays(lambda: (X, 10 * Y + 10), validation=None, classes=("30", "20", "10"))
    (batch,) = numbered.input_fn("train", batch_size=20, shuffle=False)
    np.testing.assert_array_equal(batch[1], 2 - Y)


@pytest.mark.parametrize("names", [("-1", "1"), ("no", "yes")])
def test_answers_are_the_labels_as_they_were_given(tmp_path: Path, names: Any) -> None:
    x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    above = (x[:, 0] > 0).astype(int)

    class Signs(Pipeline):
        data = Arrays(
            lambda: (x, 2 * above - 1 if names[0] == "-1" else np.array(names)[above]),
            validation=0.2,
            test=0.2,
        )
        model = MLP(units=(8,))
        optimizer = keras.optimizers.Adam(0.05)
        epochs = 10

    run = tfpipe.run(Signs(), root=tmp_path, quiet=True)
    assert run.metrics["test"]["accuracy"] > 0.9
    report = json.loads((run.directory / "report" / "report.json").read_text())
    assert report["test"]["classes"]["classes"] == list(names)
    signature = tf.saved_model.load(str(run.exported[0])).signatures["serving_default"]
    answers = signature(features=tf.constant(x))["class_name"].numpy().astype(str)
    assert (answers == np.array(names)[above]).mean() > 0.9


def test_declared_class_names() -> None:
    assert spec_of((X, Y), classes=("a", "b", "c", "d")).classes == ("a", "b", "c", "d")


def test_the_function_is_called_once_and_not_when_declared() -> None:
    calls = []

    def load() -> Any:
        calls.append(1)
        return X, Y

    source = Arrays(load)
    assert calls == []
    source.spec()
    list(source.input_fn("train", batch_size=4))
    assert calls == [1]


# What it may not


def broken() -> Any:
    raise FileNotFoundError("no such file: 'numbers.csv'")


def test_a_function_that_fails() -> None:
    with pytest.raises(DataError) as caught:
        Arrays(broken).spec()
    assert str(caught.value) == (
        "Arrays: broken() failed with FileNotFoundError: no such file: 'numbers.csv'"
    )
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            X,
            "Arrays: the function should return (x, y), ((x, y), (x_test, y_test)) or a mapping of "
            "splits to (x, y), got ndarray.",
        ),
        (
            None,
            "Arrays: the function should return (x, y), ((x, y), (x_test, y_test)) or a mapping of "
            "splits to (x, y), got NoneType.",
        ),
        ({"test": (X, Y)}, "Arrays: there is no split 'train' among ['test']."),
        ({"train": X}, "Arrays: split 'train' should be (x, y), or (x, y, weights)."),
        (({}, Y), "Arrays: x of split 'train' is an empty mapping."),
        (
            (X, Y[:19]),
            "Arrays: split 'train' has 20 samples of 'features' but 19 labels.",
        ),
        ((X[:0], Y[:0]), "Arrays: the train split is empty."),
        (((X, Y), (X[:0], Y[:0])), "Arrays: the test split is empty."),
        (
            (np.array([["a"]] * 20), Y),
            "Arrays: x of split 'train' should hold numbers, one row a sample, got <U1 of shape "
            "(20, 1).",
        ),
        (
            (X, Y, np.ones(19)),
            "Arrays: weights of split 'train' should be 20 numbers, one a sample, none of them "
            "below 0 and not all of them 0; got shape (19,).",
        ),
        (
            (X, Y, np.full(20, -0.5)),
            "Arrays: weights of split 'train' should be 20 numbers, one a sample, none of them "
            "below 0 and not all of them 0; got shape (20,).",
        ),
        (
            (X, Y * 0),
            "Arrays: y holds one class only, 0. Name those without samples too, by classes=.",
        ),
        (
            (X, np.array(["cat"] * 20)),
            "Arrays: y holds one class only, 'cat'. Name those without samples too, by classes=.",
        ),
        (
            (X, 3),
            "Arrays: y of split 'train' should hold numbers, one row a sample, got int64 of shape "
            "().",
        ),
        (
            ([[1.0, 2.0], [3.0], [4.0]], [0, 1, 1]),
            "Arrays: x of split 'train' has rows of differing length.",
        ),
        (
            ((X, Y - 1), (X, Y)),
            "split 'test': the label 2 in row 2 is none of the classes, which are -1, 0, 1. "
            "Declare all their names with classes=(...).",
        ),
        (
            ((X, Y), (X, Y + 1)),
            "split 'test': 6 of 20 labels are outside the range 0 to 2 of 3 classes, the first is "
            "3 in row 2. Number the classes from 0, or declare all their names with classes=(...).",
        ),
        (
            (X, np.stack([Y, Y], axis=1)),
            "Arrays: y of whole numbers and shape (20, 2) is neither class indices [rows] nor "
            "yes/no answers [rows, several] of 0 and 1. For real numbers use a float type.",
        ),
        (
            (X, np.arange(20) * 5000),
            "Arrays: y holds whole numbers from 0 to 95000 in 20 samples, which are hardly "
            "classes. For real numbers use a float type, y.astype('float32'), or declare "
            "task='regression'.",
        ),
        (
            ((PIXELS, Y), (PIXELS / 255, Y)),
            "Arrays: split 'test' holds 'image' (float32 of shape (8, 8, 3)), the training split "
            "'image' (uint8 of shape (8, 8, 3)).",
        ),
        (
            ((X, Y), (X[:, :3], Y)),
            "Arrays: split 'test' holds 'features' (float32 of shape (3,)), the training split "
            "'features' (float32 of shape (4,)).",
        ),
        (
            ((X, Y), (X, Y / 2)),
            "Arrays: split 'test' has labels of float32 and shape (20,), the training split of "
            "int64 and shape (20,).",
        ),
    ],
)
def test_refused(returned: Any, message: str) -> None:
    assert refused(returned) == message


def test_labels_beyond_the_declared_classes() -> None:
    assert refused((X, Y), classes=("a", "b")) == (
        "split 'train': 6 of 20 labels are outside the range 0 to 1 of 2 classes, the first is 2 "
        "in row 2. Number the classes from 0, or declare all their names with classes=(...)."
    )


@pytest.mark.parametrize("validation", [0.0, 1.0, -0.1, 1.5])
def test_a_share_is_between_0_and_1(validation: float) -> None:
    with pytest.raises(ValueError, match=r"Arrays\.validation takes a number above 0 and below 1"):
        Arrays(broken, validation=validation)


def test_no_function() -> None:
    given: Any = X
    with pytest.raises(ValueError, match=r"Arrays\.load takes a function"):
        Arrays(given)


def test_a_split_that_is_not_there() -> None:
    assert refused((X, Y), validation="valid") == "There is no split 'valid' for validation."
    assert refused(((X, Y), (X, Y)), test="tset") == (
        "There is no split 'tset' for test. Did you mean 'test'?"
    )


def test_numbers_that_are_none_are_refused() -> None:
    x = np.ones((5, 2))
    x[3, 1] = np.nan
    with pytest.raises(DataError) as caught:
        Arrays(lambda: (x, np.arange(5) % 2)).spec()
    assert str(caught.value) == (
        "Arrays: x of split 'train' has 1 of 5 rows with numbers that are not finite (NaN or "
        "infinite), the first is row 3. Drop or fill them in."
    )


def test_texts_are_read_as_utf8() -> None:
    texts = [f"wörd {i}" for i in range(20)]
    source = Arrays(lambda: (texts, Y), validation=None)
    assert source.spec().features == (Feature("text", (), "string", "text"),)
    x, _ = next(source.input_fn("train", batch_size=20).as_numpy_iterator())
    assert [t.decode() for t in x] == texts


def test_named_numbers_and_words_are_the_columns_of_a_table() -> None:
    words = np.array(["a", "b"] * 10)
    spec = Arrays(lambda: ({"age": np.arange(20), "word": words}, Y), validation=None).spec()
    assert spec.features == (
        Feature("age", (), "float32", "number"),
        Feature("word", (), "string", "category"),
    )
    assert spec.is_table


def test_weights_come_with_their_samples() -> None:
    rows = np.arange(20.0)[:, None]
    source = Arrays(lambda: (rows, Y, np.arange(20) + 1), validation=0.5)
    for split in ("train", "validation"):
        for x, _, weight in source.input_fn(split, batch_size=4, shuffle=split == "train"):
            assert weight.numpy().tolist() == [row + 1 for row in x.numpy()[:, 0]]
