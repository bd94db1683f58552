"""The standard callbacks of every run, in the order in which they act.

Watch        the learning rate into the logs, the first loss that is not a number, stop requests
(TensorBoard and what the pipeline declares)
BestModel    the model of the best epoch so far
Record       metrics.csv and the reporter
SaveState    last, so that it saves what the others have made of the epoch
"""

import csv
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfpipe.declare.fieldtypes import Duration
from tfpipe.errors import Interrupted, TrainingError
from tfpipe.runs import storage
from tfpipe.training import state
from tfpipe.training.compile import check_monitors
from tfpipe.training.reporting import EpochRow, Reporter


class Position:
    """Which epoch and step training is at; shared by the callbacks.

    Args:
        epoch: the epoch, from 0.
        first_step: how many steps of it were done before this process took it up.
    """

    def __init__(self, epoch: int = 0, first_step: int = 0) -> None:
        self.epoch = epoch
        self.first_step = first_step
        self.step = first_step

    def begin(self, epoch: int, first_step: int) -> None:
        """Start an epoch, or go on in it."""
        self.epoch, self.first_step, self.step = epoch, first_step, first_step


class Watch(keras.callbacks.Callback):
    """Guards the steps: the loss stays finite, monitored names exist, a person may stop the run.

    Args:
        position: kept up to date here, for all.
        stop_requested: says whether somebody asked the run to stop.
        on_stop: called before the run is stopped, to save its state.
        watched: the callbacks whose `monitor` must be measured.
        validated: whether there is validation, so that val_ names will be measured.
    """

    def __init__(
        self,
        position: Position,
        stop_requested: Callable[[], bool],
        on_stop: Callable[[], Any],
        watched: list[Any],
        validated: bool,
    ) -> None:
        super().__init__()
        self._position = position
        self._stop_requested = stop_requested
        self._on_stop = on_stop
        self._watched = watched
        self._validated = validated

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        position = self._position
        position.step = position.first_step + batch + 1
        if self._watched:
            self._check_monitors(set(logs or {}))
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {position.epoch + 1}, step {position.step}. The "
                "learning rate is probably too high: try optimizer.learning_rate=... a tenth of "
                "it, or look for broken numbers in the data with tfpipe check."
            )
        if self._stop_requested():
            self._on_stop()
            raise Interrupted(
                f"Stopped in epoch {position.epoch + 1} after step {position.step}; the state is "
                "saved."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for variable in self.model.trainable_variables:
            if not np.isfinite(np.sum(np.abs(keras.ops.convert_to_numpy(variable)))):
                raise TrainingError(
                    f"The weights {variable.path} are no longer finite numbers after epoch "
                    f"{epoch + 1}, though the loss is: one broken number in the data does that. "
                    "Look for it in the inputs, or lower optimizer.learning_rate."
                )
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)

    def _check_monitors(self, names: set[str]) -> None:
        measured = names | {"learning_rate"}
        if self._validated:
            measured |= {f"val_{n}" for n in names}
        check_monitors(self._watched, measured)
        self._watched = []


class BestModel(keras.callbacks.Callback):
    """Keeps the model of the best epoch as `best.keras`, which plain Keras loads.

    Args:
        path: the file.
        monitor: what is compared; accuracies, AUC and the like go up, losses and errors down.
        best: the best value so far, of a run that is resumed.
    """

    def __init__(self, path: Path, monitor: str, best: float | None = None) -> None:
        super().__init__()
        self._path = path
        self.monitor = monitor
        self.best = best
        rising = ("acc", "auc", "precision", "recall", "f1", "iou")
        self._sign = 1.0 if any(word in monitor for word in rising) else -1.0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = (logs or {}).get(self.monitor)
        if value is None or (self.best is not None and self._sign * (value - self.best) <= 0):
            return
        self.best = float(value)
        temporary = self._path.with_name(f".{self._path.stem}.writing.keras")
        with storage(self._path.parent):
            self.model.save(temporary)
            os.replace(temporary, self._path)


class Record(keras.callbacks.Callback):
    """Writes metrics.csv and tells the reporter how training goes.

    Args:
        file: metrics.csv.
        reporter: who is watching.
        position: where training is.
        epochs: how many epochs there are to be.
        steps: how many steps an epoch has.
        samples: how many samples; the last step may have fewer than the others.
        batch_size: samples in a step.
        clock: seconds, rising.
    """

    def __init__(
        self,
        file: Path,
        reporter: Reporter,
        position: Position,
        epochs: int,
        steps: int,
        samples: int,
        batch_size: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._file = file
        self._reporter = reporter
        self._position = position
        self._epochs = epochs
        self._steps = steps
        self._samples = samples
        self._batch_size = batch_size
        self._clock = clock
        self.rows: list[EpochRow] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = self._trained = self._clock()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._trained = self._clock()
        self._reporter.step(
            self._position.epoch + 1,
            self._epochs,
            self._position.step,
            self._steps,
            self._rate(batch + 1),
            float((logs or {}).get("loss", 0.0)),
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        steps = self._position.step - self._position.first_step
        row = EpochRow(
            epoch=epoch + 1,
            epochs=self._epochs,
            metrics={name: float((logs or {})[name]) for name in sorted(logs or {}, key=_place)},
            seconds=self._clock() - self._began,
            examples_per_second=self._rate(steps),
        )
        self.rows.append(row)
        append_row(self._file, row)
        self._reporter.epoch(row)

    def _rate(self, steps: int) -> float:
        elapsed = self._trained - self._began
        return min(steps * self._batch_size, self._samples) / elapsed if elapsed > 0 else 0.0


def _place(name: str) -> tuple[int, bool, str]:
    """Training before validation before the learning rate, and the loss before other metrics."""
    group = 2 if name == "learning_rate" else int(name.startswith("val_"))
    return group, name.removeprefix("val_") != "loss", name


def append_row(file: Path, row: EpochRow) -> None:
    """Add a row to metrics.csv, with the column names first where it is new."""
    values = {
        "epoch": row.epoch,
        **{name: f"{value:.8g}" for name, value in row.metrics.items()},  # as float32 has them
        "seconds": round(row.seconds, 3),
        "examples_per_second": round(row.examples_per_second, 1),
    }
    with storage(file.parent):
        new = not file.exists()
        with file.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(values))
            if new:
                writer.writeheader()
            writer.writerow(values)
            stream.flush()
            os.fsync(stream.fileno())


class SaveState(keras.callbacks.Callback):
    """Saves the state at the end of each epoch, and every so often within one.

    Args:
        folder: the run's checkpoints folder.
        position: where training is.
        every: a Duration, or a number of steps.
        clock: seconds, rising.
    """

    def __init__(
        self,
        folder: Path,
        position: Position,
        every: Duration | int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._position = position
        self._every = every
        self._clock = clock
        self._last = clock()

    def save(self) -> None:
        """Save the state as it is after the last step."""
        position = self._position
        state.save(self._folder, self.model, state.State(position.epoch, position.step))
        self._last = self._clock()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        due = (
            self._clock() - self._last >= self._every
            if isinstance(self._every, Duration)
            else self._position.step % self._every == 0
        )
        if due:
            self.save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._position.begin(epoch + 1, 0)
        self.save()
