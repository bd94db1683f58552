"""The functions that `fit` and `evaluate` call for each batch, and the time they wait for one.

Keras makes such functions itself. These differ in three things: the wait for the next batch is
measured; several steps in one call work under a strategy with several replicas, where Keras's own
loop fails (keras issue 19246); and the replicas' metrics are averaged by the strategy, which works
across workers too (keras issue 20585). `fit` uses a function that is already set, so nothing of
Keras is replaced.

The batch is fetched outside of the compiled step. A clock inside it is no way: TensorFlow has none
that works with deterministic operations.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfpipe.training.requests import Requests


class InputWait:
    """How long training has waited for its batches, in seconds, since it was last asked.

    Args:
        clock: seconds, rising.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds = 0.0

    def next(self, iterator: Iterator[Any]) -> Any:
        """The iterator's next batch."""
        began = self._clock()
        batch = next(iterator)
        self._seconds += self._clock() - began
        return batch

    def take(self) -> float:
        """The seconds since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


def set_functions(model: Any, wait: InputWait, requests: Requests) -> bool:
    """Give a compiled, built model its training function, and where it needs one a test function.

    Args:
        model: the model.
        wait: adds up the time spent waiting.
        requests: with several workers, added up over them in each call.

    Returns:
        Whether waiting is measured: not for a model that makes its own training function.
    """
    own = any(
        getattr(type(model), name, None) is not getattr(keras.Model, name, None)
        for name in ("make_train_function", "make_test_function", "_make_function")
    )
    if own or model.run_eagerly:
        return False
    model.train_function = _train_function(model, wait, requests)
    if model.distribute_strategy.num_replicas_in_sync > 1:
        model.test_function = _several(model, model.test_step, InputWait())
    return True


def _train_function(model: Any, wait: InputWait, requests: Requests) -> Callable[..., Any]:
    steps = _several(model, model.train_step, wait)
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


def _several(model: Any, step: Callable[[Any], Any], wait: InputWait) -> Callable[[Any], Any]:
    """A function that takes as many steps as one call should, or as there are batches left."""
    steps = _Steps(model, step)

    def function(batches: Any) -> Any:
        iterator, outputs = iter(batches), None
        take = steps.of(getattr(iterator, "element_spec", None))
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


class _Steps:
    """One step on every replica, each on its part of the batch, with the mean of what they give.

    A step is compiled for what the data set says its batches are, never for the batch that happens
    to come first: a run that is resumed at a last, smaller batch would compute with another graph,
    and its last digits would differ.

    Args:
        model: the model.
        step: its train_step or test_step.
    """

    def __init__(self, model: Any, step: Callable[[Any], Any]) -> None:
        self._model = model
        self._step = step
        self._compiled: dict[str, Callable[[Any], Any]] = {}

    def of(self, element_spec: Any) -> Callable[[Any], Any]:
        """The compiled step for batches of a spec; of whatever comes when there is none."""
        key = str(element_spec)
        if key not in self._compiled:
            self._compiled[key] = self._compile(None if element_spec is None else [element_spec])
        return self._compiled[key]

    def _compile(self, signature: list[Any] | None) -> Callable[[Any], Any]:
        strategy = self._model.distribute_strategy

        def one_step(batch: Any) -> Any:
            return strategy.run(self._step, args=(batch,))

        compiled = tf.function(
            one_step,
            input_signature=signature,
            jit_compile=self._model.jit_compile,
            autograph=False,
        )
        if strategy.num_replicas_in_sync == 1:
            return compiled

        @tf.function(input_signature=signature, autograph=False)
        def reduced(batch: Any) -> Any:
            outputs = compiled(batch)
            return keras.tree.map_structure(
                lambda value: strategy.reduce("MEAN", value, axis=None), outputs
            )

        return reduced
