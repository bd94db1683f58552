"""The element spec: what a source gives and a model reads."""

import pytest

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError

IMAGE = Feature("image", (32, 32, 3), "uint8", "image")
AGE = Feature("age", (), "float32", "array")
LABEL = Label("label", "class", classes=("cat", "dog"))


@pytest.mark.parametrize(
    ("dtype", "nbytes"),
    [("uint8", 6), ("bool", 6), ("float16", 12), ("float32", 24), ("int64", 48), ("float64", 48)],
)
def test_a_feature_knows_its_size(dtype, nbytes):
    assert Feature("x", (2, 3), dtype, "array").nbytes == nbytes


def test_the_only_feature_is_the_feature():
    spec = ElementSpec((IMAGE,), (LABEL,), {"train": 10})
    assert spec.feature == IMAGE
    assert spec.classes == ("cat", "dog")


def test_several_features_are_no_single_one():
    with pytest.raises(ConfigError) as error:
        _ = ElementSpec((IMAGE, AGE), (LABEL,)).feature
    assert str(error.value) == "One input was expected, the data has 2: image, age."


def test_splits_of_one_spec_are_not_those_of_another():
    first, second = ElementSpec((IMAGE,), (LABEL,)), ElementSpec((IMAGE,), (LABEL,))
    first.splits["train"] = 3
    assert second.splits == {}
