"""The stages of a tf.data pipeline: taken apart, timed one by one, and put together otherwise."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

_NAMES = {
    "Batch": "batch",
    "Cache": "cache",
    "Filter": "filter",
    "FlatMap": "read",
    "Generator": "read",
    "Interleave": "read",
    "Map": "map",
    "PaddedBatch": "batch",
    "ParallelBatch": "batch",
    "ParallelInterleave": "read",
    "ParallelMap": "map",
    "Prefetch": "prefetch",
    "Repeat": "repeat",
    "Shuffle": "shuffle",
    "Take": "take",
}
_WHOLE = 30  # times as long as a stage is looked at, for a pass that fills a cache
_PASSED_OVER = ("Options", "Model", "AutoShard")


@dataclass(frozen=True)
class Stage:
    """A stage, with everything before it.

    Args:
        name: what it does, such as "map: resize".
        dataset: what comes out of it.
        batched: whether that are batches.
        cold: examples in a second the first time.
        warm: examples in a second the next time.
    """

    name: str
    dataset: Any
    batched: bool
    cold: float = 0.0
    warm: float = 0.0


def stages_of(dataset: Any) -> list[Stage]:
    """Return the stages of a dataset of batches, from the source on."""
    chain: list[Any] = []
    while dataset is not None:
        if _kind(dataset) not in _PASSED_OVER:
            chain.insert(0, dataset)
        dataset = getattr(dataset, "_input_dataset", None)
    batching = [place for place, one in enumerate(chain) if "Batch" in _kind(one)]
    first = batching[0] if batching else 0  # a source may give batches
    return [Stage(_name(one, i), one, i >= first) for i, one in enumerate(chain)]


def _kind(dataset: Any) -> str:
    return type(dataset).__name__.strip("_").removesuffix("Dataset").removesuffix("V2")


def _name(dataset: Any, place: int) -> str:
    """What a stage does, with the name of a function that is mapped."""
    kind = _kind(dataset)
    name = _NAMES.get(kind, "read" if not place else kind.lower())
    function = getattr(getattr(dataset, "_map_func", None), "_func", None)
    called = getattr(function, "__name__", "")
    return f"{name}: {called}" if name == "map" and called else name


def rate(dataset: Any, batched: bool, seconds: float, passes: int | None = None) -> float:
    """Return how many examples come out of a dataset in a second.

    Args:
        dataset: whatever its elements are.
        batched: whether an element is a batch of examples.
        seconds: how long to look at it.
        passes: how often to go through it at the most; None for as often as there is time.
    """
    count, began = 0, time.perf_counter()
    for _ in itertools.count() if passes is None else range(passes):
        for element in dataset:
            first = tf.nest.flatten(element)[0]
            count += int(first.shape[0]) if batched and first.shape.rank else 1
            if time.perf_counter() - began > seconds:
                break
        if time.perf_counter() - began > seconds:
            break
    return count / max(time.perf_counter() - began, 1e-9)


def timed(stages: Sequence[Stage], seconds: float) -> Iterator[Stage]:
    """Yield stages with their rates, twice each: the first time, and again.

    Args:
        stages: from the source on.
        seconds: how long to look at each.
    """
    kept = False
    for stage in stages:
        # A cache is filled by a whole pass.
        kept = kept or stage.name == "cache"
        cold = rate(stage.dataset, stage.batched, seconds * (_WHOLE if kept else 1), 1)
        warm = rate(stage.dataset, stage.batched, seconds)
        yield Stage(stage.name, stage.dataset, stage.batched, cold, warm)


def costs(stages: Sequence[Stage]) -> list[float]:
    """Return the seconds that each stage adds to an example, when warm."""
    found, before = [], 0.0
    for stage in stages:
        each = 1 / stage.warm if stage.warm else float("inf")
        found.append(max(each - before, 0.0))
        before = each
    return found


def changed(
    stages: Sequence[Stage], place: int, change: Callable[[Any], Any]
) -> tf.data.Dataset | None:
    """Return the pipeline with one stage replaced, and the rest as it was.

    Args:
        stages: from the source on.
        place: which stage.
        change: makes the new stage of the dataset that it is.

    Returns:
        None where a stage behind it cannot be put together again.
    """
    dataset = change(stages[place].dataset)
    for stage in stages[place + 1 :]:
        again = _again(stage.dataset, dataset)
        if again is None:
            return None
        dataset = again
    return dataset


def in_parallel(dataset: Any) -> tf.data.Dataset:
    """Return a map whose function runs for several elements at a time."""
    function = dataset._map_func._func
    return dataset._input_dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE)


def _again(dataset: Any, source: tf.data.Dataset) -> tf.data.Dataset | None:
    """Return what a dataset does, on another source; None for what is not known."""
    kind = _kind(dataset)
    if kind in ("Map", "ParallelMap"):
        parallel = tf.data.AUTOTUNE if kind == "ParallelMap" else None
        return source.map(dataset._map_func._func, num_parallel_calls=parallel)
    if kind in ("Batch", "ParallelBatch"):
        whole = bool(tf.get_static_value(dataset._drop_remainder))
        return source.batch(int(dataset._batch_size), drop_remainder=whole)
    if kind == "Shuffle":
        return source.shuffle(int(dataset._buffer_size))
    if kind == "Prefetch":
        return source.prefetch(int(dataset._buffer_size))
    if kind == "Cache":
        return source.cache()
    if kind == "Repeat":
        return source.repeat(int(dataset._count))
    if kind == "Take":
        return source.take(int(dataset._count))
    return None
