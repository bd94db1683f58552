"""The loss of a detector, and how far its anchors are from what they should find."""

from typing import Any

import keras
import tensorflow as tf

from tfpipe.boxes.heads import Head


class DetectionLoss(keras.losses.Loss):
    """The loss of the classes and that of the boxes, added, as the model's last layer has them.

    Args:
        head: that layer.
        options: further arguments of keras.losses.Loss.
    """

    def __init__(self, head: Head, **options: Any) -> None:
        super().__init__(**{"name": "detection", **options})
        self._head = head

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        classes, boxes = self._head.losses(y_true, y_pred)
        return classes + boxes


class _OfAnchors(keras.metrics.Mean):
    """A mean over images of what a head says."""

    def __init__(self, head: Head, part: int, name: str) -> None:
        super().__init__(name=name)
        self._head, self._part = head, part

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().update_state(self._head.errors(y_true, y_pred)[self._part], sample_weight)


class ClassError(_OfAnchors):
    """The share of anchors whose most probable class is not the true one.

    Args:
        head: the model's last layer.
    """

    def __init__(self, head: Head) -> None:
        super().__init__(head, 0, "class_error")


class BoxError(_OfAnchors):
    """The mean error of offsets, over all anchors, those without an object counting as 0.

    Args:
        head: the model's last layer.
    """

    def __init__(self, head: Head) -> None:
        super().__init__(head, 1, "box_error")
