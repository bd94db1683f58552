"""Preprocessing: sizes, grey images, the order of channels, other values; all of it in float32."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data.images.decoding import resize
from tfpipe.models.pretrained.contracts import CONTRACTS, DEVIATION, MEAN, SCALINGS
from tfpipe.models.pretrained.preprocessing import keep_float32, preprocessed, scaling_of

Reload = Callable[[keras.Model], keras.Model]

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 3), np.uint8)
PLAIN = SCALINGS["built in"]


@pytest.fixture
def mixed() -> Iterator[None]:
    """bfloat16 for one test."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def model_of(shape: tuple[int, ...], *args: Any, **options: Any) -> keras.Model:
    inputs = keras.Input(shape, dtype="float32")
    return keras.Model(inputs, preprocessed(inputs, *args, **options))


def kinds(model: keras.Model) -> list[str]:
    return [type(operation).__name__ for operation in model.operations]


@pytest.mark.parametrize("size", [(24, 30), (6, 5), (24, 5), (13, 9)])
def test_sizes_change_as_in_the_data(size: tuple[int, int]) -> None:
    ours = model_of((12, 10, 3), PLAIN, size)(PIXELS)
    theirs = [resize(tf.constant(image), size) for image in PIXELS]
    np.testing.assert_allclose(ours, np.stack(theirs), atol=0.501)  # which are rounded


def test_only_shrinking_antialiases_which_xla_does_not_know() -> None:
    def layer(size: tuple[int, int]) -> Any:
        return model_of((12, 10, 3), PLAIN, size).get_layer("resizing")

    for size, shrinks in (((24, 30), False), ((24, 9), True), ((6, 5), True)):
        assert layer(size).antialias is shrinks
        assert layer(size).supports_jit is not shrinks


def test_resizing_does_not_set_what_follows_to_training(reload: Reload) -> None:
    inputs = keras.Input((12, 10, 3), dtype="float32")
    x = keras.layers.Dropout(0.9)(preprocessed(inputs, PLAIN, (6, 5)))
    model = keras.Model(inputs, x)
    for found in (model, reload(model)):
        answer = found(PIXELS)
        np.testing.assert_array_equal(answer, found(PIXELS, training=False))
        assert not np.array_equal(answer, found(PIXELS, training=True))


def test_nothing_is_added_where_nothing_is_to_do() -> None:
    assert kinds(model_of((12, 10, 3), PLAIN, (12, 10))) == ["InputLayer"]


def test_grey_images_get_three_equal_channels() -> None:
    grey = PIXELS[..., :1]
    colour = np.repeat(grey, 3, axis=-1)
    for scaling in SCALINGS.values():
        ours = model_of((12, 10, 1), scaling, (6, 5))(grey)
        np.testing.assert_allclose(ours, model_of((12, 10, 3), scaling, (6, 5))(colour), atol=1e-4)


def test_blue_first_is_swapped_where_the_network_takes_red_first() -> None:
    swapped = PIXELS[..., ::-1]
    for scaling in SCALINGS.values():
        ours = model_of((12, 10, 3), scaling, (12, 10), bgr=True)
        np.testing.assert_allclose(ours(swapped), model_of((12, 10, 3), scaling, (12, 10))(PIXELS))
        assert ("Flip" in kinds(ours)) is not scaling.bgr


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 1.0), (255.0, 0.0), (0.0, 65535.0)])
def test_other_values_of_black_and_white(values: tuple[float, float]) -> None:
    black, white = values
    given = black + PIXELS.astype(np.float32) / 255 * (white - black)
    for scaling in SCALINGS.values():
        ours = model_of((12, 10, 3), scaling, (12, 10), values=values)(given)
        expected = model_of((12, 10, 3), scaling, (12, 10))(PIXELS)
        np.testing.assert_allclose(ours, expected, atol=1e-3 if scaling.scale[0] == 1 else 1e-5)


@pytest.mark.usefixtures("mixed")
def test_it_stays_float32_under_bfloat16(reload: Reload) -> None:
    model = model_of((12, 10, 3), SCALINGS["torch"], (6, 5), bgr=True)
    answer = np.asarray(model(PIXELS))
    assert answer.dtype == np.float32
    keras.config.set_dtype_policy("float32")
    whole = model_of((12, 10, 3), SCALINGS["torch"], (6, 5), bgr=True)
    np.testing.assert_array_equal(answer, whole(PIXELS))
    np.testing.assert_array_equal(answer, reload(model)(PIXELS))


# The first layers of networks that scale themselves


def network(*scaling: Any) -> keras.Model:
    inputs = keras.Input((12, 10, 3))
    x = inputs
    for layer in (*scaling, keras.layers.ReLU(), keras.layers.Rescaling(2.0)):
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.usefixtures("mixed")
def test_scaling_inside_a_network_stays_float32_too(reload: Reload) -> None:
    layers = keras.layers
    mean, variance = [123.675, 116.28, 103.53], [3409.97, 3262.69, 3291.89]
    base = network(
        layers.Rescaling(1.0), layers.Normalization(mean=mean, variance=variance), layers.ReLU()
    )
    keep_float32(base)
    first = keras.Model(base.input, base.layers[2].output)
    answer = np.asarray(first(PIXELS.astype(np.float32)))
    np.testing.assert_allclose(answer, (PIXELS - mean) / np.sqrt(variance), atol=1e-5)
    kept = [layer.compute_dtype for layer in base.layers[1:]]
    assert kept == ["float32", "float32", "bfloat16", "bfloat16", "bfloat16"]
    again = reload(base)
    same = keras.Model(again.input, again.layers[2].output)(PIXELS.astype(np.float32))
    np.testing.assert_array_equal(answer, same)


def test_efficientnet_with_imagenet_weights_is_stretched() -> None:
    layers, contract = keras.layers, CONTRACTS["EfficientNetB0"]
    base = network(layers.Rescaling(1 / 255), layers.Normalization())
    assert scaling_of(contract, base) == contract.scaling  # random weights
    normalization = base.layers[2]
    normalization.adapt_mean.assign(MEAN)
    normalization.adapt_variance.assign(DEVIATION)  # as in the published files
    normalization.finalize_state()
    inputs = keras.Input((12, 10, 3), dtype="float32")
    x = preprocessed(inputs, scaling_of(contract, base), (12, 10))
    first = keras.Model(base.input, normalization.output)
    ours = keras.Model(inputs, first(x))(PIXELS)
    np.testing.assert_allclose(ours, (PIXELS / 255 - MEAN) / DEVIATION, atol=1e-4)
    assert scaling_of(CONTRACTS["EfficientNetV2B0"], base) == contract.scaling
