"""Leaving out what is found twice."""

import tensorflow as tf


def suppressed(
    boxes: tf.Tensor,
    probabilities: tf.Tensor,
    *,
    overlap: float = 0.5,
    least: float = 0.0,
    most: int = 100,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the boxes that are kept, their classes, their scores, and how many there are.

    Each box is of its most probable class. Of boxes that overlap, whatever their classes, the one
    with the highest score is kept.

    Args:
        boxes: [batch, boxes, 4].
        probabilities: [batch, boxes, classes], without that of the background.
        overlap: intersections over union above it are too much.
        least: the score that a box has to have.
        most: how many are kept of an image.
    """
    classes = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    scores = tf.reduce_max(probabilities, axis=-1)
    swapped = tf.gather(boxes, [1, 0, 3, 2], axis=-1)  # as TensorFlow has corners

    def one(parts: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        kept, count = tf.image.non_max_suppression_padded(
            *parts, most, overlap, least, pad_to_max_output_size=True
        )
        return kept, count

    spec = (tf.TensorSpec([most], tf.int32), tf.TensorSpec([], tf.int32))
    kept, counts = tf.map_fn(one, (swapped, scores), fn_output_signature=spec)
    valid = tf.sequence_mask(counts, most)
    found = tf.where(valid[..., tf.newaxis], tf.gather(boxes, kept, batch_dims=1), 0.0)
    labels = tf.where(valid, tf.gather(classes, kept, batch_dims=1), -1)
    return found, labels, tf.where(valid, tf.gather(scores, kept, batch_dims=1), 0.0), counts
