"""A model split in two at its frozen base, and its head alone."""

from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ModelError
from tfpipe.models import MLP, Application
from tfpipe.models.pretrained.split_model import split_at_base

IMAGE = Feature("image", (32, 32, 3), "uint8", "image")
SPEC = ElementSpec((IMAGE,), (Label("label", "class", (), ("a", "b", "c")),), {"train": 8})
NETWORK = Application("MobileNet", weights=None, alpha=0.25, head=(16,), dropout=0.5)


def built(model: Any, spec: ElementSpec = SPEC) -> Any:
    keras.utils.set_random_seed(3)
    return model.build(spec)


@pytest.fixture(scope="module")
def whole() -> Any:
    return built(NETWORK)


@pytest.fixture(scope="module")
def images() -> Any:
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")


def test_both_parts_together_are_the_model(whole: Any, images: Any) -> None:
    body, head = split_at_base(whole)
    assert np.array_equal(head(body(images)), whole(images))
    assert body.output_shape == (None, 256), "pooling belongs to what is computed once"
    assert body.trainable_weights == []
    assert [w.path for w in head.trainable_weights] == [w.path for w in whole.trainable_weights]


def test_what_the_head_learns_the_model_has_learnt(whole: Any, images: Any) -> None:
    body, head = split_at_base(whole)
    before = whole(images).numpy()
    head.set_weights([w + 1 for w in head.get_weights()])
    assert not np.array_equal(whole(images), before)
    assert np.array_equal(head(body(images)), whole(images))


@pytest.mark.parametrize(("pooling", "shape"), [("max", (None, 256)), ("flatten", (None, 256))])
def test_every_pooling_is_computed_once(pooling: Any, shape: Any) -> None:
    body, _ = split_at_base(built(NETWORK.replace(pooling=pooling)))
    assert body.output_shape == shape


def test_a_model_without_a_base_is_refused() -> None:
    with pytest.raises(ModelError, match="has no pretrained base whose answers could be kept"):
        split_at_base(built(MLP(units=(4,))))


def test_a_base_that_is_trained_is_refused() -> None:
    with pytest.raises(ModelError) as refused:
        split_at_base(built(NETWORK.replace(trainable=True)))
    assert str(refused.value).endswith("is trained: its answers change with every step.")


def functional(*, before: bool = False, beside: bool = False) -> Any:
    """A model with a frozen base, and with layers where `Application` has none."""
    layers = keras.layers
    inner = keras.Input((4,))
    base = keras.Model(inner, layers.Dense(3)(inner), name="base")
    base.trainable = False
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="first")(inputs) if before else inputs
    answers = base(x)
    if beside:
        answers = layers.Concatenate()([answers, layers.Dense(2)(inputs)])
    return keras.Model(inputs, layers.Dense(2)(answers), name="own")


def test_a_trained_layer_before_the_base_is_refused() -> None:
    with pytest.raises(ModelError) as refused:
        split_at_base(functional(before=True))
    assert str(refused.value) == ("first/kernel comes before the base's answers, and is trained.")


def test_a_head_that_reads_more_than_the_base_is_refused() -> None:
    with pytest.raises(ModelError) as refused:
        split_at_base(functional(beside=True))
    assert str(refused.value) == (
        "What follows base in own is no chain of layers from it to the answers."
    )


def test_a_model_of_ones_own_can_be_split() -> None:
    body, head = split_at_base(functional())
    assert (body.output_shape, head.input_shape, head.output_shape) == (
        (None, 3),
        (None, 3),
        (None, 2),
    )
