"""Small detectors for tests, saved as those of TF-Hub and of the Object Detection API are.

They find what is bright in the left half of an image, as class 17, and in the right, as class 18.
"""

from pathlib import Path
from typing import Any

import tensorflow as tf

BRIGHT = 200.0
CAT, DOG = 17, 18  # the numbers that COCO gives these


def _of_half(bright: tf.Tensor, first: int, last: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The box (y1, x1, y2, x2) of what is bright in some columns, and whether there is any."""
    height, width = bright.shape
    columns = tf.range(width)
    bright = bright & (columns >= first) & (columns < last)
    ys = tf.cast(tf.where(tf.reduce_any(bright, 1))[:, 0], tf.float32)
    xs = tf.cast(tf.where(tf.reduce_any(bright, 0))[:, 0], tf.float32)
    there = tf.size(ys) > 0
    corners = [tf.reduce_min(ys), tf.reduce_min(xs), tf.reduce_max(ys) + 1, tf.reduce_max(xs) + 1]
    box = tf.stack(corners) / tf.constant([height, width] * 2, tf.float32)
    return tf.where(there, box, 0.0), there


def found_in(image: tf.Tensor, side: tuple[int, int], sure: tf.Tensor) -> dict[str, tf.Tensor]:
    """The boxes of one image, as many rows as there are.

    Args:
        image: [height, width, 3], values from 0 to 255.
        side: its height and width.
        sure: a score.
    """
    bright = tf.ensure_shape(tf.reduce_mean(tf.cast(image, tf.float32), -1) > BRIGHT, side)
    left, right = (_of_half(bright, *half) for half in ((0, side[1] // 2), (side[1] // 2, side[1])))
    there = tf.stack([right[1], left[1]])
    return {
        "detection_boxes": tf.boolean_mask(tf.stack([right[0], left[0]]), there),
        "detection_classes": tf.boolean_mask(tf.constant([DOG, CAT], tf.float32), there),
        "detection_scores": tf.boolean_mask(tf.stack([0.5 * sure, sure]), there),
    }


class Bright(tf.Module):
    """A detector of one of the kinds that are published.

    Args:
        side: height and width of the images.
        kind: "one" takes one image of bytes and gives padded rows, as the Object Detection API's;
            "batch" takes floats of 0..1, any number of them; "ragged" gives as many rows as it
            finds in one image, without the batch's axis and without a count, by a signature.
    """

    def __init__(self, side: tuple[int, int], kind: str) -> None:
        super().__init__()
        self.side, self.kind = side, kind
        self.sure = tf.Variable(0.8, name="head/sure")
        shape = [None if kind == "batch" else 1, None, None, 3]
        self.takes = tf.TensorSpec(shape, tf.float32 if kind == "batch" else tf.uint8, "images")

    def find(self, images: Any) -> dict[str, tf.Tensor]:
        if self.kind == "ragged":
            return found_in(images[0], self.side, self.sure)
        scale = 255.0 if self.kind == "batch" else 1.0

        def one(image: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = found_in(tf.cast(image, tf.float32) * scale, self.side, self.sure)
            count = tf.shape(rows["detection_scores"])[0]
            # What pads them is no box, though it has a score.
            rows = {
                name: tf.concat([rows[name], tf.ones([5 - count, *rows[name].shape[1:]])], 0)
                for name in rows
            }
            return {**rows, "num_detections": tf.cast(count, tf.float32)}

        specs = {"detection_boxes": [5, 4], "detection_classes": [5], "detection_scores": [5]}
        given = {
            n: tf.TensorSpec(s, tf.float32) for n, s in (specs | {"num_detections": []}).items()
        }
        return tf.map_fn(one, images, fn_output_signature=given)


def save(folder: Path, side: tuple[int, int], kind: str = "one") -> Path:
    """Save a detector; its folder."""
    module = Bright(side, kind)
    function = tf.function(module.find, [module.takes])
    if kind == "ragged":
        tf.saved_model.save(module, str(folder), signatures={"detect": function})
        return folder
    module.__call__ = function
    tf.saved_model.save(module, str(folder), signatures=function)
    return folder
