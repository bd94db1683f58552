"""Likeness: what the metrics of how alike two images are have in common."""

from typing import TYPE_CHECKING, Any, ClassVar

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping


class Likeness(keras.metrics.Mean):
    """How alike images are, as the mean over the images.

    Subclasses give `measure` and `called`, and say whether small images are `left_out`.

    Args:
        name: of the metric; `called` when None.
        border: pixels left out on each side; the literature leaves out the scale.
        colours: whether all channels are compared, and not the luma alone.
        dtype: of its numbers.
    """

    called: ClassVar[str]
    left_out: ClassVar[bool] = False  # whether images of which it is NaN do not count

    def __init__(
        self,
        name: str | None = None,
        border: int = 0,
        colours: bool = False,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name or self.called, dtype)
        self.border, self.colours = border, colours

    def measure(self, truth: tf.Tensor, answer: tf.Tensor) -> tf.Tensor:
        """Return how alike each image is to what is true, [rows]."""
        raise NotImplementedError

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        found = self.measure(y_true, y_pred)
        if self.left_out:
            known = tf.math.is_finite(found)
            weight = tf.ones_like(found) if sample_weight is None else sample_weight
            weight = tf.reshape(tf.cast(weight, found.dtype), [-1])
            found, sample_weight = tf.where(known, found, 0.0), tf.where(known, weight, 0.0)
        super().update_state(found, sample_weight)

    def get_config(self) -> "Mapping[str, Any]":
        return {**super().get_config(), "border": self.border, "colours": self.colours}
