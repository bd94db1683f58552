"""Leaving out what is found twice."""

import math

import tensorflow as tf

_LITTLE = 1e-9


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


def best_of_each_class(
    boxes: tf.Tensor, odds: tf.Tensor, *, score: float, overlap: float, most: int
) -> tf.Tensor:
    """Return the best boxes of each class, [batch, most, 6]: corners, score, class.

    Of boxes of a class that overlap, the one with the highest score is kept. By the logarithms of
    the odds, as probabilities are rounded to 1. The class of rows without a box is -1.

    Args:
        boxes: [batch, boxes, 4].
        odds: [batch, boxes, classes] logarithms of the odds of each class.
        score: the probability that a box has to have.
        overlap: intersections over union above it are too much.
        most: how many are kept of an image.
    """
    swapped = tf.gather(boxes, [1, 0, 3, 2], axis=-1)[:, :, tf.newaxis]  # as TensorFlow has corners
    least = math.log(max(score, _LITTLE) / max(1 - score, _LITTLE))
    # The operation takes a score of -1 for no box, so scores are how much better than the least.
    kept = tf.image.combined_non_max_suppression(
        swapped, odds - least, most, most, overlap, 0.0, clip_boxes=False
    )
    corners = tf.gather(kept.nmsed_boxes, [1, 0, 3, 2], axis=-1)
    valid = tf.sequence_mask(kept.valid_detections, most)
    scores = tf.where(valid, tf.sigmoid(kept.nmsed_scores + least), 0.0)
    classes = tf.where(valid, kept.nmsed_classes, -1.0)
    corners = tf.where(valid[..., tf.newaxis], corners, 0.0)
    return tf.concat([corners, scores[..., tf.newaxis], classes[..., tf.newaxis]], axis=-1)
