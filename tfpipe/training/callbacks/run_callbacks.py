"""The standard callbacks of every run, in the order in which they act.

Average      with `ema`, the averaged weights in place for validation and what follows it
Watch        the learning rate into the logs, the first loss that is not a number
(TensorBoard and what the pipeline declares)
BestModel    the model of the best epoch so far
Record       metrics.csv and the reporter
SaveState    last, so that it saves what the others have made of the epoch; stops when asked to
"""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfpipe.declare.field_types import Duration
from tfpipe.errors import Interrupted, TrainingError
from tfpipe.storage import storage
from tfpipe.training import checkpoint as state
from tfpipe.training.callbacks import state as memory
from tfpipe.training.compile import check_monitors
from tfpipe.training.metrics import append_row, as_float32
from tfpipe.training.phases import Phases
from tfpipe.training.reporting import SETTINGS, EpochRow, Reporter


class Position:
    """Which phase, epoch and step training is at; shared by the callbacks.

    Args:
        steps: how many steps an epoch has.
        phases: the phases.
        epoch: the epoch, from 0.
        first_step: how many steps of it were done before this process took it up.
    """

    def __init__(self, steps: int, phases: Phases, epoch: int = 0, first_step: int = 0) -> None:
        self.steps = steps
        self.phases = phases
        self.begin(epoch, first_step)

    def begin(self, epoch: int, first_step: int) -> None:
        """Start an epoch, or go on in it."""
        self.epoch, self.first_step, self.step = epoch, first_step, first_step

    def after(self, batch: int) -> None:
        """Take note that a batch is done; Keras counts from 0, and past the end of an epoch when
        several steps are one call."""
        self.step = min(self.first_step + batch + 1, self.steps)

    def left(self) -> int:
        """How many steps of the epoch are to do."""
        return self.steps - self.step


class Requests:
    """What may be asked for between two steps: to stop, and to save the state.

    Several workers have to do either after the same step. So each says before a step what it asks
    for, and hears after it whether anybody did; alone, a process asks itself.

    Args:
        stop: says whether somebody asked this process to stop.
        together: whether there are several workers.
    """

    def __init__(self, stop: Callable[[], bool], together: bool = False) -> None:
        self._stop = stop
        self.save_due: Callable[[], bool] = lambda: False
        self.together = together
        self._heard = (False, False)

    def ask(self) -> list[float]:
        """What this worker asks for: to stop, to save."""
        return [float(self._stop()), float(self.save_due())]

    def hear(self, *asked: float) -> None:
        """How many workers asked to stop, and to save."""
        self._heard = (asked[0] > 0, asked[1] > 0)

    @property
    def stop(self) -> bool:
        """Whether to stop now."""
        return self._heard[0] if self.together else self._stop()

    @property
    def save(self) -> bool:
        """Whether to save now."""
        return self._heard[1] if self.together else self.save_due()


class Restore(keras.callbacks.Callback):
    """Puts back the metrics of the epoch that a run was stopped in; `fit` resets them first.

    Args:
        saved: the state that the run goes on from.
    """

    def __init__(self, saved: state.Saved) -> None:
        super().__init__()
        self._saved: state.Saved | None = saved

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._saved is not None and self._saved.state.step:
            state.restore(self.model, self._saved, ("metrics",))
        self._saved = None


