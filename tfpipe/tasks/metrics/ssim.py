"""SSIM and MS-SSIM: how alike two images are in structure, at one size and at five."""

from typing import ClassVar

import keras
import tensorflow as tf

from tfpipe.tasks.metrics.likeness import Likeness
from tfpipe.tasks.metrics.pixels import comparable

WINDOW = 11  # pixels a side of the Gaussian window, of standard deviation 1.5
LEAST_MULTISCALE = WINDOW * 2**4  # pixels a side that five halvings need


@keras.saving.register_keras_serializable(package="tfpipe")
class SSIM(Likeness):
    """The structural similarity of two images, at most 1, as the mean over the images.

    Wang and others, 2004 (doi:10.1109/TIP.2003.819861): a Gaussian window of 11 pixels, K1 0.01,
    K2 0.03, of the places where the window is whole. As for `PSNR`, of the luma of 8-bit values.
    Images smaller than the window are left out.

    Args:
        name: of the metric.
        border: pixels left out on each side; the literature leaves out the scale.
        colours: whether all channels are compared, and not the luma alone.
        dtype: of its numbers.

    Example:
        >>> image = tf.random.stateless_uniform([1, 16, 16, 3], [0, 0], 0, 255)
        >>> float(SSIM()(image, image))
        1.0
    """

    called: ClassVar[str] = "ssim"
    left_out: ClassVar[bool] = True

    def measure(self, truth: tf.Tensor, answer: tf.Tensor) -> tf.Tensor:
        return ssim(truth, answer, self.border, self.colours)


def ssim(truth: tf.Tensor, answer: tf.Tensor, border: int = 0, colours: bool = False) -> tf.Tensor:
    """Return the SSIM of each image, [rows]; NaN where a side is below 11 pixels; see `SSIM`."""
    pair = comparable(truth, answer, border, colours)
    unknown = tf.fill(tf.shape(truth)[:1], float("nan"))
    if any(side is not None and side < WINDOW for side in pair[0].shape[1:3]):
        return unknown
    large = tf.reduce_all(tf.shape(pair[0])[1:3] >= WINDOW)
    return tf.cond(large, lambda: tf.image.ssim(*pair, 255.0, WINDOW), lambda: unknown)


def ms_ssim(
    truth: tf.Tensor, answer: tf.Tensor, border: int = 0, colours: bool = False
) -> tf.Tensor:
    """Return the SSIM of each image at five sizes, [rows]; NaN where a side is below 176 pixels.

    Wang and others, 2003 (doi:10.1109/ACSSC.2003.1292216).
    """
    pair = comparable(truth, answer, border, colours)
    size = tf.shape(pair[0])[1:3]
    return tf.cond(
        tf.reduce_all(size >= LEAST_MULTISCALE),
        lambda: tf.image.ssim_multiscale(*pair, 255.0),
        lambda: tf.fill(tf.shape(truth)[:1], float("nan")),
    )
