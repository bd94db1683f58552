"""PSNR: how near an image is to another, in decibels of its largest value."""

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from tfpipe.tasks.metrics.pixels import comparable

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 100.0  # decibels, which two equal images have here


@keras.saving.register_keras_serializable(package="tfpipe")
class PSNR(keras.metrics.Mean):
    """The peak signal-to-noise ratio, 10 log10(255² / MSE), as the mean over the images.

    It is that of the literature on super-resolution: of 8-bit values, of the luma Y of YCbCr
    (ITU-R BT.601, 16 to 235), without a border. Equal images have 100 dB, so that a mean stays a
    number.

    Args:
        name: of the metric.
        border: pixels left out on each side; the literature leaves out the scale.
        colours: whether all channels are compared, and not the luma alone.
        dtype: of its numbers.

    Example:
        >>> black = tf.zeros([1, 8, 8, 3])
        >>> round(float(PSNR(colours=True)(black, black + 25.5)), 2)
        20.0
    """

    def __init__(
        self,
        name: str = "psnr",
        border: int = 0,
        colours: bool = False,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.border, self.colours = border, colours

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        super().update_state(psnr(y_true, y_pred, self.border, self.colours), sample_weight)

    def get_config(self) -> "Mapping[str, Any]":
        return {**super().get_config(), "border": self.border, "colours": self.colours}


def psnr(truth: tf.Tensor, answer: tf.Tensor, border: int = 0, colours: bool = False) -> tf.Tensor:
    """Return the PSNR of each image, [rows]; see `PSNR`."""
    truth, answer = comparable(truth, answer, border, colours)
    error = tf.reduce_mean(tf.square(truth - answer), axis=[1, 2, 3])
    least = 255.0**2 / 10 ** (MOST / 10)
    return 10.0 * tf.math.log(255.0**2 / tf.maximum(error, least)) / tf.math.log(10.0)
