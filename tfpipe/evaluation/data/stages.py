"""The stages of an input pipeline: taken apart, measured one by one, and put together otherwise."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfpipe.evaluation.data.rates import best_pace, elements, pace

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
    "Unbatch": "unbatch",
}
DECLARED = "super().input_fn"
_PASSED_OVER = ("Options", "Model", "AutoShard", "AssertCardinality")
# How many times as much as can be looked at is put into a cache, to measure what it gives.
_FILLED = 4
Change = Callable[[tf.data.Dataset], tf.data.Dataset]


@dataclass(frozen=True)
class Stage:
    """A stage, with everything before it.

    Args:
        name: what it does, such as "map: resize".
        dataset: what comes out of it; None for a step of reading that happens once.
        batched: whether that are batches.
        cold: samples in a second of the first epoch; None where that is not known.
        warm: samples in a second of the next one; None for what does not happen again.
    """

    name: str
    dataset: Any
    batched: bool
    cold: float | None = None
    warm: float | None = None


def stages_of(dataset: tf.data.Dataset) -> list[Stage]:
    """Return the stages of a dataset of batches, from the source on."""
    chain: list[tf.data.Dataset] = []
    while dataset is not None:
        if kind_of(dataset) not in _PASSED_OVER:
            chain.insert(0, dataset)
        dataset = getattr(dataset, "_input_dataset", None)
    batched = True
    flags: list[bool] = []
    for one in reversed(chain):
        flags.insert(0, batched)
        kind = kind_of(one)
        if "Batch" in kind or kind == "Unbatch":
            batched = kind == "Unbatch"
    if not any("Batch" in kind_of(one) for one in chain):  # the source gives batches
        flags = [True] * len(chain)
    stages = [Stage(_name(one, place), one, flags[place]) for place, one in enumerate(chain)]
    # A generator is several datasets, of which the last one has the samples.
    while [stage.name for stage in stages[:2]] == ["read", "read"]:
        stages.pop(0)
    return stages


def kind_of(dataset: tf.data.Dataset) -> str:
    """Return what a dataset is: "Map", "ParallelMap", "Batch"."""
    return type(dataset).__name__.strip("_").removesuffix("V2").removesuffix("Dataset")


def _name(dataset: tf.data.Dataset, place: int) -> str:
    """What a stage does, with the name of a function that is mapped."""
    kind = kind_of(dataset)
    if kind == "Variant":  # what declared data is made into
        return DECLARED
    name = "read" if not place else _NAMES.get(kind, kind.lower())
    function = getattr(getattr(dataset, "_map_func", None), "_func", None)
    called = getattr(function, "__name__", "")
    return f"{name}: {called}" if name == "map" and called else name


def timed(stages: Sequence[Stage], seconds: float, size: int) -> Iterator[Stage]:
    """Yield stages with their rates in the first epoch and in the next one.

    Args:
        stages: from the source on.
        seconds: how long to look at each.
        size: samples in an epoch.
    """
    caches = [place for place, stage in enumerate(stages) if stage.name == "cache"]
    rate_before = 0.0
    for place, stage in enumerate(stages):
        steps = elements(stage.dataset, stage.batched, seconds)
        cold = pace(steps, seconds, size, once=True)
        if caches and place >= caches[0] > 0:
            # What a cache holds comes from it only when it was filled by a whole pass.
            cache = stages[caches[0]]
            count = filled_count(cache, rate_before, seconds)
            few = cache.dataset._input_dataset.take(count).cache()
            behind = [one.dataset for one in stages[caches[0] + 1 : place + 1]]
            filled = assembled(few, behind, stage.dataset.options())
            if filled is not None:
                steps = elements(filled, stage.batched, seconds)
                for _ in steps():
                    pass
        else:
            rate_before = cold
        yield replace(stage, cold=cold, warm=best_pace(steps, seconds, size))


def filled_count(stage: Stage, rate: float, seconds: float) -> int:
    """Return how many elements to put into a cache, to measure what it gives.

    Args:
        stage: what is cached.
        rate: samples in a second of it.
        seconds: how long to look at a stage.
    """
    each = 1
    if stage.batched:
        each = max(int(tf.nest.flatten(next(iter(stage.dataset)))[0].shape[0]), 1)
    return max(int(_FILLED * seconds * rate / each), 2)


def costs(stages: Sequence[Stage]) -> list[float]:
    """Return the seconds that each stage adds to a sample in every epoch but the first."""
    found, before = [], 0.0
    for stage in stages:
        if stage.warm is None:  # before the first epoch, once
            found.append(0.0)
            continue
        each = 1 / stage.warm if stage.warm else float("inf")
        found.append(max(each - before, 0.0))
        before = each
    return found


def rebuilt(stages: Sequence[Stage], place: int, change: Change) -> tf.data.Dataset | None:
    """Return the pipeline with one stage replaced, and the rest as it was; None as `assembled`.

    Args:
        stages: from the source on.
        place: which stage.
        change: makes the new stage of the dataset that it is.
    """
    behind = [stage.dataset for stage in stages[place + 1 :]]
    return assembled(change(stages[place].dataset), behind, stages[-1].dataset.options())


def assembled(
    source: tf.data.Dataset,
    pieces: Sequence[tf.data.Dataset | Change],
    options: tf.data.Options | None = None,
) -> tf.data.Dataset | None:
    """Return a pipeline put together anew.

    Args:
        source: what it begins with.
        pieces: in order, datasets whose step is repeated on what comes before, and functions that
            take and return a dataset.
        options: of the whole.

    Returns:
        None where a step cannot be repeated.
    """
    for piece in pieces:
        again = on_top(piece, source) if isinstance(piece, tf.data.Dataset) else piece(source)
        if again is None:
            return None
        source = again
    return source if options is None else source.with_options(options)


def on_top(dataset: tf.data.Dataset, source: tf.data.Dataset) -> tf.data.Dataset | None:
    """Return what a dataset does, on another source; None for what is not known."""
    kind = kind_of(dataset)
    if kind in ("Map", "ParallelMap"):
        parallel = getattr(dataset, "_num_parallel_calls", None)
        return source.map(dataset._map_func._func, num_parallel_calls=parallel)
    if kind in ("Batch", "ParallelBatch"):
        whole = bool(tf.get_static_value(dataset._drop_remainder))
        return source.batch(int(dataset._batch_size), drop_remainder=whole)
    if kind == "PaddedBatch":
        whole = bool(tf.get_static_value(dataset._drop_remainder))
        shapes = tf.nest.map_structure(lambda s: s.shape[1:], dataset.element_spec)
        return source.padded_batch(int(dataset._batch_size), shapes, drop_remainder=whole)
    if kind == "Shuffle":
        return source.shuffle(int(dataset._buffer_size))
    if kind in ("Prefetch", "Repeat", "Take", "Skip"):
        argument = dataset._buffer_size if kind == "Prefetch" else dataset._count
        return getattr(source, kind.lower())(int(argument))
    if kind == "Filter":
        return source.filter(dataset._predicate._func)
    if kind == "Cache":
        return source.cache()
    if kind == "Unbatch":
        return source.unbatch()
    return None
