"""Keep the model of the best epoch."""

import os
from pathlib import Path
from typing import Any

import keras

from tfpipe.storage import storage
from tfpipe.training.reporting import higher_is_better


class BestModel(keras.callbacks.Callback):
    """Keeps the model of the best epoch as `best.keras`, which plain Keras loads.

    Args:
        path: the file.
        monitor: what is compared; accuracies, AUC and the like go up, losses and errors down.
    """

    def __init__(self, path: Path, monitor: str) -> None:
        super().__init__()
        self._path = path
        self.monitor = monitor
        self.best: float | None = None
        self._sign = 1.0 if higher_is_better(monitor) else -1.0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = (logs or {}).get(self.monitor)
        if value is None or (self.best is not None and self._sign * (value - self.best) <= 0):
            return
        self.best = float(value)
        temporary = self._path.with_name(f".{self._path.stem}.writing.keras")
        with storage(self._path.parent):
            self.model.save(temporary)
            os.replace(temporary, self._path)


def best_monitor(declared: list[keras.callbacks.Callback], validated: bool) -> str:
    """Return what the best epoch is judged by: as early stopping does, else the validation loss.

    Args:
        declared: the pipeline's callbacks.
        validated: whether there is validation.
    """
    for callback in declared:
        if isinstance(callback, keras.callbacks.EarlyStopping):
            return str(callback.monitor)
    return "val_loss" if validated else "loss"
