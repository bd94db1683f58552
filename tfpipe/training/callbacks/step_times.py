"""The time of a training step, and how much it trains, for a comparison of networks."""

import json
import statistics
import time
from pathlib import Path
from typing import Any

import keras

from tfpipe.models.parameter_count import trainable_parameters
from tfpipe.storage import write_whole

FILE = "steps.json"
_WARM_UP = 3  # the first calls of a compiled function make it
_KEPT = 2000


class StepTimes(keras.callbacks.Callback):
    """Measures calls of one step or more, the first ones left out.

    Args:
        folder: where steps.json is written after each epoch.
    """

    takes_calls = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._calls = 0
        self._seconds: list[float] = []
        self._began = (0, 0.0)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._began = batch, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        first, began = self._began
        self._calls += 1
        if self._calls > _WARM_UP and len(self._seconds) < _KEPT:
            self._seconds.append((time.perf_counter() - began) / (batch - first + 1))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        measured = {
            "step_seconds": statistics.median(self._seconds) if self._seconds else None,
            "trainable_parameters": trainable_parameters(self.model),
        }
        write_whole(self._folder / FILE, json.dumps(measured).encode())
