"""Keep the model of the best epoch."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfpipe.storage import storage
from tfpipe.tasks.task import Task
from tfpipe.training import checkpoint
from tfpipe.training.reporting import higher_is_better


class BestModel(keras.callbacks.Callback):
    """Keeps the model of the best epoch as `best.keras`, which plain Keras loads.

    Between two saved states it is kept in memory: a run that goes on from the first of them comes
    to it again.

    Args:
        path: the file.
        monitor: what is compared; accuracies, AUC and the like go up, losses and errors down.
        write_now: says whether the state is saved at the end of this epoch.
    """

    def __init__(
        self, path: Path, monitor: str, write_now: Callable[[], bool] = lambda: True
    ) -> None:
        super().__init__()
        self._path = path
        self._write_now = write_now
        self._held: list[np.ndarray] | None = None
        self.monitor = monitor
        self.best: float | None = None
        self._sign = 1.0 if higher_is_better(monitor) else -1.0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = (logs or {}).get(self.monitor)
        if value is None or (self.best is not None and self._sign * (value - self.best) <= 0):
            return
        self.best = float(value)
        if self._write_now():
            self._held = None
            self._save()
        else:
            self._held = checkpoint.copies(self._variables())

    def forget(self) -> None:
        """Take the next epoch for the best: it is judged by another loss than those before."""
        self.write()
        self.best = None

    def write(self) -> None:
        """Write the model of the best epoch where it is in memory alone."""
        if self._held is None:
            return
        present = checkpoint.copies(self._variables())
        try:
            checkpoint.put_back(self.model, self._variables(), self._held)
            self._save()
        finally:
            checkpoint.put_back(self.model, self._variables(), present)
        self._held = None

    def _variables(self) -> list[Any]:
        grouped = checkpoint.groups(self.model)
        return [*grouped["model"], *grouped["optimizer"]]

    def _save(self) -> None:
        temporary = self._path.with_name(f".{self._path.stem}.writing.keras")
        with storage(self._path.parent):
            self.model.save(temporary)
            os.replace(temporary, self._path)


def best_monitor(declared: list[keras.callbacks.Callback], validated: bool, task: Task) -> str:
    """Return what the best epoch is judged by: as early stopping does, else as the task says.

    Args:
        declared: the pipeline's callbacks.
        validated: whether there is validation; without, it is the loss.
        task: the pipeline's.
    """
    for callback in declared:
        if isinstance(callback, keras.callbacks.EarlyStopping):
            return str(callback.monitor)
    return f"val_{task.best_by}" if validated else "loss"
