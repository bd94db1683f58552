"""Training steps on real batches: how long they wait for one, and a trace of some of them."""

import itertools
import statistics
import time
from collections.abc import Callable
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
        step: of a training step while the input works beside it, without the wait; the least.
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
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset, step: Piece, seconds: float
) -> InputTimes:
    """Train on real batches, and then read them without training, in some turns.

    Args:
        strategy: what training runs under.
        batches: of the training split.
        step: trains on a batch.
        seconds: how long to do either.
    """
    clock = InputWait()

    def turns(use: Callable[[Any], None]) -> list[tuple[float, float]]:
        """Seconds of a batch, and of them those of waiting for it, in each turn."""
        iterator, taken = endless(strategy, batches), []
        for turn in range(TURNS + 1):
            clock.take()
            began, count = time.perf_counter(), 0
            while (elapsed := time.perf_counter() - began) < seconds / TURNS or count < _FIRST:
                use(clock.next(iterator))
                count += 1
            if turn:  # in the first one there are batches that were made beforehand
                taken.append((elapsed / count, (clock.take() or 0.0) / count))
        return taken

    trained, read = turns(step), turns(lambda batch: None)
    return InputTimes(
        statistics.median(wait for _, wait in trained),
        statistics.median(each for each, _ in read),
        min(each - wait for each, wait in trained),
    )


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
