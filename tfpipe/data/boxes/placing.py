"""From what a model sees of a picture to the picture itself."""

import tensorflow as tf

from tfpipe.data.images.sizes import within
from tfpipe.declare.spec import Feature


def in_picture(boxes: tf.Tensor, sizes: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Return boxes in pixels of the pictures, [batch, boxes, 4].

    Args:
        boxes: [batch, boxes, 4] corners from 0 to 1 of what the model sees.
        sizes: [batch, 2] height and width of each picture.
        feature: what the model sees of it.
    """
    height, width = tf.unstack(sizes, axis=-1)
    if feature.letterbox:
        seen = feature.shape[:2]
        inner, corner = within((height, width), seen, tf.minimum)
        # In pixels of the frame, then from the picture's corner in it, as shares of the picture.
        frame = tf.constant([seen[1], seen[0]] * 2, tf.float32)
        first = tf.cast(tf.stack([corner[1], corner[0]] * 2, axis=-1), tf.float32)
        sides = tf.cast(tf.stack([inner[1], inner[0]] * 2, axis=-1), tf.float32)
        boxes = (boxes * frame - first[:, tf.newaxis]) / tf.maximum(sides, 1.0)[:, tf.newaxis]
        boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    pixels = tf.cast(tf.stack([width, height, width, height], axis=-1), tf.float32)
    return boxes * pixels[:, tf.newaxis]
