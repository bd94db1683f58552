"""The epochs of a training as a run has them: what its callbacks take, and what is theirs alone."""

import functools
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from tfpipe.declare.fine_tune import FineTune
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.profile.step import TURNS
from tfpipe.runs.directory import RunDirectory
from tfpipe.training.compile import Compiled
from tfpipe.training.datasets import dataset, steps_of
from tfpipe.training.loop import train
from tfpipe.training.reporting import EpochRow, Reporter

_IN_STEPS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
_IN_EPOCHS = ("on_epoch_begin", "on_epoch_end", "on_test_begin", "on_test_end")
_ENDLESS = 1_000_000  # epochs, of which the last is found by the clock
_FEWEST = 5  # steps of an epoch, however long they take
_MANY = 100  # steps of a validation, from which on it may be cut short
# Where Keras's callbacks write, which would be beside the pipeline.
_PLACES = {
    keras.callbacks.BackupAndRestore: "backup_dir",
    keras.callbacks.CSVLogger: "filename",
    keras.callbacks.ModelCheckpoint: "filepath",
    keras.callbacks.TensorBoard: "log_dir",
}


@dataclass
class EpochTimes:
    """What an epoch took, in seconds; or what several took on average.

    Args:
        steps: how many steps it had.
        calls: in how many calls they were taken.
        step: from the end of a step to the end of the next.
        whole: the epoch, with all that happens between two.
        in_steps: what each callback took in all steps, by name.
        in_epoch: what each callback took at the epoch's beginning and end, by name.
        validation: without the callbacks in it.
        waited: for batches, in all steps; None where that is not known.
    """

    steps: int
    calls: int = 0
    step: float = 0.0
    whole: float = 0.0
    in_steps: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    in_epoch: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    validation: float = 0.0
    waited: float | None = None


def median(values: Sequence[float]) -> float:
    """Return the median of what some epochs took; 0 without any."""
    return statistics.median(values) if values else 0.0


