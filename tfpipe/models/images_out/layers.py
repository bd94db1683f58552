"""Layers of networks that answer with an image, and the image that they read."""

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping


@keras.saving.register_keras_serializable(package="tfpipe")
class PixelShuffle(keras.layers.Layer):
    """Make [height, width, scale² channels] into [scale height, scale width, channels].

    Shi and others, 2016, arXiv:1609.05158.

    Args:
        scale: how many times larger each side becomes.
        options: further arguments of keras.layers.Layer.
    """

    def __init__(self, scale: int, **options: Any) -> None:
        super().__init__(**options)
        self.scale = scale

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(inputs, self.scale)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        rows, height, width, channels = shape
        sides = (None if side is None else side * self.scale for side in (height, width))
        return (rows, *sides, (channels or 0) // self.scale**2)

    def get_config(self) -> "Mapping[str, Any]":
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tfpipe")
class Enlarge(keras.layers.Layer):
    """Enlarge images bicubically by a whole number, rounded to whole values from 0 to 255.

    Args:
        scale: how many times larger each side becomes.
        options: further arguments of keras.layers.Layer.
    """

    def __init__(self, scale: int, **options: Any) -> None:
        super().__init__(**options)
        self.scale = scale
        self.supports_jit = False  # XLA does not know the operation

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        size = self.scale * tf.shape(inputs)[1:3]
        # Antialiasing changes nothing where an image grows, but for weights at its edge.
        larger = tf.image.resize(inputs, size, "bicubic", antialias=True)
        return tf.round(tf.clip_by_value(larger, 0.0, 255.0))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        rows, height, width, channels = shape
        sides = (None if side is None else side * self.scale for side in (height, width))
        return (rows, *sides, channels)

    def get_config(self) -> "Mapping[str, Any]":
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tfpipe")
class PadEdges(keras.layers.Layer):
    """Repeat the outermost pixels, except in training.

    So a network of convolutions without padding learns from what it sees whole alone, and answers
    for all of an image.

    Args:
        pixels: how many are added on each side.
        options: further arguments of keras.layers.Layer.
    """

    def __init__(self, pixels: int, **options: Any) -> None:
        super().__init__(**options)
        self.pixels = pixels

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training:
            return inputs
        left = right = inputs
        for axis in (1, 2):
            first = tf.repeat(tf.gather(right, [0], axis=axis), self.pixels, axis=axis)
            last = tf.gather(right, [tf.shape(right)[axis] - 1], axis=axis)
            left = tf.concat([first, right, tf.repeat(last, self.pixels, axis=axis)], axis)
            right = left
        return left

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        rows, _, _, channels = shape
        return (rows, None, None, channels)

    def get_config(self) -> "Mapping[str, Any]":
        return {**super().get_config(), "pixels": self.pixels}


@keras.saving.register_keras_serializable(package="tfpipe")
class PadToMultiple(keras.layers.Layer):
    """Repeat the last rows and columns of images until a number divides both.

    Args:
        of: the number.
        options: further arguments of keras.layers.Layer.
    """

    def __init__(self, of: int, **options: Any) -> None:
        super().__init__(**options)
        self.of = of

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = inputs
        for axis in (1, 2):
            last = tf.shape(x)[axis] - 1
            more = -(last + 1) % self.of
            places = tf.minimum(tf.range(last + 1 + more), last)
            x = tf.gather(x, places, axis=axis)
        return x

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        rows, _, _, channels = shape
        return (rows, None, None, channels)

    def get_config(self) -> "Mapping[str, Any]":
        return {**super().get_config(), "of": self.of}


@keras.saving.register_keras_serializable(package="tfpipe")
class CutLike(keras.layers.Layer):
    """Cut the first of two images to the height and width of the second, from the top left."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        image, other = inputs
        size = tf.shape(other)[1:3]
        return image[:, : size[0], : size[1]]

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        (rows, *_, channels), (_, height, width, _) = shapes
        return (rows, height, width, channels)


@keras.saving.register_keras_serializable(package="tfpipe")
class WeightNormConv2D(keras.layers.Conv2D):
    """A convolution whose kernel is a direction and, for each filter, a length.

    Salimans and Kingma, 2016, arXiv:1602.07868. The lengths start as those of the first kernel.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.length = self.add_weight(shape=(self.filters,), name="length", initializer="ones")
        squares = tf.reduce_sum(tf.square(tf.convert_to_tensor(self._kernel)), axis=[0, 1, 2])
        self.length.assign(tf.sqrt(squares))

    # A convolution of Keras's saves what it has itself alone, and its kernel as it is applied.
    save_own_variables = keras.layers.Layer.save_own_variables
    load_own_variables = keras.layers.Layer.load_own_variables

    @property
    def kernel(self) -> tf.Tensor:
        """The direction, made as long as learnt."""
        if not hasattr(self, "length"):
            return self._kernel
        direction = tf.math.l2_normalize(tf.cast(self._kernel, tf.float32), axis=[0, 1, 2])
        return tf.cast(direction * tf.cast(self.length, tf.float32), self.compute_dtype)
