"""What may be faster: each change is made, measured in turns with what is, and compared."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.profile.input import endless
from tfpipe.evaluation.profile.step import Piece, timed
from tfpipe.training.compile import Compiled, build_state, compile_model
from tfpipe.training.datasets import dataset


@dataclass(frozen=True)
class Attempt:
    """A change that was made, and what it gave.

    Args:
        change: what to write.
        before: milliseconds for as many examples as a step has now.
        after: with the change.
        remark: what else it changes; empty for nothing.
    """

    change: str
    before: float
    after: float
    remark: str = ""

    @property
    def factor(self) -> float:
        """How many times as fast it is."""
        return self.before / self.after


@dataclass(frozen=True)
class Now:
    """What is trained now, on a batch in memory.

    Args:
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        compiled: the model.
        step: trains on a batch.
        batch: as training gets it.
        element_spec: what the data says of its batches.
        seconds: how long to look at each change.
    """

    pipeline: Pipeline
    spec: ElementSpec
    compiled: Compiled
    step: Piece
    batch: Any
    element_spec: Any
    seconds: float

    @property
    def strategy(self) -> tf.distribute.Strategy:
        """What it runs under."""
        return self.compiled.model.distribute_strategy


def another_precision(now: Now, precision: str) -> Attempt:
    """Train in another precision, on a new model.

    Args:
        now: what is trained now.
        precision: "float32", "bfloat16" or "float16".
    """
    model = rebuilt(now, now.pipeline, precision).model
    other = Piece(model, model.train_step, now.element_spec)
    times = timed(
        {"now": partial(now.step, now.batch), "other": partial(other, now.batch)}, now.seconds
    )
    change = f"precision={precision}"
    return Attempt(change, 1e3 * times["now"], 1e3 * times["other"], "which rounds otherwise")


def twice_the_batch(now: Now) -> Attempt | None:
    """Train on batches twice as large; None where there are no such batches."""
    size = 2 * now.pipeline.batch_size
    if size > now.spec.splits["train"]:
        return None
    larger = endless(now.strategy, dataset(now.pipeline.replace(batch_size=size), "train"))
    batch = next(larger)
    if now.strategy.num_replicas_in_sync == 1 and len(tf.nest.flatten(batch)[0]) != size:
        return None  # an input_fn that decides itself
    model = now.compiled.model
    other = Piece(model, model.train_step, larger.element_spec)
    times = timed(
        {"now": partial(now.step, now.batch), "other": partial(other, batch)}, now.seconds
    )
    remark = "which is another training, and may need another learning rate"
    return Attempt(f"batch_size={size}", 1e3 * times["now"], 1e3 * times["other"] / 2, remark)


def rebuilt(now: Now, pipeline: Pipeline, precision: str) -> Compiled:
    """Return a new model of a pipeline, ready to train, in a precision.

    Args:
        now: what is trained now.
        pipeline: the declaration, changed.
        precision: the type of its arithmetic.
    """
    policy = keras.config.dtype_policy()
    try:
        compiled = compile_model(
            pipeline, now.spec, now.strategy, precision, now.compiled.jit_compile
        )
        build_state(compiled.model, dataset(pipeline, "train"))
    finally:
        keras.config.set_dtype_policy(policy)
    return compiled
