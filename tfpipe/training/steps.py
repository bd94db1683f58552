"""A model's steps: for a batch that is waited for, and many in one call over rows in memory.

Keras makes such functions itself. These differ in three things: the wait for the next batch is
measured; several steps in one call work under a strategy with several replicas, where Keras's own
loop fails (keras issue 19246); and the replicas' metrics are averaged by the strategy, which works
across workers too (keras issue 20585). `evaluate` uses a function that is already set, so nothing
of Keras is replaced.

A batch that is waited for is fetched outside of the compiled step. A clock inside it is no way:
TensorFlow has none that works with deterministic operations.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from tfpipe.data.input_fn import RowsInMemory, own_rows
from tfpipe.devices.cluster.strategy import is_multi_worker
from tfpipe.training.requests import Requests

# Optimised together with what calls it, a step would be another graph in each place.
_APART = {"_noinline": True}


class InputWait:
    """How long training has waited for its batches, in seconds, since it was last asked.

    Args:
        clock: seconds, rising.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds: float | None = None

    def next(self, iterator: Iterator[Any]) -> Any:
        """The iterator's next batch."""
        began = self._clock()
        batch = next(iterator)
        self._seconds = (self._seconds or 0.0) + self._clock() - began
        return batch

    def take(self) -> float | None:
        """The seconds since the last call; None where no batch was waited for."""
        seconds, self._seconds = self._seconds, None
        return seconds


@dataclass(frozen=True)
class Functions:
    """A model's steps, which its functions for batches and for rows in memory share.

    Args:
        train: the training step.
        test: the step of an evaluation.
    """

    train: "Steps"
    test: "Steps"


def set_functions(model: keras.Model, wait: InputWait, requests: Requests) -> Functions | None:
    """Give a compiled, built model its training and its test function.

    Args:
        model: the model.
        wait: adds up the time spent waiting.
        requests: with several workers, added up over them in each call.

    Returns:
        The steps; None for a model that makes its own functions, whose waiting is not measured.
    """
    names = ("make_train_function", "make_test_function", "_make_function")
    own = any(getattr(type(model), n, None) is not getattr(keras.Model, n, None) for n in names)
    if own or model.run_eagerly:
        return None
    steps = Functions(Steps(model, model.train_step), Steps(model, model.test_step))
    model.train_function = _train_function(model, steps.train, wait, requests)
    model.test_function = _several(model, steps.test, InputWait())
    return steps


def _train_function(
    model: keras.Model, step: "Steps", wait: InputWait, requests: Requests
) -> Callable[..., Any]:
    steps = _several(model, step, wait)
    if not requests.together:
        return steps
    strategy = model.distribute_strategy

    @tf.function(autograph=False)
    def add_up(total: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(lambda: tf.identity(total)), axis=None)

    def function(iterator: Any) -> Any:
        total = add_up(tf.constant(requests.ask()))
        outputs = steps(iterator)
        requests.hear(*total.numpy())
        return outputs

    return function


