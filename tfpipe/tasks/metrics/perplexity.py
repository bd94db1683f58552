"""Perplexity: how many tokens a model is in doubt between, by its cross-entropy."""

import keras


@keras.saving.register_keras_serializable(package="tfpipe")
class Perplexity(keras.metrics.Mean):
    """The exponential of the mean cross-entropy over all tokens, however batches divide them.

    Args:
        from_logits: whether the model gives logits; probabilities otherwise.
        name: what it is called.
        dtype: of what it computes.
    """

    _direction = "down"

    def __init__(
        self, from_logits: bool = True, name: str = "perplexity", dtype: object = None
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits

    def update_state(
        self,
        y_true: keras.KerasTensor,
        y_pred: keras.KerasTensor,
        sample_weight: keras.KerasTensor | None = None,
    ) -> None:
        """Add the tokens of a batch."""
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, self.from_logits)
        super().update_state(losses, sample_weight)

    def result(self) -> keras.KerasTensor:
        """Return the perplexity of all tokens so far."""
        return keras.ops.exp(super().result())

    def get_config(self) -> dict[str, object]:
        """Return what a copy is made of."""
        return {**super().get_config(), "from_logits": self.from_logits}
