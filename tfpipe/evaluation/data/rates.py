"""How fast samples come: of a whole pass, its start included, found from a few seconds of it."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

# One by one, Python takes about 50,000 elements in a second, and would be what is measured.
_AT_ONCE, _MANY = 256, 2000


def pace(
    steps: Callable[[], Iterable[int]], seconds: float, size: int, *, once: bool = False
) -> float:
    """Return how many samples come in a second of a whole pass, its start included.

    A pass that takes longer than there is time is looked at from its first samples on, and the time
    that the others would take is added. One that takes less is repeated.

    Args:
        steps: begins a pass, which yields how many samples have come.
        seconds: how long to look, after the first samples.
        size: how many samples a pass has.
        once: whether to go through it once at the most.
    """
    total, began = 0, time.perf_counter()
    while True:
        here, first, after = 0, 0, time.perf_counter()
        start = after
        for count in steps():
            now = time.perf_counter()
            if not first:
                first, after = count, now
            here += count
            if now - after > seconds and here > first:
                break
        else:
            total += here
            elapsed = time.perf_counter() - began
            if once or not here or elapsed > seconds:
                return total / max(elapsed, 1e-9)
            continue
        steady = (here - first) / (now - after)
        return size / (after - start + max(size - first, 0) / steady)


def best_pace(steps: Callable[[], Iterable[int]], seconds: float, size: int) -> float:
    """Return the faster of two passes: what else the machine does only makes one slower.

    Args:
        steps: as for `pace`.
        seconds: how long to look, at both together.
        size: how many samples a pass has.
    """
    return max(pace(steps, seconds / 2, size) for _ in range(2))


def elements(
    dataset: tf.data.Dataset, batched: bool, seconds: float
) -> Callable[[], Iterator[int]]:
    """Return what goes through a dataset and yields how many samples have come.

    Args:
        dataset: whatever its elements are.
        batched: whether an element is a batch.
        seconds: how long it may take to find out whether it is fast.
    """

    def batches() -> Iterator[int]:
        for element in dataset:
            yield int(tf.nest.flatten(element)[0].shape[0])

    def singly() -> Iterator[int]:
        for _ in dataset:
            yield 1

    if batched:
        return batches
    if pace(singly, seconds / 4, _MANY, once=True) < _MANY:
        return singly
    windows = dataset.window(_AT_ONCE)

    def together() -> Iterator[int]:
        for window in windows:
            yield int(tf.nest.flatten(window)[0].cardinality())

    return together


def evict(paths: Iterable[Path]) -> bool:
    """Ask the operating system to forget what it holds of files; return whether it can be asked."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    return True


def training_rate(model: Any, batch: Any, seconds: float) -> float:
    """Return how many samples a second a compiled model is trained on, from a batch in memory.

    Args:
        model: a compiled keras.Model whose variables are made; it is trained.
        batch: as training gets it.
        seconds: how long to train.
    """
    endless = tf.data.Dataset.from_tensors(batch).repeat()
    size = len(tf.nest.flatten(batch)[0])
    return training_steps(model, endless, seconds)[0] * size


def training_steps(
    model: Any, batches: tf.data.Dataset, seconds: float
) -> tuple[float, float | None]:
    """Train for some seconds; return the steps in a second, and the share of time spent waiting.

    Args:
        model: a compiled keras.Model whose variables are made; it is trained.
        batches: endless.
        seconds: how long to train, after a few steps that do not count.

    Returns:
        The second is None for a model that makes its own training function.
    """
    from tfpipe.training.requests import Requests
    from tfpipe.training.steps import InputWait, set_functions

    wait = InputWait()
    measured = set_functions(model, wait, Requests(lambda: False))
    function = (
        model.train_function if measured is not None else model.make_train_function(force=True)
    )
    iterator = iter(batches)
    for _ in range(3):
        function(iterator)
    wait.take()
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        tf.nest.map_structure(lambda value: value.numpy(), function(iterator))
        steps += 1
    elapsed = time.perf_counter() - began
    return model.steps_per_execution * steps / elapsed, (
        wait.take() or 0.0
    ) / elapsed if measured is not None else None
