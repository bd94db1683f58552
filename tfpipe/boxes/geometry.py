"""Boxes by their corners and by their middles, and how far they overlap."""

import tensorflow as tf

_LITTLE = 1e-12


def centred(corners: tf.Tensor) -> tf.Tensor:
    """Return boxes [..., 4] of (x1, y1, x2, y2) as (middle x, middle y, width, height)."""
    x1, y1, x2, y2 = tf.unstack(corners, axis=-1)
    return tf.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], axis=-1)


def cornered(middles: tf.Tensor) -> tf.Tensor:
    """Return boxes [..., 4] of (middle x, middle y, width, height) as (x1, y1, x2, y2)."""
    x, y, width, height = tf.unstack(middles, axis=-1)
    return tf.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=-1)


def area(boxes: tf.Tensor) -> tf.Tensor:
    """Return the areas [...] of boxes [..., 4]; 0 of one that is turned inside out."""
    sides = tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]


def iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Return the intersection over union of each box with each other, [..., boxes, others].

    Args:
        boxes: [..., boxes, 4].
        others: [..., others, 4].
    """
    first, second = boxes[..., :, tf.newaxis, :], others[..., tf.newaxis, :, :]
    corner = tf.maximum(first[..., :2], second[..., :2])
    opposite = tf.minimum(first[..., 2:], second[..., 2:])
    common = area(tf.concat([corner, opposite], axis=-1))
    return common / tf.maximum(area(first) + area(second) - common, _LITTLE)
