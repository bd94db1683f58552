"""Batches of images with boxes, which move with what augmentation moves."""

from typing import Any

import tensorflow as tf

from tfpipe.data.augment.chain import Rows, apply_with_boxes
from tfpipe.data.input_fn import InMemory
from tfpipe.declare.kinds import Augmentation


class BoxesInMemory(InMemory):
    """Batches of images and boxes from columns in memory; see `InMemory`."""

    def batch(
        self,
        rows: tf.Tensor,
        start: tf.Tensor,
        seed: tf.Tensor,
        augment: tuple[Augmentation, ...],
    ) -> tuple[Any, ...]:
        """Return some images, augmented, and where their boxes are then."""
        if not augment:
            return super().batch(rows, start, seed, augment)
        (feature,) = self.images
        images = tf.gather(self._features[feature.name], rows)
        boxes = tf.gather(self._labels, rows)
        stored = Rows(rows, self.size)
        return apply_with_boxes(augment, images, boxes, start, seed, feature, stored)
