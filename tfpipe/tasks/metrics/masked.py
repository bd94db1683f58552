"""What is measured of sentences: their tokens alone, and not the padding behind them."""

from typing import Any

import keras
from keras import ops

from tfpipe.declare.formats import PAD
from tfpipe.tasks.metrics.perplexity import Perplexity


@keras.saving.register_keras_serializable(package="tfpipe")
class MaskedCrossentropy(keras.losses.Loss):
    """The mean cross-entropy of a batch's tokens, in which padding does not count.

    Args:
        from_logits: whether the model gives logits; probabilities otherwise.
        name: what it is called.
        options: further arguments of keras.losses.Loss.
    """

    def __init__(
        self, from_logits: bool = True, name: str = "masked_crossentropy", **options: Any
    ) -> None:
        super().__init__(name, **options)
        self.from_logits = from_logits

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return [rows, tokens] losses, 0 for padding, whose mean is that of the tokens."""
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, self.from_logits)
        valid = ops.cast(ops.not_equal(y_true, PAD), losses.dtype)
        return losses * valid / ops.maximum(ops.mean(valid), keras.config.epsilon())

    def get_config(self) -> dict[str, Any]:
        """Return what a copy is made of."""
        return {**super().get_config(), "from_logits": self.from_logits}


@keras.saving.register_keras_serializable(package="tfpipe")
class MaskedPerplexity(Perplexity):
    """The exponential of the mean cross-entropy over all tokens, in which padding does not count.

    It is exact however batches divide them.
    """

    def update_state(
        self,
        y_true: keras.KerasTensor,
        y_pred: keras.KerasTensor,
        sample_weight: keras.KerasTensor | None = None,
    ) -> None:
        """Add the tokens of a batch."""
        super().update_state(y_true, y_pred, _weights(y_true, sample_weight))


@keras.saving.register_keras_serializable(package="tfpipe")
class TokenAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """The share of tokens that are the most probable ones, in which padding does not count."""

    def update_state(
        self,
        y_true: keras.KerasTensor,
        y_pred: keras.KerasTensor,
        sample_weight: keras.KerasTensor | None = None,
    ) -> None:
        """Add the tokens of a batch."""
        super().update_state(y_true, y_pred, _weights(y_true, sample_weight))


def _weights(
    y_true: keras.KerasTensor, sample_weight: keras.KerasTensor | None
) -> keras.KerasTensor:
    """How much each token counts."""
    valid = ops.cast(ops.not_equal(y_true, PAD), "float32")
    return valid if sample_weight is None else valid * ops.reshape(sample_weight, (-1, 1))
