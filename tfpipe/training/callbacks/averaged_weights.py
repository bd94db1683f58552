"""With `ema`: judge and keep the moving average of the weights, while training goes on without."""

from typing import Any

import keras
import numpy as np

from tfpipe.training import checkpoint


class AveragedWeights(keras.callbacks.Callback):
    """Lets validation and all that judges an epoch see the moving average of the weights.

    It is the first of the callbacks, and `restore_raw` is called before the state is saved. The
    optimizer replaces the weights by their average at the end of each `fit`, so what it replaced is
    put back when the next epoch begins.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raw: list[np.ndarray] | None = None
        self._averaged = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.end_phase()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._use_average()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._use_average()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._averaged = False
        self._use_average()

    def end_phase(self) -> None:
        """Give the model the weights that training goes on with, before others are trained."""
        self._assign(self._raw)
        self._raw, self._averaged = None, False

    def restore_raw(self) -> None:
        """Give the model the weights that training goes on with, while they are averaged."""
        if self._averaged:
            self._assign(self._raw)
            self._averaged = False

    def _use_average(self) -> None:
        if self._averaged:
            return
        self._raw = checkpoint.copies(self.model.trainable_variables)
        self._averaged = True
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def _assign(self, values: list[np.ndarray] | None) -> None:
        if values is not None:
            checkpoint.put_back(self.model, self.model.trainable_variables, values)
