"""Which true box each anchor is to find, and how far that is from the anchor."""

import tensorflow as tf

from tfpipe.boxes.geometry import centred, iou

# By what offsets are multiplied, so that their spread is about 1.
PLACE, SIZE = 10.0, 5.0
_LITTLE = 1e-6


def assigned(anchors: tf.Tensor, boxes: tf.Tensor, classes: tf.Tensor, least: float) -> tf.Tensor:
    """Return of each anchor the row of its true box, [batch, anchors] int32; -1 for none.

    Each true box first takes the anchor that overlaps it most, the pair that overlaps most of all
    before the others, and no anchor twice. Each anchor that is left takes the box that it overlaps
    most, where that is enough.

    Args:
        anchors: [anchors, 4].
        boxes: [batch, boxes, 4] the true ones.
        classes: [batch, boxes] int32, -1 for padding.
        least: the intersection over union that is enough.
    """
    count = tf.shape(boxes)[1] if boxes.shape[1] is None else boxes.shape[1]
    overlaps = iou(tf.broadcast_to(anchors, [tf.shape(boxes)[0], *anchors.shape]), boxes)
    real = (classes >= 0)[:, tf.newaxis, :]
    overlaps = tf.where(real, overlaps, -1.0)
    best = tf.argmax(overlaps, axis=-1, output_type=tf.int32)
    enough = tf.reduce_max(overlaps, axis=-1) >= least
    chosen = tf.where(enough, best, -1)

    def take(step: tf.Tensor, left: tf.Tensor, held: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Give the pair that overlaps most of those left to each other."""
        flat = tf.reshape(left, [tf.shape(left)[0], -1])
        place = tf.argmax(flat, axis=-1, output_type=tf.int32)
        valid = tf.reduce_max(flat, axis=-1) >= 0
        anchor, box = place // count, place % count
        here = tf.one_hot(anchor, anchors.shape[0], True, False, dtype=tf.bool)
        here &= valid[:, tf.newaxis]
        there = tf.one_hot(box, count, True, False, dtype=tf.bool)
        held = tf.where(here, box[:, tf.newaxis], held)
        gone = here[:, :, tf.newaxis] | there[:, tf.newaxis, :]
        return step + 1, tf.where(gone, -1.0, left), held

    return tf.while_loop(
        lambda step, left, held: step < count, take, [tf.constant(0), overlaps, chosen]
    )[2]


def offsets(anchors: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Return how boxes lie from anchors, [..., 4]: their middles by the anchors' sides, and the
    logarithms of their sides by the anchors'.

    Args:
        anchors: [..., 4].
        boxes: [..., 4].
    """
    anchor, box = centred(anchors), centred(boxes)
    place = PLACE * (box[..., :2] - anchor[..., :2]) / anchor[..., 2:]
    return tf.concat([place, SIZE * tf.math.log(_LITTLE + box[..., 2:] / anchor[..., 2:])], axis=-1)


def moved(anchors: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    """Return the boxes, [..., 4], that lie from anchors as `offsets` says."""
    anchor = centred(anchors)
    middle = by[..., :2] * anchor[..., 2:] / PLACE + anchor[..., :2]
    sides = tf.exp(by[..., 2:] / SIZE) * anchor[..., 2:]
    return tf.concat([middle - sides / 2, middle + sides / 2], axis=-1)