def _several(model: keras.Model, steps: "Steps", wait: InputWait) -> Callable[[Any], Any]:
    """A function that takes as many steps as one call should, or as there are batches left."""

    def function(batches: Any) -> Any:
        iterator, outputs = iter(batches), None
        take = steps.alone(getattr(iterator, "element_spec", None))
        for _ in range(model.steps_per_execution):
            try:
                batch = wait.next(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                break
            outputs = take(batch)
        if outputs is None:
            raise StopIteration
        return outputs

    return function


class Steps:
    """One step on every replica, each on its part of the batch, with the mean of what they give.

    A step is compiled for what the data set says its batches are, never for the batch that happens
    to come first: a run that is resumed at a last, smaller batch would compute with another graph,
    and its last digits would differ. For the same reason it is never made one with what calls it.

    Args:
        model: the model.
        step: its train_step or test_step.
    """

    def __init__(self, model: keras.Model, step: Callable[[Any], Any]) -> None:
        self._model = model
        self._step = step
        self._compiled: dict[str, Callable[[Any], Any]] = {}
        self._alone: dict[str, Callable[[Any], Any]] = {}

    def of(self, element_spec: Any) -> Callable[[Any], Any]:
        """The compiled step for batches of a spec; of whatever comes when there is none."""
        key = str(element_spec)
        if key not in self._compiled:
            self._compiled[key] = self._compile(None if element_spec is None else [element_spec])
        return self._compiled[key]

    def alone(self, element_spec: Any) -> Callable[[Any], Any]:
        """The compiled step for one batch of a spec, in a loop of one, as others are in a loop.

        Several workers, and batches of which nothing is known, have no loop to be equal to.
        """
        if element_spec is None or is_multi_worker(self._model.distribute_strategy):
            return self.of(element_spec)
        key = str(element_spec)
        if key not in self._alone:
            step, first = self.of(element_spec), tf.constant(0, tf.int64)
            self._alone[key] = tf.function(
                lambda batch: _loop(step, lambda _: batch, first, 1),
                input_signature=[element_spec],
                autograph=False,
            )
        return self._alone[key]

    def _compile(self, signature: list[Any] | None) -> Callable[[Any], Any]:
        strategy = self._model.distribute_strategy

        def one_step(batch: Any) -> Any:
            return strategy.run(self._step, args=(batch,))

        compiled = tf.function(
            one_step,
            input_signature=signature,
            jit_compile=self._model.jit_compile,
            autograph=False,
            experimental_attributes=_APART,
        )
        if strategy.num_replicas_in_sync == 1:
            return compiled

        @tf.function(input_signature=signature, autograph=False, experimental_attributes=_APART)
        def reduced(batch: Any) -> Any:
            outputs = compiled(batch)
            return keras.tree.map_structure(
                lambda value: strategy.reduce("MEAN", value, axis=None), outputs
            )

        return reduced


def _loop(
    step: Any, batch: Callable[[tf.Tensor], Any], first: tf.Tensor, count: tf.Tensor | int
) -> Any:
    """Take some steps, as TensorFlow's operations; return what the last of them gives.

    What a step gives is handed on by each: TensorFlow computes a step of which it is not wanted in
    another way, and the last digits differ.
    """
    outputs = step.get_concrete_function().structured_outputs
    nothing = tf.nest.map_structure(
        lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), outputs
    )
    shapes = tf.nest.map_structure(lambda spec: spec.shape, outputs)
    return tf.while_loop(
        lambda number, _: number < first + count,
        lambda number, _: (number + 1, step(batch(number))),
        [first, nothing],
        shape_invariants=[first.shape, shapes],
        parallel_iterations=1,
    )[1]


class RowSteps:
    """Steps over rows in memory, as many as asked for in one compiled call.

    The batches are gathered and augmented inside of it, and are those of `input_fn`; the step is
    the same function that is called for a single batch, so that the numbers are the same too.

    Args:
        model: the model.
        steps: its training or its test step.
        rows: the split.
        weigh: adds the class weights to a batch; None without any.
        element_spec: of the batches that the data set of these rows gives.
    """

    def __init__(
        self,
        model: keras.Model,
        steps: Steps,
        rows: RowsInMemory,
        weigh: Callable[..., Any] | None,
        element_spec: Any,
    ) -> None:
        self._rows, self._weigh = rows, weigh
        self._strategy = model.distribute_strategy
        self._step = steps.of(element_spec)
        signature = [tf.TensorSpec(shape, tf.int64) for shape in ([None], [], [2], [], [])]
        self._steps = tf.function(self._take, input_signature=signature, autograph=False)
        self._epoch: tuple[int, tuple[tf.Tensor, ...]] | None = None

    @property
    def count(self) -> int:
        """How many steps an epoch has."""
        options = self._rows.options
        return -(-options.samples(self._rows.memory.size) // options.batch_size)

    def taking(self, epoch: int, first: int, count: int) -> Callable[[], Any]:
        """What takes some steps of an epoch, and returns what the last of them gives."""
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = epoch, self._rows.epoch(epoch)
        place = tf.constant(first, tf.int64), tf.constant(count, tf.int64)
        return partial(self._steps, *self._epoch[1], *place)

    def _take(
        self,
        order: tf.Tensor,
        before: tf.Tensor,
        seed: tf.Tensor,
        first: tf.Tensor,
        count: tf.Tensor,
    ) -> Any:
        size, replicas = self._rows.options.batch_size, self._strategy.num_replicas_in_sync

        def batch(number: tf.Tensor) -> Any:
            begin = number * size
            end = tf.minimum(begin + size, tf.size(order, tf.int64))

            def part() -> Any:
                """A replica's part of the batch."""
                context = tf.distribute.get_replica_context()
                assert context is not None
                replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
                start, stop = own_rows(end - begin, (replica, replicas))
                rows = order[begin + start : begin + stop]
                with tf.device("CPU"):
                    parts = self._rows.batch(rows, before + begin + start, seed)
                return parts if self._weigh is None else self._weigh(*parts)

            return self._strategy.run(part)

        return _loop(self._step, batch, first, count)
