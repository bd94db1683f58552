"""PSNR: how near an image is to another, in decibels of its largest value."""

from typing import ClassVar

import keras
import tensorflow as tf

from tfpipe.tasks.metrics.likeness import Likeness
from tfpipe.tasks.metrics.pixels import comparable

MOST = 100.0  # decibels, which two equal images have here


@keras.saving.register_keras_serializable(package="tfpipe")
class PSNR(Likeness):
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

    called: ClassVar[str] = "psnr"

    def measure(self, truth: tf.Tensor, answer: tf.Tensor) -> tf.Tensor:
        return psnr(truth, answer, self.border, self.colours)


def psnr(truth: tf.Tensor, answer: tf.Tensor, border: int = 0, colours: bool = False) -> tf.Tensor:
    """Return the PSNR of each image, [rows]; see `PSNR`."""
    truth, answer = comparable(truth, answer, border, colours)
    error = tf.reduce_mean(tf.square(truth - answer), axis=[1, 2, 3])
    least = 255.0**2 / 10 ** (MOST / 10)
    return 10.0 * tf.math.log(255.0**2 / tf.maximum(error, least)) / tf.math.log(10.0)
