"""Triangular: a learning rate that rises to a peak and falls again, both in a straight line."""

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfpipe")
class Triangular(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from a share of the peak to the peak and fall to another share, over a whole training.

    Args:
        peak: the largest learning rate.
        start: the share of the peak to begin with.
        end: the share of the peak at the last step.
        at: where the peak is, as a share of the training, above 0 and below 1.
        total_steps: steps of the training; None for those of the pipeline that declares it.

    Raises:
        ValueError: for a peak that is not inside of the training, and for numbers that cannot be.

    Example:
        >>> float(Triangular(1.0, start=0.2, end=0.0, at=0.5, total_steps=10)(5))
        1.0
    """

    def __init__(
        self,
        peak: float,
        start: float = 0.2,
        end: float = 0.07,
        at: float = 0.23,
        total_steps: int | None = None,
    ) -> None:
        super().__init__()
        if not 0 < at < 1:
            raise ValueError(f"at={at} should be a share of the training, above 0 and below 1.")
        if total_steps is not None and total_steps < 1:
            raise ValueError(f"total_steps={total_steps} should be 1 or more.")
        if not isinstance(peak, (int, float)):
            raise ValueError(f"peak={peak!r} should be a number, the largest learning rate.")
        self.peak, self.start, self.end, self.at = peak, start, end, at
        self.total_steps = total_steps

    def __call__(self, step: "int | tf.Tensor") -> Any:
        if self.total_steps is None:
            raise ValueError("Triangular needs total_steps outside of a pipeline.")
        done = keras.ops.cast(step, "float32") / self.total_steps
        rise = self.start + (1.0 - self.start) * done / self.at
        fall = 1.0 + (self.end - 1.0) * (done - self.at) / (1.0 - self.at)
        share = keras.ops.minimum(rise, keras.ops.maximum(fall, self.end))
        return self.peak * share

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "start": self.start,
            "end": self.end,
            "at": self.at,
            "total_steps": self.total_steps,
        }
