"""Matrices that move pixels: 3x3, from places (x, y, 1) in the new image to those in the old."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import tensorflow as tf

    Number: TypeAlias = float | tf.Tensor


def matrix(
    a: "Number", b: "Number", c: "Number", d: "Number", x: "Number" = 0.0, y: "Number" = 0.0
) -> "tf.Tensor":
    """3x3 matrices [[a, b, x], [c, d, y], [0, 0, 1]]: one for each sample, or one for all."""
    import tensorflow as tf

    batch = next((tf.shape(v)[0] for v in (a, x, d) if not isinstance(v, float)), 1)
    rows = [tf.broadcast_to(tf.cast(v, tf.float32), [batch]) for v in (a, b, x, c, d, y)]
    zeros = tf.zeros([batch])
    return tf.reshape(tf.stack([*rows, zeros, zeros, zeros + 1.0], axis=1), [-1, 3, 3])


def about_centre(moved: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
    """Return the same transformation about the image's centre instead of its corner."""
    import tensorflow as tf

    x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    there = tf.constant([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    back = tf.constant([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])
    return tf.einsum("ij,bjk,kl->bil", there, moved, back)


def stretch(
    part: "Sequence[Number]", size: tuple[float, ...], corner: "Sequence[Number]"
) -> "tf.Tensor":
    """Return a part of the old image stretched to the whole new one, pixel edges onto pixel edges.

    Args:
        part: (height, width) of the part; numbers, or one for each sample.
        size: (height, width) of the new image.
        corner: (top, left) of the part, in pixels' edges.
    """
    # Of tensors the reciprocal is taken here: some graphs would divide and others not.
    y, x = (
        p / s if isinstance(p, int | float) else p * (1.0 / s)
        for p, s in zip(part, size, strict=True)
    )
    top, left = corner
    # Pixels are places at their centres, half a pixel from their edges.
    return matrix(x, 0.0, 0.0, y, left + 0.5 * (x - 1.0), top + 0.5 * (y - 1.0))
