"""Structure: one less the structural similarity of two images."""

from typing import Any

import keras
import tensorflow as tf

from tfpipe.tasks.metrics.pixels import aligned
from tfpipe.tasks.metrics.ssim import WINDOW


@keras.saving.register_keras_serializable(package="tfpipe")
class Structure(keras.losses.Loss):
    """1 - SSIM of all channels, from 0 for the same image, with a share of the absolute error.

    Zhao and others, 2017 (doi:10.1109/TCI.2016.2644865), mix both, as SSIM alone leaves colours
    and brightness open.

    Args:
        absolute: the share of the mean absolute error, of values from 0 to 1.
        options: further arguments of keras.losses.Loss.

    Example:
        >>> image = tf.random.stateless_uniform([1, 16, 16, 3], [0, 0], 0, 255)
        >>> float(Structure()(image, image))
        0.0
    """

    def __init__(self, absolute: float = 0.16, **options: Any) -> None:
        super().__init__(**{"name": "structure", **options})
        if not 0 <= absolute <= 1:
            raise ValueError(f"absolute={absolute} should be a share from 0 to 1.")
        self.absolute = absolute

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        true, answer = aligned(y_true, y_pred)
        alike = tf.image.ssim(true, answer, 255.0, WINDOW)
        away = tf.reduce_mean(tf.abs(true - answer), axis=[1, 2, 3]) / 255.0
        return (1.0 - self.absolute) * (1.0 - alike) + self.absolute * away

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "absolute": self.absolute}
