"""Augmentations of colours: brightness, contrast, saturation, hue, inversion."""

from typing import TYPE_CHECKING, Annotated, ClassVar

import annotated_types

from tfpipe.data.augment.base import Pixelwise
from tfpipe.declare.field_types import NonNegative, OpenFraction
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

HalfTurn = Annotated[float, annotated_types.Gt(0), annotated_types.Le(0.5)]


class brightness(Pixelwise):  # noqa: N801
    """Add one number to all pixels of an image.

    Args:
        delta: the largest change as a part of the full range, above 0 and below 1.
    """

    delta: OpenFraction
    draws_needed: ClassVar[int] = 1
    takes = "bytes"

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        change = (draws[:, :1, None, None] * 2.0 - 1.0) * (self.delta * 255.0)
        return tf.clip_by_value(images + change, 0.0, 255.0)


class _Scaled(Pixelwise):
    """An augmentation by a factor that is drawn evenly from a range."""

    low: NonNegative
    high: NonNegative
    draws_needed: ClassVar[int] = 1

    def validate(self) -> None:
        """Refuse an empty range."""
        if self.low >= self.high:
            raise ConfigError(
                f"augment.{type(self).__name__}: low={self.low} must be below high={self.high}."
            )

    def factors(self, draws: "tf.Tensor") -> "tf.Tensor":
        """Return one factor for each image."""
        return self.low + draws[:, :1, None, None] * (self.high - self.low)


class contrast(_Scaled):  # noqa: N801
    """Stretch or shrink an image's values about its mean, channel by channel.

    Args:
        low: the smallest factor.
        high: the largest factor.
    """

    takes = "bytes"

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        return tf.clip_by_value((images - mean) * self.factors(draws) + mean, 0.0, 255.0)


class saturation(_Scaled):  # noqa: N801
    """Make colours paler or stronger: scale the saturation, of hue, saturation and value.

    Args:
        low: the smallest factor; 0 is grey.
        high: the largest factor; no colour gets stronger than pure.
    """

    takes = "colours"

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        red, green, blue = tf.split(images, 3, axis=-1)  # faster than reducing over three
        value = tf.maximum(tf.maximum(red, green), blue)
        spread = value - tf.minimum(tf.minimum(red, green), blue)
        # Hue and value stay where the distances to the largest channel all grow alike.
        most = tf.math.divide_no_nan(value, spread)
        return tf.maximum(value - (value - images) * tf.minimum(self.factors(draws), most), 0.0)


class hue(Pixelwise):  # noqa: N801
    """Turn all colours of an image along the circle of hues, by one angle.

    Args:
        delta: the largest turn either way as a part of the circle, above 0, at most 0.5.
    """

    delta: HalfTurn
    draws_needed: ClassVar[int] = 1
    takes = "colours"

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        turn = (draws[:, :1, None, None] * 2.0 - 1.0) * self.delta
        hues, strength, value = tf.split(tf.image.rgb_to_hsv(images), 3, axis=-1)
        hues = tf.math.floormod(hues + turn, 1.0)
        return tf.image.hsv_to_rgb(tf.concat([hues, strength, value], axis=-1))


class invert(Pixelwise):  # noqa: N801
    """Turn some of the images into their negatives.

    Args:
        share: the chance of an image to be inverted, above 0, at most 1.
    """

    share: Annotated[float, annotated_types.Gt(0), annotated_types.Le(1)] = 0.5
    draws_needed: ClassVar[int] = 1
    takes = "bytes"

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        inverted = draws[:, :1, None, None] < self.share
        # As 255 - x, but ten times as fast as choosing between two images.
        return images * tf.where(inverted, -1.0, 1.0) + tf.where(inverted, 255.0, 0.0)
