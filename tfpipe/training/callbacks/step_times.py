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
    """Measures from the end of a step to the end of the next, the first ones left out.

    Args:
        folder: where steps.json is written after each epoch.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._steps = 0
        self._seconds: list[float] = []
        self._last: tuple[int, float] | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._last = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        now = time.perf_counter()
        self._steps += 1
        if self._last is not None and self._steps > _WARM_UP and len(self._seconds) < _KEPT:
            number, before = self._last
            self._seconds.append((now - before) / (batch - number))
        self._last = batch, now

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        measured = {
            "step_seconds": statistics.median(self._seconds) if self._seconds else None,
            "trainable_parameters": trainable_parameters(self.model),
        }
        write_whole(self._folder / FILE, json.dumps(measured).encode())
