"""Training steps on real batches: how long they wait for one, and a trace of some of them."""

import itertools
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpipe.evaluation.profile.step import TURNS, Piece
from tfpipe.terminal import Silent
from tfpipe.training.callbacks.profile import profiled
from tfpipe.training.steps import InputWait

_FIRST = 4  # batches that were made beforehand


@dataclass(frozen=True)
class InputTimes:
    """What the input takes for a batch, in seconds.

    Args:
        wait: of a training step for the next batch.
        alone: from a batch to the next when nothing is trained.
        step: of a training step while the input works beside it, without the wait.
    """

    wait: float
    alone: float
    step: float


def endless(strategy: tf.distribute.Strategy, batches: tf.data.Dataset) -> Any:
    """Return batches without end as training gets them, each replica its part."""
    batches = batches.repeat()
    if strategy.num_replicas_in_sync > 1:
        batches = strategy.experimental_distribute_dataset(batches)
    return iter(batches)


def input_times(
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset, step: Piece, steps: int
) -> InputTimes:
    """Train on real batches, and read them without training, in turns.

    Args:
        strategy: what training runs under.
        batches: of the training split.
        step: trains on a batch.
        steps: how many in a turn.
    """
    iterator, clock = endless(strategy, batches), InputWait()
    for batch in itertools.islice(iterator, _FIRST):
        step(batch)
    turns: list[tuple[float, float, float]] = []
    for _ in range(TURNS):
        clock.take()
        began = time.perf_counter()
        for _ in range(steps):
            step(clock.next(iterator))
        elapsed, wait = time.perf_counter() - began, clock.take()
        for _ in itertools.islice(iterator, _FIRST):
            pass
        began = time.perf_counter()
        for _ in itertools.islice(iterator, steps):
            pass
        alone = time.perf_counter() - began
        turns.append((wait / steps, alone / steps, (elapsed - wait) / steps))
    return InputTimes(*(statistics.median(column) for column in zip(*turns, strict=True)))


def trace(
    strategy: tf.distribute.Strategy,
    batches: tf.data.Dataset,
    step: Piece,
    steps: int,
    folder: Path,
) -> Path:
    """Write a trace of some training steps on real batches; return its file.

    TensorFlow leaves out operations that it has found to be short, in a few dozen calls.

    Args:
        strategy: what training runs under.
        batches: of the training split.
        step: trains on a batch; it should be a new one.
        steps: how many to trace.
        folder: the folder that TensorBoard is to be given.
    """
    iterator = endless(strategy, batches)
    for batch in itertools.islice(iterator, _FIRST):
        step(batch)
    with profiled(folder, (1, steps), Silent()) as [profile]:
        profile.set_params({"steps": steps})
        profile.on_epoch_begin(0)
        for number in range(steps):
            profile.on_train_batch_begin(number)
            step(next(iterator))
            profile.on_train_batch_end(number)
    (file,) = folder.glob("plugins/profile/*/*.xplane.pb")
    return file
