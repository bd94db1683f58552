"""Perceptual: how far two images are from each other as a network sees them."""

from typing import Any

import keras
import tensorflow as tf

from tfpipe.models.images_out.feature_extractor import FeatureExtractor
from tfpipe.tasks.metrics.pixels import aligned


class Perceptual(keras.losses.Loss):
    """The mean squared difference of what layers of a frozen network make of two images.

    Johnson and others, 2016, arXiv:1603.08155; as in SRGAN (Ledig and others, 2017,
    arXiv:1609.04802) features are divided by 12.75, so that it is about as large as an error of
    pixels. Several layers count alike.

    Args:
        features: the network and its layers.
        divisor: of the features.
        options: further arguments of keras.losses.Loss.

    Example:
        loss = losses.Perceptual(FeatureExtractor("VGG19", ("block5_conv4",)))
    """

    def __init__(self, features: FeatureExtractor, divisor: float = 12.75, **options: Any) -> None:
        super().__init__(**{"name": "perceptual", **options})
        self.features, self.divisor = features, divisor
        self._extract = features.build()

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        pairs = zip(*(self._seen(image) for image in aligned(y_true, y_pred)), strict=True)
        parts = [tf.reduce_mean(tf.square(a - b), axis=[1, 2, 3]) for a, b in pairs]
        return tf.add_n(parts) / len(parts) / self.divisor**2

    def _seen(self, images: tf.Tensor) -> list[tf.Tensor]:
        images = tf.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
        return self._extract(images)
