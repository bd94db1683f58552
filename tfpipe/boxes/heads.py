"""Heads: the last layers of detectors, which know what the numbers before them mean."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfpipe.boxes.anchors import anchors
from tfpipe.boxes.assignment import assigned, moved, offsets
from tfpipe.boxes.suppression import best_of_each_class

ClassLoss = Literal["crossentropy", "focal", "hard_negatives"]
BoxLoss = Literal["l1", "smooth_l1"]

_LITTLE = 1e-7
_NEGATIVES = 3  # of each image, for each anchor that has an object; Liu and others, 2016
_GAMMA = 2.0  # of the focal loss; Lin and others, 2017


class Head(keras.layers.Layer):
    """The last layer of a detector: it passes numbers on in float32, and says what they mean.

    Args:
        score: what the score of a box has to be for it to be found.
        overlap: of two boxes of a class whose intersection over union is larger, one is left out.
        most: how many boxes are found in an image.
        options: further arguments of keras.layers.Layer.
    """

    learns: bool = False  # whether it has a loss

    def __init__(
        self, score: float = 0.01, overlap: float = 0.5, most: int = 100, **options: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", "name": "boxes", **options})
        self.score, self.overlap, self.most = score, overlap, most

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"score": self.score, "overlap": self.overlap, "most": self.most}
        return {**super().get_config(), **own}

    def answers(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the boxes that are found, [batch, most, 6], the best first.

        Each is its corners, from 0 to 1 of the image, its score and its class; the class of rows
        without a box is -1.

        Args:
            outputs: what the layer gives.
        """
        boxes, odds = self.decoded(outputs)
        found = best_of_each_class(
            boxes, odds, score=self.score, overlap=self.overlap, most=self.most
        )
        return found

    def decoded(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return boxes [batch, boxes, 4] and the logarithms of the odds of each class.

        Args:
            outputs: what the layer gives.
        """
        raise NotImplementedError

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss of the classes and that of the boxes of each image, [batch] both.

        Both are 0 of a head that has no loss.

        Args:
            labels: [batch, boxes, 6]: corners, class, whether it is ignored.
            outputs: what the layer gives.
        """
        none = tf.zeros(tf.shape(outputs)[:1])
        return none, none

    def errors(self, labels: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the share of wrong classes and the mean error of offsets of each image.

        Both are 0 of a head that has no loss.

        Args:
            labels: as for `losses`.
            outputs: what the layer gives.
        """
        none = tf.zeros(tf.shape(outputs)[:1])
        return none, none


@keras.saving.register_keras_serializable(package="tfpipe")
class FoundHead(Head):
    """The last layer of a model that gives boxes, [batch, most, 6], as `Head.answers` does.

    What is no box, with a number that is none, turned inside out, or of a score outside of 0 to 1,
    is left out.
    """

    def answers(self, outputs: tf.Tensor) -> tf.Tensor:
        corners = tf.clip_by_value(outputs[..., :4], 0.0, 1.0)
        sound = tf.reduce_all(tf.math.is_finite(outputs), axis=-1) & (outputs[..., 5] >= 0)
        sound &= tf.reduce_all(corners[..., 2:] > corners[..., :2], axis=-1)
        sound &= (outputs[..., 4] >= 0) & (outputs[..., 4] <= 1)
        found = tf.concat([corners, outputs[..., 4:]], axis=-1)
        found = tf.where(sound[..., tf.newaxis], found, tf.constant([0, 0, 0, 0, 0, -1.0]))
        # Those that are left first, in their order.
        order = tf.argsort(tf.cast(~sound, tf.int32), axis=-1, stable=True)
        return tf.gather(found, order, batch_dims=1)


@keras.saving.register_keras_serializable(package="tfpipe")
class AnchorHead(Head):
    """Of each anchor its box's offsets, the logit of the background, and that of each class.

    An anchor that overlaps an object by at least `least`, or most of all, is to find it.

    Args:
        grids: rows and columns of each map.
        sizes: of each map, the sizes of its anchors, as shares of the image's height.
        ratios: of widths to heights.
        image: height and width of the image in pixels.
        least: the intersection over union with an object by which an anchor has to find it.
        class_loss: "crossentropy", the mean over all anchors; "focal" (gamma 2), or
            "hard_negatives", the cross-entropy of the anchors with an object and of three times as
            many without, those that are worst: both sums over the anchors with an object.
        box_loss: "l1", or "smooth_l1", which is quadratic below 1: the mean over all offsets, or,
            beside the others, the sum over the anchors with an object.
        options: further arguments of `Head`.
    """

    learns = True

    def __init__(
        self,
        grids: Sequence[tuple[int, int]],
        sizes: Sequence[Sequence[float]],
        ratios: Sequence[float],
        image: tuple[int, int],
        least: float = 0.5,
        class_loss: ClassLoss = "crossentropy",
        box_loss: BoxLoss = "l1",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.grids = [(int(rows), int(columns)) for rows, columns in grids]
        self.sizes = [tuple(some) for some in sizes]
        self.ratios, self.image, self.least = tuple(ratios), (image[0], image[1]), least
        self.class_loss, self.box_loss = class_loss, box_loss
        maps = zip(self.grids, self.sizes, strict=True)
        self.anchors = np.concatenate([anchors(g, s, ratios, self.image) for g, s in maps])
        self._last: tuple[Any, Any] = (None, None)

    def get_config(self) -> dict[str, Any]:
        names = ("grids", "sizes", "ratios", "image", "least", "class_loss", "box_loss")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def decoded(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        boxes = moved(tf.constant(self.anchors), outputs[..., :4])
        return tf.clip_by_value(boxes, 0.0, 1.0), class_odds(outputs[..., 4:])

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        classes, away, ignored = self.targets(labels)
        logits, true = outputs[..., 4:], tf.one_hot(classes, tf.shape(outputs)[-1] - 4)
        entropy = tf.nn.softmax_cross_entropy_with_logits(true, logits)
        entropy = tf.where(ignored, 0.0, entropy)
        found = classes > 0
        difference = tf.where(found[..., tf.newaxis], outputs[..., :4] - away, 0.0)
        distance = tf.abs(difference)
        if self.box_loss == "smooth_l1":
            distance = tf.where(distance < 1, 0.5 * difference**2, distance - 0.5)
        if self.class_loss == "crossentropy":
            return tf.reduce_mean(entropy, axis=-1), tf.reduce_mean(distance, axis=[1, 2])
        count = tf.reduce_sum(tf.cast(found, tf.float32), axis=-1)
        if self.class_loss == "focal":
            entropy *= (1.0 - tf.exp(-entropy)) ** _GAMMA
        else:
            entropy = tf.where(found | _hardest(entropy, found), entropy, 0.0)
        count = tf.maximum(count, 1.0)
        return tf.reduce_sum(entropy, -1) / count, tf.reduce_sum(distance, [1, 2]) / count

    def errors(self, labels: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        classes, away, _ = self.targets(labels)
        wrong = tf.argmax(outputs[..., 4:], axis=-1, output_type=tf.int32) != classes
        found = (classes > 0)[..., tf.newaxis]
        distance = tf.where(found, tf.abs(outputs[..., :4] - away), 0.0)
        return tf.reduce_mean(tf.cast(wrong, tf.float32), -1), tf.reduce_mean(distance, [1, 2])

    def targets(self, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return of each anchor the class, 0 for the background, the offsets, and if it is ignored.

        Args:
            labels: [batch, boxes, 6]: corners, class, whether it is ignored.
        """
        asked, known = self._last
        if asked is labels:  # the loss and each metric ask for the same
            return known
        self._last = labels, self.targets_of(tf.cast(labels, tf.float32))
        return self._last[1]

    def targets_of(self, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return what `targets` does, computed anew."""
        fixed = tf.constant(self.anchors)
        boxes, classes = labels[..., :4], tf.cast(labels[..., 4], tf.int32)
        rows = assigned(fixed, boxes, classes, self.least)
        held = rows >= 0
        safe = tf.maximum(rows, 0)
        away = offsets(fixed, tf.gather(boxes, safe, batch_dims=1))
        away = tf.where(held[..., tf.newaxis], away, 0.0)
        ignored = held & (tf.gather(labels[..., 5], safe, batch_dims=1) > 0)
        found = tf.where(held & ~ignored, tf.gather(classes, safe, batch_dims=1) + 1, 0)
        return found, away, ignored


def class_odds(logits: tf.Tensor) -> tf.Tensor:
    """Return the logarithms of the odds of each class but the first, the background.

    By probabilities, which are rounded to 1, the best of several boxes that are nearly sure could
    not be told.

    Args:
        logits: [..., 1 + classes] of a softmax.
    """
    count = logits.shape[-1]
    others = [
        tf.reduce_logsumexp(tf.concat([logits[..., :i], logits[..., i + 1 :]], -1), axis=-1)
        for i in range(1, count)
    ]
    return logits[..., 1:] - tf.stack(others, axis=-1)


def _hardest(entropy: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """Return which anchors without an object are the worst, three times as many as have one."""
    of_background = tf.where(found, -1.0, entropy)
    count = tf.reduce_sum(tf.cast(found, tf.int32), axis=-1)
    wanted = tf.minimum(_NEGATIVES * tf.maximum(count, 1), tf.shape(entropy)[1])
    in_order = tf.sort(of_background, axis=-1, direction="DESCENDING")
    least = tf.gather(in_order, wanted - 1, batch_dims=1)
    return ~found & (of_background >= tf.maximum(least, _LITTLE)[:, tf.newaxis])


def head_of(model: Any) -> Head | None:
    """Return the last layer of a detector; None of another model."""
    layers = getattr(model, "layers", None) or []
    return next((layer for layer in reversed(layers) if isinstance(layer, Head)), None)
