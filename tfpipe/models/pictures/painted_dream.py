"""A picture that dreams: the steps of `DeepDream`, at one size after the other."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.models.pictures.picture_model import Batch, Given, PictureModel

_LITTLE = 1e-8


class PaintedDream(PictureModel):
    """A picture in which layers answer more and more; see `DeepDream`.

    The weight is as large as the largest size; smaller ones lie at its top left.

    Args:
        shape: (height, width, 3) of the content.
        extract: gives what layers make of images.
        octaves: how many sizes there are.
        factor: from one to the next.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        extract: Callable[[tf.Tensor], list[tf.Tensor]],
        octaves: int,
        factor: float,
    ) -> None:
        middle = octaves // 2
        powers = [factor ** (octave - middle) for octave in range(octaves)]
        self._sizes = [
            (max(1, int(shape[0] * power)), max(1, int(shape[1] * power))) for power in powers
        ]
        super().__init__("deep_dream", (*self._sizes[-1], 3), ("dream",))
        self._extract, self._content = extract, shape[:2]

    def prepare(self, given: Given, epoch: int) -> None:
        before = self._painted() if epoch else tf.cast(given["content"], tf.float32)
        size = self._sizes[min(epoch, len(self._sizes) - 1)]
        self._put(tf.image.resize(before, size, "bilinear", antialias=True))

    def losses_of(self, given: Given, picture: tf.Tensor) -> dict[str, tf.Tensor]:
        means = [tf.reduce_mean(layer) for layer in self._extract(picture)]
        return {"dream": -tf.add_n(means)}

    def train_step(self, data: Batch) -> dict[str, Any]:
        picture = self._painted()
        with tf.GradientTape() as tape:
            tape.watch(picture)
            parts = self.losses_of({}, picture)
        gradient = tape.gradient(parts["dream"], picture)
        gradient /= tf.math.reduce_std(gradient) + _LITTLE
        self.optimizer.apply([self._padded(gradient)], [self.picture])
        self._put(tf.clip_by_value(self._painted(), 0.0, 255.0))
        return self._took(parts)

    def result(self) -> np.ndarray:
        resized = tf.image.resize(self._painted(), self._content, "bilinear", antialias=True)
        return np.asarray(np.clip(np.rint(resized[0]), 0, 255), np.uint8)

    def _painted(self) -> tf.Tensor:
        """The picture in its present size."""
        octave = tf.clip_by_value(tf.convert_to_tensor(self.begun) - 1, 0, len(self._sizes) - 1)
        size = tf.constant(self._sizes)[octave]
        return tf.convert_to_tensor(self.picture)[:, : size[0], : size[1]]

    def _put(self, picture: tf.Tensor) -> None:
        self.picture.assign(self._padded(picture))

    def _padded(self, picture: tf.Tensor) -> tf.Tensor:
        lacking = tf.constant(self._sizes[-1]) - tf.shape(picture)[1:3]
        padded = tf.pad(picture, [[0, 0], [0, lacking[0]], [0, lacking[1]], [0, 0]])
        return tf.ensure_shape(padded, self.picture.shape)
