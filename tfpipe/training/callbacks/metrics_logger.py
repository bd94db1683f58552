"""Collect the rows of metrics.csv and report the progress of training."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from tfpipe.training.metrics_file import append_rows, as_float32
from tfpipe.training.position import Position
from tfpipe.training.reporting import SETTINGS, EpochRow, Reporter


class MetricsLogger(keras.callbacks.Callback):
    """Makes the rows of metrics.csv and tells the reporter how training goes.

    The rows are written, and the epochs reported, when `write` is called.

    Args:
        file: metrics.csv; None for a worker that does not write.
        reporter: who is watching.
        position: where training is.
        samples: how many samples; the last step may have fewer than the others.
        batch_size: samples in a step.
        waited: the seconds that training waited for input since it was last asked; None where
            that is not measured, or not a matter of waiting.
        rows: the epochs that were trained before.
        clock: seconds, rising.
    """

    def __init__(
        self,
        file: Path | None,
        reporter: Reporter,
        position: Position,
        samples: int,
        batch_size: int,
        waited: Callable[[], float | None] = lambda: None,
        rows: list[EpochRow] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._file = file
        self._reporter = reporter
        self._position = position
        self._samples = samples
        self._batch_size = batch_size
        self._waited = waited
        self._clock = clock
        self.rows: list[EpochRow] = rows or []
        self._held: list[EpochRow] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._waited()
        self._began = self._trained = self._clock()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._trained = self._clock()
        self._reporter.step(
            self._position.epoch + 1,
            self._position.phases.epochs,
            self._position.step,
            self._position.steps,
            self._rate(),
            float((logs or {}).get("loss", 0.0)),
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        trained = self._trained - self._began
        waited = self._waited()
        wait = None if waited is None or not trained else waited / trained
        row = EpochRow(
            epoch=epoch + 1,
            epochs=self._position.phases.epochs,
            metrics={n: float(as_float32((logs or {})[n])) for n in sorted(logs or {}, key=_place)},
            seconds=self._clock() - self._began,
            examples_per_second=self._rate(),
            input_wait=None if wait is None else min(wait, 1.0),
        )
        self.rows.append(row)
        self._held.append(row)

    def write(self) -> None:
        """Write the rows since the last call, and report their epochs."""
        held, self._held = self._held, []
        if held and self._file is not None:
            append_rows(self._file, held)
        if held:
            self._reporter.epochs(held)

    def _rate(self) -> float:
        elapsed = self._trained - self._began
        steps = self._position.step - self._position.first_step
        return min(steps * self._batch_size, self._samples) / elapsed if elapsed > 0 else 0.0


def _place(name: str) -> tuple[int, bool, str]:
    """Training before validation before the settings, and the loss before other metrics."""
    group = 2 if name in SETTINGS else int(name.startswith("val_"))
    return group, name.removeprefix("val_") != "loss", name