class Average(keras.callbacks.Callback):
    """Lets validation and all that judges an epoch see the moving average of the weights.

    It is the first of the callbacks, and `put_back` is called before the state is saved. The
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
        self._put_in()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._put_in()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._averaged = False
        self._put_in()

    def end_phase(self) -> None:
        """Give the model the weights that training goes on with, before others are trained."""
        self._assign(self._raw)
        self._raw, self._averaged = None, False

    def put_back(self) -> None:
        """Give the model the weights that training goes on with, while they are averaged."""
        if self._averaged:
            self._assign(self._raw)
            self._averaged = False

    def _put_in(self) -> None:
        if self._averaged:
            return
        self._raw = [np.array(v.numpy()) for v in self.model.trainable_variables]
        self._averaged = True
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def _assign(self, values: list[np.ndarray] | None) -> None:
        with self.model.distribute_strategy.scope():
            for variable, value in zip(self.model.trainable_variables, values or (), strict=False):
                variable.assign(value)


class Watch(keras.callbacks.Callback):
    """Guards the steps: the loss stays finite, and what callbacks monitor is measured.

    Args:
        position: kept up to date here, for all.
        watched: the callbacks whose `monitor` must be measured.
        validated: whether there is validation, so that val_ names will be measured.
    """

    def __init__(
        self,
        position: Position,
        watched: list[Any],
        validated: bool,
    ) -> None:
        super().__init__()
        self._position = position
        self._watched = watched
        self._validated = validated

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._position.after(batch)
        if self._watched:
            self._check_monitors(set(logs or {}))
        self._check_loss(float((logs or {}).get("loss", 0.0)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for variable in self.model.trainable_variables:
            if not np.isfinite(np.sum(np.abs(keras.ops.convert_to_numpy(variable)))):
                raise TrainingError(
                    f"The weights {variable.path} are no longer finite numbers after epoch "
                    f"{epoch + 1}, though the loss is: one broken number in the data does that. "
                    "Look for it in the inputs, or lower optimizer.learning_rate."
                )
        if logs is not None:
            rate = self.model.optimizer.learning_rate
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
            if self._position.phases.declared:
                logs["phase"] = float(self._position.phases.index + 1)

    def _check_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {self._position.epoch + 1}, step "
                f"{self._position.step}. The learning rate is probably too high: try "
                "optimizer.learning_rate=... a tenth of it, or look for broken numbers in the data "
                "with tfpipe check."
            )

    def _check_monitors(self, names: set[str]) -> None:
        measured = names | {"learning_rate"}
        if self._validated:
            measured |= {f"val_{n}" for n in names}
        check_monitors(self._watched, measured)
        self._watched = []


def rises(monitor: str) -> bool:
    """Whether a metric is better the higher it is: accuracies and the like, not losses."""
    rising = ("acc", "auc", "precision", "recall", "f1", "iou")
    return any(word in monitor for word in rising)


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
        self._sign = 1.0 if rises(monitor) else -1.0

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
        file: metrics.csv; None for a worker that does not write.
        reporter: who is watching.
        position: where training is.
        samples: how many samples; the last step may have fewer than the others.
        batch_size: samples in a step.
        waited: the seconds that training waited for input since it was last asked; None where
            that is not measured.
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
        waited: Callable[[], float] | None = None,
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

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._waited is not None:
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
        wait = None if self._waited is None or not trained else self._waited() / trained
        row = EpochRow(
            epoch=epoch + 1,
            epochs=self._position.phases.epochs,
            metrics={n: float(as_float32((logs or {})[n])) for n in sorted(logs or {}, key=_place)},
            seconds=self._clock() - self._began,
            examples_per_second=self._rate(),
            input_wait=None if wait is None else min(wait, 1.0),
        )
        self.rows.append(row)
        if self._file is not None:
            append_row(self._file, row)
        self._reporter.epoch(row)

    def _rate(self) -> float:
        elapsed = self._trained - self._began
        steps = self._position.step - self._position.first_step
        return min(steps * self._batch_size, self._samples) / elapsed if elapsed > 0 else 0.0


def _place(name: str) -> tuple[int, bool, str]:
    """Training before validation before the settings, and the loss before other metrics."""
    group = 2 if name in SETTINGS else int(name.startswith("val_"))
    return group, name.removeprefix("val_") != "loss", name


class SaveState(keras.callbacks.Callback):
    """Saves the state at the end of each epoch, every so often within one, and when asked to stop.

    Args:
        folder: the run's checkpoints folder.
        position: where training is.
        every: a Duration, or a number of steps.
        requests: says when to save and when to stop; several workers do it after the same step.
        remembering: the callbacks whose memory is saved too.
        before: called before the state is saved, to write out and put back what others hold.
        keep: whether this process writes; every worker takes part in the reading.
        clock: seconds, rising.
    """

    def __init__(
        self,
        folder: Path,
        position: Position,
        every: Duration | int,
        requests: Requests,
        remembering: list[Any],
        before: Callable[[], None] = lambda: None,
        keep: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._position = position
        self._every = every
        self._requests = requests
        self._remembering = remembering
        self._before = before
        self._keep = keep
        self._clock = clock
        self.begin()
        requests.save_due = self._due

    def begin(self) -> None:
        """Count from where training is now."""
        self._last, self._last_step = self._clock(), self._position.step

    def save(self, stopped: bool = False) -> None:
        """Save the state as it is after the last step."""
        self._before()
        position, phases = self._position, self._position.phases
        values, weights = memory.remember(self._remembering)
        now = state.State(
            position.epoch,
            position.step,
            values,
            stopped,
            time.time(),
            phases.index,
            phases.began,
        )
        state.save(self._folder, self.model, now, weights, self._keep)
        self.begin()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        position, stop = self._position, self._requests.stop
        if not position.left():  # the epoch is ended first
            return
        if stop or self._requests.save:
            self.save()
        if stop:
            raise Interrupted(
                f"Stopped in epoch {position.epoch + 1} after step {position.step}; the state is "
                "saved."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._position.begin(epoch + 1, 0)
        self.save(stopped=bool(self.model.stop_training))

    def _due(self) -> bool:
        """Whether so much time, or so many steps, have gone by."""
        if isinstance(self._every, Duration):
            return self._clock() - self._last >= self._every
        done = self._position.step
        if self._requests.together:  # asked before the step that it is about
            done += min(self.model.steps_per_execution, self._position.left())
        return done // self._every > self._last_step // self._every
