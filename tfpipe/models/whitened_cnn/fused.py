"""Layers that compute what Keras's do, in training on a CPU in less time.

A GELU of ten operations and a batch normalisation of as many take a third of the time of the
convolutions between them, each operation a pass over memory; here it is a pass or two. The gradient
of a kernel with many inputs takes oneDNN twice as long as nine products of matrices do. With
several replicas, and in what is exported, they are Keras's own.
"""

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable

_SQRT = 0.7978845608028654  # of 2 / pi
_CUBIC = 0.044715
# Input channels from which nine products of matrices are faster than oneDNN's gradient.
_MANY = 128


def _alone() -> bool:
    """Return whether there is one replica, for which XLA and local moments are right."""
    return bool(tf.distribute.get_strategy().num_replicas_in_sync == 1)


@keras.saving.register_keras_serializable(package="tfpipe")
class Gelu(keras.layers.Layer):
    """GELU by its approximation with tanh; in training compiled to one pass for each direction."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> Any:
        if training and _alone():
            return _gelu(inputs)
        return keras.activations.gelu(inputs, approximate=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


@tf.custom_gradient
def _gelu(x: tf.Tensor) -> "tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]":
    return _forward(x), lambda gradient: _backward(x, gradient)


@tf.function(jit_compile=True, autograph=False)
def _forward(x: tf.Tensor) -> tf.Tensor:
    wide = tf.cast(x, tf.float32)
    tanh = tf.tanh(_SQRT * (wide + _CUBIC * wide**3))
    return tf.cast(0.5 * wide * (1.0 + tanh), x.dtype)


@tf.function(jit_compile=True, autograph=False)
def _backward(x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    wide = tf.cast(x, tf.float32)
    tanh = tf.tanh(_SQRT * (wide + _CUBIC * wide**3))
    inner = _SQRT * (1.0 + 3.0 * _CUBIC * wide**2)
    slope = 0.5 * (1.0 + tanh) + 0.5 * wide * (1.0 - tanh**2) * inner
    return tf.cast(tf.cast(gradient, tf.float32) * slope, x.dtype)


@keras.saving.register_keras_serializable(package="tfpipe")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """A batch normalisation without scale, whose training is one operation of TensorFlow."""

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> Any:
        if not (training and self.trainable and _alone()) or self.synchronized:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.ones_like(self.beta),
            offset=self.beta,
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The operation's variance is that of the population; Keras keeps the batch's.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        moments = (mean, variance * (count - 1.0) / count)
        for moving, now in zip((self.moving_mean, self.moving_variance), moments, strict=True):
            moving.assign(moving * self.momentum + now * (1.0 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable(package="tfpipe")
class FastConv(keras.layers.Conv2D):
    """A convolution of stride 1 that keeps the size, without a bias."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> Any:
        products = inputs.shape[-1] >= _MANY and not tf.config.list_logical_devices("GPU")
        if training and products and _alone():
            return _conv(inputs, tf.cast(self.kernel, inputs.dtype))
        return super().call(inputs)


@tf.custom_gradient
def _conv(
    x: tf.Tensor, kernel: tf.Tensor
) -> "tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]":
    rows, columns, inputs, filters = kernel.shape
    top, left = (rows - 1) // 2, (columns - 1) // 2

    def gradients(outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        edges = [[0, 0], [top, rows - 1 - top], [left, columns - 1 - left], [0, 0]]
        height, width, padded = x.shape[1], x.shape[2], tf.pad(x, edges)
        flat = tf.reshape(outputs, [-1, filters])
        windows = (
            padded[:, row : row + height, column : column + width]
            for row in range(rows)
            for column in range(columns)
        )
        parts = [tf.matmul(tf.reshape(w, [-1, inputs]), flat, transpose_a=True) for w in windows]
        of_inputs = tf.nn.conv2d_transpose(outputs, kernel, tf.shape(x), 1, "SAME")
        return of_inputs, tf.reshape(tf.stack(parts), kernel.shape)

    return tf.nn.conv2d(x, kernel, 1, "SAME"), gradients
