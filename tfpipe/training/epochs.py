"""One epoch: its steps, one or many in a call, and its validation.

Keras's `fit` is one way to go through an epoch; this is another, with the same callbacks in the
same order, that may begin anywhere in an epoch and change how many steps are one call. That is
chosen by measuring: many short steps over rows in memory are one compiled function, and longer ones
get batches that tf.data makes while others are trained on. The numbers are the same.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfpipe.declare.pipeline import Pipeline
from tfpipe.devices.cluster.strategy import is_multi_worker
from tfpipe.training.datasets import dataset, distributed, rows_in_memory
from tfpipe.training.position import Position
from tfpipe.training.steps import Functions, RowSteps, Steps
from tfpipe.training.weights import weighing

SHORT = 0.01  # seconds; a longer step gains less than a twentieth by sharing a call
_LONGEST_CALL = 0.5  # seconds that a stop, a state and the display may have to wait
_MEASURED = 4  # calls, the first of which makes the function

_HOOKS = (
    *("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    *("on_test_batch_begin", "on_test_batch_end"),
)
_BY_FREQUENCY = (
    keras.callbacks.BackupAndRestore,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.TensorBoard,
)


class Grouping:
    """How many steps are one call.

    Args:
        declared: a number, or "auto".
        one_by_one: whether a callback asks for each batch, so that "auto" means 1.
        every: a state is saved every so many steps, after a call; None where the clock says.
        tell: told of how many steps are one call, and the seconds of one, when "auto" finds it.
        clock: seconds, rising.
    """

    def __init__(
        self,
        declared: int | str,
        one_by_one: bool,
        every: int | None,
        tell: Callable[[int, float], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._fixed = declared if isinstance(declared, int) else 1 if one_by_one else None
        self._every, self._tell, self._clock = every, tell, clock
        self._calls, self._seconds = 0, float("inf")

    @property
    def together(self) -> bool:
        """Whether a call of several steps gains something, as far as is known."""
        if self._fixed is not None:
            return self._fixed > 1
        return self._calls < _MEASURED or self._seconds < SHORT

    def size(self, steps: int) -> int:
        """Return how many steps of so many the next call takes."""
        if self._fixed is not None:
            return min(self._fixed, steps)
        most = max(1, int(_LONGEST_CALL / self._seconds)) if self._calls >= _MEASURED else 1
        return min(most, steps)

    def until_saved(self, step: int, size: int) -> int:
        """Return how many of so many steps there are until the state is saved."""
        return size if self._every is None else min(size, self._every - step % self._every)

    def timed(self, steps: int, call: Callable[[], Any]) -> dict[str, Any]:
        """Return what a call of so many steps gives, as numbers; learn how long it takes."""
        began = self._clock()
        logs: dict[str, Any] = keras.tree.map_structure(keras.ops.convert_to_numpy, call())
        seconds = (self._clock() - began) / steps
        self._calls += 1
        if self._calls > 1:
            self._seconds = min(seconds, self._seconds)
        return logs

    def settle(self, steps: int) -> None:
        """Tell, once it is known, how many steps of an epoch of so many are one call."""
        if self._fixed is None and self._calls >= _MEASURED and self.together:
            self._tell(self.size(steps), self._seconds)
            self._tell = lambda steps, seconds: None


class Epochs:
    """Trains the epochs of a compiled model.

    Args:
        pipeline: the declaration, its ranges resolved.
        model: the compiled model.
        functions: its steps; None where it makes its own functions.
        position: where training is; the callbacks keep it up to date.
        callbacks: told of everything, as by `fit`.
        validated: whether there is a validation split.
        grouping: how many steps are one call.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        model: keras.Model,
        functions: Functions | None,
        position: Position,
        callbacks: keras.callbacks.CallbackList,
        validated: bool,
        grouping: Grouping,
    ) -> None:
        self._pipeline, self._model, self._position = pipeline, model, position
        self._callbacks, self._grouping = callbacks, grouping
        self._validation: Any = None
        if validated:
            self._validation = distributed(pipeline, "validation", model.distribute_strategy)
        self.compiled(functions)

    def compiled(self, functions: Functions | None) -> None:
        """Take note that the model is compiled anew, and has other steps."""
        self._steps = self._test_steps = None
        self._reset = self._model.reset_metrics
        if self._plain and all(map(_is_kerass, self._model.metrics)):
            self._reset = tf.function(self._model.reset_metrics, autograph=False)
        if functions is not None:
            self._steps = self._row_steps("train", functions.train)
            if self._validation is not None:
                self._test_steps = self._row_steps("validation", functions.test)

    def run(self) -> None:
        """Train an epoch, or what is left of it."""
        model, epoch = self._model, self._position.epoch
        self._reset()
        self._callbacks.on_epoch_begin(epoch)
        logs: dict[str, Any] = {}
        for logs in self._train():  # noqa: B007 (the last)
            if model.stop_training:
                break
        logs = dict(self._measured(logs))
        if self._validation is not None:
            logs |= {f"val_{name}": value for name, value in self._validate().items()}
        self._callbacks.on_epoch_end(epoch, logs)

    @property
    def _plain(self) -> bool:
        """Whether what a step gives is what the metrics hold, on the one replica that there is."""
        model = self._model
        own = (getattr(type(model), name) for name in ("train_step", "test_step", "reset_metrics"))
        keras_own = (keras.Model.train_step, keras.Model.test_step, keras.Model.reset_metrics)
        one = model.distribute_strategy.num_replicas_in_sync == 1
        return bool(one and tuple(own) == keras_own)

    def _measured(self, logs: dict[str, Any]) -> dict[str, Any]:
        """The metrics after the last step, which Keras would compute once more."""
        if logs and self._plain:
            return logs
        found: dict[str, Any] = self._model._get_metrics_result_or_logs(logs)
        return found

    def _row_steps(self, split: str, steps: Steps) -> RowSteps | None:
        """Return steps over a split's rows, where they are in memory and one process trains."""
        model, strategy = self._model, self._model.distribute_strategy
        rows = rows_in_memory(self._pipeline, split)
        if rows is None or is_multi_worker(strategy):
            return None
        weigh = weighing(self._pipeline) if split == "train" else None
        batches = strategy.experimental_distribute_dataset(dataset(self._pipeline, split))
        return RowSteps(model, steps, rows, weigh, batches.element_spec)

    def _train(self) -> Iterator[dict[str, Any]]:
        """Take the steps that are left of the epoch; yield what each call gives."""
        position, grouping, model = self._position, self._grouping, self._model
        while self._steps is not None and grouping.together and position.left():
            begin = position.step
            count = grouping.until_saved(begin, grouping.size(position.left()))
            self._callbacks.on_train_batch_begin(begin - position.first_step)
            take = self._steps.taking(position.epoch, begin, count)
            logs = grouping.timed(count, take)
            self._callbacks.on_train_batch_end(begin - position.first_step + count - 1, logs)
            grouping.settle(position.steps)
            yield logs
        if not position.left():
            return
        place = position.epoch, position.step
        batches = distributed(self._pipeline, "train", model.distribute_strategy, *place)
        iterator, cardinality = iter(batches), batches.cardinality
        model.make_train_function()
        done, count = position.step - position.first_step, model.steps_per_execution
        known = int(cardinality() if callable(cardinality) else cardinality) > 0
        while position.left() or not known:
            self._callbacks.on_train_batch_begin(done)
            try:
                logs = model.train_function(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                return
            self._callbacks.on_train_batch_end(done + count - 1, logs)
            done += count
            yield logs

    def _validate(self) -> dict[str, float]:
        model, callbacks, steps = self._model, self._callbacks, self._test_steps
        if steps is None or not self._grouping.together:
            found: dict[str, float] = model.evaluate(
                self._validation, callbacks=callbacks, verbose=0, return_dict=True
            )
            return found
        callbacks.on_test_begin()
        self._reset()
        model.stop_evaluating = False
        begin, logs = 0, {}
        while begin < steps.count and not model.stop_evaluating:
            count = self._grouping.size(steps.count - begin)
            callbacks.on_test_batch_begin(begin)
            logs = steps.taking(0, begin, count)()
            begin += count
            callbacks.on_test_batch_end(begin - 1, logs)
        found = {name: float(value) for name, value in self._measured(logs).items()}
        callbacks.on_test_end(found)
        return found


def _is_kerass(metric: keras.metrics.Metric) -> bool:
    """Whether a metric, and those in it, are Keras's own, which reset nothing but variables."""
    inner = getattr(metric, "metrics", ())
    return type(metric).__module__.startswith("keras.") and all(map(_is_kerass, inner))


def asks_for_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback wants to be called for each batch."""
    if isinstance(callback, keras.callbacks.TerminateOnNaN):
        return False
    frequency = getattr(callback, "save_freq", getattr(callback, "update_freq", None))
    traced = getattr(callback, "_should_trace", False)  # by TensorBoard
    by_epoch = isinstance(callback, _BY_FREQUENCY) and frequency == "epoch" and not traced
    if by_epoch or getattr(callback, "takes_calls", False):  # of several steps, and knows it
        return False
    plain = keras.callbacks.Callback
    hooks = ((name, getattr(callback, name, None)) for name in _HOOKS)
    return any(h and getattr(h, "__func__", h) is not getattr(plain, n) for n, h in hooks)
