"""Stopwatch: the one instrument that all contenders of a benchmark are measured with."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras


class Stopwatch(keras.callbacks.Callback):
    """Times the training steps and writes them to the file that STOPWATCH_FILE names.

    `first_step` is the wall-clock time at which the first step was done; `epochs` has the seconds
    from the beginning of each epoch to its last step, validation not included, and its steps;
    `saving` has the seconds that each saved state of tfpipe took, the last one left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._figures: dict[str, Any] = {"first_step": None, "epochs": [], "saving": []}

    def on_train_begin(self, logs: Any = None) -> None:
        if "tfpipe.training.checkpoint" in sys.modules:
            state: Any = sys.modules["tfpipe.training.checkpoint"]
            state.save = self._timed(state.save)

    def _timed(self, save: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*words: Any, **named: Any) -> Any:
            began = time.perf_counter()
            path = save(*words, **named)
            self._figures["saving"].append(time.perf_counter() - began)
            return path

        return timed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._figures["first_step"] is None:
            self._figures["first_step"] = time.time()
        self._last, self._steps = time.perf_counter(), batch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._figures["epochs"].append([self._last - self._began, self._steps])
        Path(os.environ["STOPWATCH_FILE"]).write_text(json.dumps(self._figures))


class TrainingTime(keras.callbacks.Callback):
    """Times training from its beginning to its end, and writes it where STOPWATCH_FILE names.

    It asks for nothing at a step, so that it changes nothing of how they are taken.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        self._began, self._epochs = time.perf_counter(), 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epochs += 1

    def on_train_end(self, logs: Any = None) -> None:
        figures = {"training": time.perf_counter() - self._began, "epochs": self._epochs}
        Path(os.environ["STOPWATCH_FILE"]).write_text(json.dumps(figures))
