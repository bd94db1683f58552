"""YOLOHead: the last layer of YOLOv3, which knows cells, anchors, objectness and classes."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.boxes.geometry import centred, cornered, iou
from tfpipe.boxes.heads import Head

_BESIDE = 5  # numbers of an anchor before those of its classes: x, y, width, height, objectness
_LITTLE = 1e-6
_LARGE = 10.0  # exp of it is larger than any image by any anchor, and no infinity


@keras.saving.register_keras_serializable(package="tfpipe")
class YOLOHead(Head):
    """Of each anchor of each cell x, y, width, height, the logit of an object, and of each class.

    The middle of a box is the sigmoid of x and y from the corner of its cell; its sides are the
    anchor's by the exponential of width and height; its score for a class is the probability of an
    object by that of the class. Redmon and Farhadi, 2018, arXiv:1804.02767.

    Each object is to be found by one anchor, whose shape overlaps its own most of all grids, in the
    cell of its middle; where several have the same, by the first. There the loss of the classes has
    the binary cross-entropy of each class. That of objectness is of all anchors but those without
    an object whose box overlaps one by more than `least` nevertheless. The loss of the boxes is
    the squared error of the sigmoids and of the logarithms of the sides, (2 - area) times, by which
    the authors' program lets small objects count more. All are sums over an image. What is ignored
    in the labels is nobody's to find, and not wrong to find.

    Args:
        grids: rows and columns of each map, in the order of the outputs; in each the cells are row
            by row, and in each cell the anchors.
        anchors: of each map the (width, height) of its anchors in pixels of the image.
        image: height and width of the image in pixels.
        least: the intersection over union with an object above which an anchor is not told that
            nothing is there.
        options: further arguments of `Head`.

    Example:
        >>> head = YOLOHead([(13, 13)], [[(116, 90), (156, 198), (373, 326)]], (416, 416))
        >>> head(tf.zeros([1, 507, 85])).shape
        TensorShape([1, 507, 85])
    """

    learns = True

    def __init__(
        self,
        grids: Sequence[tuple[int, int]],
        anchors: Sequence[Sequence[tuple[float, float]]],
        image: Sequence[int],
        least: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.grids = [tuple(grid) for grid in grids]
        self.anchors = [[tuple(shape) for shape in some] for some in anchors]
        self.image, self.least = tuple(image), least
        cells, counts, shapes = [], [], []
        for (rows, columns), some in zip(self.grids, self.anchors, strict=True):
            corner = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
            cells.append(np.repeat(corner.reshape(-1, 2), len(some), axis=0))
            counts.append(np.broadcast_to((columns, rows), cells[-1].shape))
            sides = np.array(some) / (self.image[1], self.image[0])
            shapes.append(np.tile(sides, (rows * columns, 1)))
        self._cells, self._counts, self._shapes = (
            np.concatenate(parts).astype(np.float32) for parts in (cells, counts, shapes)
        )

    def get_config(self) -> dict[str, Any]:
        names = ("grids", "anchors", "image", "least")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def decoded(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The logarithm of the odds of a product of two probabilities, of which neither is rounded.
        there, of_class = outputs[..., 4:_BESIDE], outputs[..., _BESIDE:]
        odds = there - tf.nn.softplus(tf.nn.softplus(there) - of_class)
        return tf.clip_by_value(self._boxes(outputs), 0.0, 1.0), odds

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        labels = tf.cast(labels, tf.float32)
        rows, ignored = self.targets(labels)
        held = rows >= 0
        overlaps = iou(tf.stop_gradient(self._boxes(outputs)), labels[..., :4])
        overlaps = tf.where(labels[:, tf.newaxis, :, 4] >= 0, overlaps, 0.0)
        ignored |= ~held & (tf.reduce_max(overlaps, axis=-1) > self.least)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits
        objects = entropy(tf.cast(held, tf.float32), outputs[..., 4])
        found = _of(labels, rows)
        true = tf.one_hot(tf.cast(found[..., 4], tf.int32), tf.shape(outputs)[-1] - _BESIDE)
        kinds = tf.reduce_sum(entropy(true, outputs[..., _BESIDE:]), axis=-1)
        sides = found[..., 2:4] - found[..., :2]
        small = 2.0 - sides[..., 0] * sides[..., 1]
        distance = small * tf.reduce_sum(self._difference(found, outputs) ** 2, axis=-1)
        classes = tf.where(ignored, 0.0, objects) + tf.where(held, kinds, 0.0)
        return tf.reduce_sum(classes, -1), tf.reduce_sum(tf.where(held, distance, 0.0), -1)

    def errors(self, labels: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the share of wrong anchors and the mean error of offsets of each image.

        An anchor without an object is wrong where its objectness is above a half; one with an
        object where it is not, or another class is more probable. The mean is over all anchors;
        those without an object count as 0.

        Args:
            labels: as for `losses`.
            outputs: what the layer gives.
        """
        labels = tf.cast(labels, tf.float32)
        rows, ignored = self.targets(labels)
        found = _of(labels, rows)
        held = rows >= 0
        best = tf.argmax(outputs[..., _BESIDE:], axis=-1, output_type=tf.int32)
        said = tf.where(outputs[..., 4] > 0, best, -1)
        true = tf.where(held, tf.cast(found[..., 4], tf.int32), -1)
        wrong = tf.cast((said != true) & ~ignored, tf.float32)
        distance = tf.abs(self._difference(found, outputs))
        distance = tf.where(held[..., tf.newaxis], distance, 0.0)
        return tf.reduce_mean(wrong, -1), tf.reduce_mean(distance, [1, 2])

    def targets(self, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return of each anchor the row of its object, -1 for none, and whether it is ignored.

        Args:
            labels: [batch, boxes, 6]: corners, class, whether it is ignored.
        """
        counted, ignored = labels[..., 4] >= 0, labels[..., 5] > 0
        places = self._places(centred(labels[..., :4]))
        here = places[..., tf.newaxis] == tf.range(len(self._cells))
        held = here & (counted & ~ignored)[..., tf.newaxis]
        first = tf.argmax(tf.cast(held, tf.int32), axis=1, output_type=tf.int32)
        taken = tf.reduce_any(held, axis=1)
        left = tf.reduce_any(here & (counted & ignored)[..., tf.newaxis], axis=1)
        return tf.where(taken, first, -1), left & ~taken

    def _places(self, boxes: tf.Tensor) -> tf.Tensor:
        """Return which anchor is to find each box, [batch, boxes] int32.

        Args:
            boxes: [batch, boxes, 4] by middles and sides.
        """
        maps = [*zip(self.grids, self.anchors, strict=True)]
        starts = np.cumsum([0, *(rows * columns * len(some) for (rows, columns), some in maps)])
        shapes = np.array([shape for some in self.anchors for shape in some], np.float32)
        shapes /= np.array((self.image[1], self.image[0]), np.float32)
        # Of each shape its number in the first cell of its grid, and what the next cells add to it.
        table = np.array(
            [
                (start + within, rows, columns, len(some))
                for start, ((rows, columns), some) in zip(starts, maps, strict=False)
                for within in range(len(some))
            ],
            np.int32,
        )
        common = tf.reduce_prod(tf.minimum(boxes[..., tf.newaxis, 2:], shapes), axis=-1)
        areas = tf.reduce_prod(boxes[..., 2:], axis=-1, keepdims=True) + np.prod(shapes, axis=-1)
        best = tf.argmax(common / (areas - common), axis=-1, output_type=tf.int32)
        first, rows, columns, each = tf.unstack(tf.gather(table, best), axis=-1)
        column, row = (
            tf.clip_by_value(tf.cast(middle * tf.cast(count, tf.float32), tf.int32), 0, count - 1)
            for middle, count in ((boxes[..., 0], columns), (boxes[..., 1], rows))
        )
        return first + (row * columns + column) * each

    def _boxes(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the boxes, [batch, anchors, 4], which may reach out of the image."""
        middles = (tf.sigmoid(outputs[..., :2]) + self._cells) / self._counts
        sides = tf.exp(tf.minimum(outputs[..., 2:4], _LARGE)) * self._shapes
        return cornered(tf.concat([middles, sides], axis=-1))

    def _difference(self, found: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return how far the four numbers of each anchor are from its object's, [b, anchors, 4]."""
        box = centred(found[..., :4])
        places = tf.sigmoid(outputs[..., :2]) - (box[..., :2] * self._counts - self._cells)
        sides = tf.math.log(tf.maximum(box[..., 2:], _LITTLE) / self._shapes)
        return tf.concat([places, outputs[..., 2:4] - sides], axis=-1)


def _of(labels: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Return the label of each anchor's object, [batch, anchors, 6]; any where it has none."""
    return tf.gather(labels, tf.maximum(rows, 0), batch_dims=1)
