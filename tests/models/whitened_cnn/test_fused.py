"""Layers that compute what Keras's do in fewer passes."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.models.whitened_cnn.fused import FastConv, FusedBatchNormalization, Gelu

X = np.random.default_rng(0).normal(1.0, 2.0, (6, 5, 4, 3)).astype(np.float32)


def gradients(layer: Any, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """What a layer gives in training, and the gradients of its weighted sum."""
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
        total = tf.reduce_sum(outputs * tf.sin(tf.range(outputs.shape[-1], dtype=outputs.dtype)))
    variables = [v.value for v in layer.trainable_variables]
    return np.asarray(outputs), [np.asarray(g) for g in tape.gradient(total, [inputs, *variables])]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_gelu_is_that_of_keras_in_both_directions(dtype: str) -> None:
    layer = Gelu(dtype=dtype)
    plain = keras.layers.Activation(
        lambda x: keras.activations.gelu(x, approximate=True), dtype="float32"
    )
    outputs, (slope,) = gradients(layer, X)
    expected, (expected_slope,) = gradients(plain, X)
    exact = dtype == "float32"
    np.testing.assert_allclose(np.float32(outputs), expected, atol=1e-6 if exact else 0.04)
    np.testing.assert_allclose(np.float32(slope), expected_slope, atol=1e-5 if exact else 0.02)
    np.testing.assert_allclose(np.float32(layer(X)), expected, atol=1e-6 if exact else 0.04)


def test_batch_normalisation_is_that_of_keras() -> None:
    options: Any = {"scale": False, "momentum": 0.6, "epsilon": 1e-5}
    fused, plain = FusedBatchNormalization(**options), keras.layers.BatchNormalization(**options)
    for layer in (fused, plain):
        layer.build(X.shape)
        layer.beta.assign([0.5, -1.0, 2.0])
    outputs, slopes = gradients(fused, X)
    expected, expected_slopes = gradients(plain, X)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    for slope, wanted in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(slope, wanted, rtol=1e-5, atol=1e-4)
    for own, keras_own in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(own, keras_own, rtol=1e-5)
    np.testing.assert_allclose(fused(X), plain(X), atol=1e-6)


@pytest.mark.parametrize("kernel", [3, (2, 5)])
def test_a_convolution_of_many_inputs_is_that_of_keras(kernel: Any) -> None:
    x = np.random.default_rng(1).normal(size=(2, 5, 7, 128)).astype(np.float32)
    options: Any = {"padding": "same", "use_bias": False}
    fast, plain = FastConv(6, kernel, **options), keras.layers.Conv2D(6, kernel, **options)
    for layer in (fast, plain):
        layer.build(x.shape)
    plain.kernel.assign(fast.kernel)
    outputs, slopes = gradients(fast, x)
    expected, expected_slopes = gradients(plain, x)
    np.testing.assert_allclose(outputs, expected, atol=1e-4)
    for slope, wanted in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(slope, wanted, atol=1e-4)
    np.testing.assert_allclose(fast(x), plain(x), atol=1e-4)


def test_a_frozen_batch_normalisation_keeps_its_statistics() -> None:
    layer = FusedBatchNormalization(scale=False)
    layer.build(X.shape)
    layer.trainable = False
    np.testing.assert_allclose(layer(X, training=True), X / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, 0)