def train_epochs(
    pipeline: Pipeline,
    spec: ElementSpec,
    compiled: Compiled,
    run: RunDirectory,
    reporter: Reporter,
    steps: int,
    seconds: float,
    between: Callable[[], None] = lambda: None,
) -> list[EpochTimes]:
    """Train some epochs as a run does, in turns; return what an epoch took in each turn.

    Short epochs share a turn, as what is done once a second falls to all of them. The first epoch
    is not counted. A training in phases is looked at in its first one. What stops training early is
    not heard. An epoch ends early where its steps take long with what callbacks do, and so does a
    validation of many steps, whose time is then that of its first ones for each.

    Args:
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        compiled: the model, which is trained.
        run: where callbacks write.
        reporter: told of each step and epoch.
        steps: how many an epoch here has; the whole epoch where it is no longer.
        seconds: how long the steps of an epoch may take, and half of it a turn of short epochs.
        between: called after each epoch that is a turn of its own; its time is not counted.
    """
    changes: dict[str, Any] = {"epochs": _ENDLESS}
    if pipeline.fine_tune is not None:
        first = pipeline.fine_tune.phases[0]
        changes["fine_tune"] = FineTune(phases=(first.replace(epochs=_ENDLESS),))
    whole = steps_of(pipeline, spec, dataset(pipeline, "train"))
    if steps < whole:
        changes["steps_per_epoch"] = steps
    short = pipeline.replace(**changes)
    validation = -(-spec.splits.get("validation", 0) // pipeline.batch_size)
    meter = Meter(run.path, min(steps, whole), whole, validation, seconds, between)
    rows = train(short, spec, compiled, run, reporter, extra=[meter]).rows
    for times, row in zip(itertools.chain(*meter.turns), rows, strict=True):
        times.waited = _waited(row, times.steps * pipeline.batch_size, spec)
    return [_mean(turn) for turn in meter.turns[1:]]


def _mean(epochs: Sequence[EpochTimes]) -> EpochTimes:
    def mean(values: Iterable[float]) -> float:
        return sum(values) / len(epochs)

    def means(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
        names = {name for times in found for name in times}
        return {name: mean(times.get(name, 0.0) for times in found) for name in names}

    waits = [e.waited for e in epochs if e.waited is not None]
    return EpochTimes(
        steps=epochs[-1].steps,
        calls=epochs[-1].calls,
        step=statistics.median(e.step for e in epochs),
        whole=mean(e.whole for e in epochs),
        in_steps=means([e.in_steps for e in epochs]),
        in_epoch=means([e.in_epoch for e in epochs]),
        validation=mean(e.validation for e in epochs),
        waited=mean(waits) if len(waits) == len(epochs) else None,
    )


def _waited(row: EpochRow, samples: int, spec: ElementSpec) -> float | None:
    if row.input_wait is None or not row.examples_per_second:
        return None
    return row.input_wait * min(samples, spec.splits["train"]) / row.examples_per_second


class Meter(keras.callbacks.Callback):
    """Times every callback of a training, and its epochs; it comes last.

    It asks for no batches itself, so that training is as it is without it.

    Args:
        folder: where Keras's own callbacks are to write.
        steps: how many steps an epoch has.
        done: how many steps count as trained before; averages that settle over an epoch have.
        validation: how many steps a validation has.
        seconds: how long the steps of an epoch may take, and a validation of many steps.
        between: called after each epoch that is a turn of its own; its time is not counted.
        clock: seconds, rising.
    """

    def __init__(
        self,
        folder: Path,
        steps: int,
        done: int,
        validation: int,
        seconds: float,
        between: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._folder, self._steps, self._done, self._clock = folder, steps, done, clock
        self.turns: list[list[EpochTimes]] = [[]]
        self._now = EpochTimes(steps)
        self._inside = 0  # a hook may call another one
        self._ended: dict[int, float] = {}  # when, by step, callbacks included
        self._began = self._test_began = self._test_hooks = 0.0
        self._loop_began, self._between = 0.0, between
        self._validation, self._validated, self._seconds = validation, validation, seconds
        if validation > _MANY:
            setattr(self, "on_test_batch_end", self._stop_validation)  # noqa: B010 (for some only)

    def set_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Time the hooks of callbacks that have some, from now on."""
        for callback in callbacks:
            for kind, place in _PLACES.items():
                if isinstance(callback, kind):
                    _move(callback, str(getattr(callback, place)), self._folder / "callbacks")
            for hook in (*_IN_STEPS, *_IN_EPOCHS):
                method = getattr(callback, hook)
                if callback is not self and not getattr(method, "_is_default", False):
                    setattr(callback, hook, self._timing(callback, hook, method))

    def _timing(
        self, callback: keras.callbacks.Callback, hook: str, method: Callable[..., None]
    ) -> Callable[..., None]:
        name = type(callback).__name__

        @functools.wraps(method)
        def timing(*args: Any, **kwargs: Any) -> None:
            began = self._clock()
            self._inside += 1
            try:
                method(*args, **kwargs)
            finally:
                self._inside -= 1
                now = self._clock()
                if not self._inside:
                    times = self._now.in_steps if hook in _IN_STEPS else self._now.in_epoch
                    times[name] += now - began
                    self._test_hooks += now - began if hook.startswith("on_test") else 0.0
                if hook == "on_epoch_end":  # it would be heard by the one that saves the state
                    self.model.stop_training = False
                if hook == "on_train_batch_end":
                    batch = min(int(args[0]), self._steps - 1)  # Keras may count past the end
                    self._ended[batch] = now
                    late = now - self._loop_began > self._seconds
                    self.model.stop_training |= late and batch + 1 >= _FEWEST

        return timing

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.model.optimizer.iterations.assign(self._done)
        self._began = self._clock()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._loop_began = self._clock()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._test_began, self._test_hooks = self._clock(), 0.0

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        taken = self._clock() - self._test_began - self._test_hooks
        self._now.validation = taken * self._validation / max(self._validated, 1)
        self._now.whole = self._now.validation - taken  # which was cut short

    def _stop_validation(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._validated = batch + 1
        if self._clock() - self._test_began > self._seconds:
            self.model.stop_evaluating = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        now, times = self._clock(), self._now
        times.whole += now - self._began
        first, last = min(self._ended, default=0), max(self._ended, default=0)
        times.calls = len(self._ended)
        if last > first:
            times.step = (self._ended[last] - self._ended[first]) / (last - first)
            times.steps = last + 1
        else:  # all steps were one call, or one step was all
            times.step = (self._ended.get(last, now) - self._loop_began) / self._steps
        turn = self.turns[-1]
        turn.append(times)
        if len(self.turns) == 1 or sum(one.whole for one in turn) >= self._seconds / 2:
            if len(turn) == 1:
                self._between()
            self.turns.append([])
        over = len(self.turns) > TURNS + 1
        if over:
            self.turns.pop()
        self._now, self._ended, self._began = EpochTimes(self._steps), {}, self._clock()
        self.model.stop_training = over


def _move(callback: keras.callbacks.Callback, place: str, folder: Path) -> None:
    """Let a callback write into a folder instead, whatever it has made of the place."""
    folder.mkdir(parents=True, exist_ok=True)
    own = str(folder / Path(place).name)
    for name, value in list(vars(callback).items()):
        if isinstance(value, str) and value.startswith(place):
            setattr(callback, name, own + value.removeprefix(place))
