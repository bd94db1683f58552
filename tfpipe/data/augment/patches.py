"""Augmentations by patches: a window cut out of the image, a square covered in it."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import annotated_types

from tfpipe.data.augment.base import Pixelwise
from tfpipe.declare.field_types import Count, Positive
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf


class crop(Pixelwise):  # noqa: N801
    """Pad on all sides and cut a window of the first size out of it, anywhere.

    Args:
        padding: pixels added on each side.
        fill: what is added: a reflection or 0.
    """

    padding: Positive
    fill: Literal["reflect", "constant"] = "reflect"
    draws_needed: ClassVar[int] = 2

    def check(self, image: Feature) -> None:
        height, width, _ = image.shape
        if self.fill == "reflect" and self.padding >= min(height, width):
            raise ConfigError(
                f"augment.crop: padding={self.padding} reflects more than an image of "
                f"{height}x{width} has; use less, or fill='constant'."
            )

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        height, width = images.shape[1], images.shape[2]
        edges = [[0, 0], [self.padding] * 2, [self.padding] * 2, [0, 0]]
        padded = tf.pad(images, edges, mode=self.fill.upper())
        offsets = tf.cast(draws * (2 * self.padding + 1), tf.int32)
        rows = offsets[:, :1] + tf.range(height)
        columns = offsets[:, 1:2] + tf.range(width)
        picked = tf.gather(padded, rows, axis=1, batch_dims=1)
        return tf.gather(picked, columns, axis=2, batch_dims=1)


class cutout(Pixelwise):  # noqa: N801
    """Cover one square of each image (DeVries and Taylor, 2017, arXiv:1708.04552).

    Args:
        size: the side of the square in pixels; it may reach over the edge.
        value: what covers it, 0 to 255.
    """

    size: Positive
    value: Annotated[Count, annotated_types.Le(255)] = 0
    draws_needed: ClassVar[int] = 2

    def check(self, image: Feature) -> None:
        height, width, _ = image.shape
        if self.size > min(height, width):
            raise ConfigError(
                f"augment.cutout: size={self.size} is larger than an image of {height}x{width}."
            )

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        def covered(centre: "tf.Tensor", length: int) -> "tf.Tensor":
            start = tf.floor(centre * float(length)) - float(self.size // 2)
            place = tf.range(length, dtype=tf.float32)[None, :] - start[:, None]
            return (place >= 0.0) & (place < float(self.size))

        rows = covered(draws[:, 0], images.shape[1])
        columns = covered(draws[:, 1], images.shape[2])
        square = (rows[:, :, None] & columns[:, None, :])[..., None]
        return tf.where(square, float(self.value), images)
