"""Images as the literature compares them: bytes, their luma, and without a border."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

# ITU-R BT.601 for bytes from 0 to 255: luma lies from 16 to 235.
_LUMA, _BLACK = (65.481 / 255, 128.553 / 255, 24.966 / 255), 16.0


def aligned(truth: "tf.Tensor", answer: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
    """Return true images and answers of one size, float32 from 0 to 255.

    Convolutions without padding answer for the inside of an image alone; of what is true, as much
    is taken off each side.

    Args:
        truth: [rows, height, width, channels] from 0 to 255.
        answer: the same, or less of each side.
    """
    import tensorflow as tf

    truth, answer = tf.cast(truth, tf.float32), tf.cast(answer, tf.float32)
    if truth.shape.is_fully_defined() and truth.shape == answer.shape:
        return truth, answer
    whole, size = tf.shape(truth)[1:3], tf.shape(answer)[1:3]
    corner = (whole - size) // 2
    inside = truth[:, corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
    return tf.ensure_shape(inside, [*answer.shape[:3], truth.shape[3]]), answer


def in_bytes(images: "tf.Tensor") -> "tf.Tensor":
    """Return images as they are stored: whole numbers from 0 to 255, as float32."""
    import tensorflow as tf

    return tf.round(tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 255.0))


def luma(images: "tf.Tensor") -> "tf.Tensor":
    """Return the Y of YCbCr, [..., 1], of colours from 0 to 255; what has one channel as it is."""
    import tensorflow as tf

    if images.shape[-1] != 3:
        return images
    return _BLACK + tf.reduce_sum(images * tf.constant(_LUMA), axis=-1, keepdims=True)


def comparable(
    truth: "tf.Tensor", answer: "tf.Tensor", border: int, colours: bool
) -> "tuple[tf.Tensor, tf.Tensor]":
    """Return two images as their likeness is measured.

    Args:
        truth: [rows, height, width, channels] from 0 to 255.
        answer: the same, or less of each side.
        border: pixels that are left out on each side.
        colours: whether all channels are compared, and not the luma alone.
    """
    pair = [in_bytes(images) for images in aligned(truth, answer)]
    if not colours:
        pair = [luma(images) for images in pair]
    if border:
        pair = [images[:, border:-border, border:-border] for images in pair]
    return pair[0], pair[1]
