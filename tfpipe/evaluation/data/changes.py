"""What would make input faster: each change is made, measured, and named with what it gave."""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import numpy as np
import tensorflow as tf

from tfpipe.data import free_memory
from tfpipe.data.augment.base import Geometric
from tfpipe.data.sources.base import StoredSplits
from tfpipe.data.sources.subset import take
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.data.rates import best_pace, elements
from tfpipe.evaluation.data.stages import (
    DECLARED,
    Change,
    Stage,
    assembled,
    filled_count,
    kind_of,
    on_top,
    rebuilt,
)
from tfpipe.text import byte_size
from tfpipe.training.datasets import dataset

WORTH = 1.15  # by how much a change has to be faster to be named
_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
_AFFORDED = 10  # times as long as a stage is looked at, to read data into memory


@dataclass(frozen=True)
class Tried:
    """A change that was made, and what it gave.

    Args:
        change: what to write; or why a change that suggests itself was not made.
        before: samples in a second of the whole input without it.
        after: with it, from the second epoch on; None where it was not made.
    """

    change: str
    before: float
    after: float | None


def source_changes(
    pipeline: Pipeline, spec: ElementSpec, decoding: float, slowest: str, seconds: float
) -> Iterator[Tried]:
    """Yield what was tried on a pipeline whose data is declared.

    Args:
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        decoding: samples in a second that are read and decoded.
        slowest: the name of the stage that limits.
        seconds: how long to look at each change.
    """
    data, size = pipeline.data, spec.splits["train"]

    def measured(changed: Pipeline, samples: int) -> float:
        batches = dataset(changed, "train")
        next(iter(batches))  # which reads what is to be kept
        return best_pace(elements(batches, True, seconds), seconds, samples)

    before = measured(pipeline, size)
    if isinstance(data, StoredSplits) and data.keeps(pipeline.cache) == "nowhere":
        nbytes = size * sum(feature.nbytes for feature in spec.features)
        if free_memory.fits(nbytes):
            share = min(1.0, _AFFORDED * seconds * decoding / size)
            kept = pipeline.replace(data=take(data, share), cache=True)
            yield Tried("cache=true", before, measured(kept, max(int(share * size), 1)))
        else:
            room = byte_size(free_memory.SHARE * free_memory.available())
            why = f"{byte_size(nbytes)} decoded, and data may take {room}"
            yield Tried(f"cache=true does not fit: {why}", before, None)
    if slowest == "augment":
        ordered = tuple(sorted(pipeline.augment, key=lambda a: not isinstance(a, Geometric)))
        if ordered != pipeline.augment:
            names = ", ".join(f"augment.{one!r}" for one in ordered)
            text = f"augment = ({names}): what moves pixels first, and so at once"
            yield Tried(text, before, measured(pipeline.replace(augment=ordered), size))


def own_changes(
    stages: Sequence[Stage], slowest: int, seconds: float, size: int
) -> Iterator[Tried]:
    """Yield what was tried on an input_fn of a person's own.

    Args:
        stages: with their rates, from the source on.
        slowest: the place of the stage that limits.
        seconds: how long to look at each change.
        size: samples in an epoch.
    """
    slow, last = stages[slowest], stages[-1]

    def measured(changed: tf.data.Dataset, *, fill: bool = False) -> float:
        steps = elements(changed, last.batched, seconds)
        for _ in steps() if fill else ():
            pass
        return best_pace(steps, seconds, size)

    before = measured(last.dataset)
    kind = kind_of(slow.dataset)
    if kind in ("Map", "ParallelMap"):
        name = slow.name.partition(": ")[2] or "..."
        drawn = operations(slow.dataset)
        if kind == "Map" and (changed := rebuilt(stages, slowest, in_parallel)):
            parallel = f".map({name}, num_parallel_calls=tf.data.AUTOTUNE)"
            yield Tried(parallel, before, measured(changed))
        if "PyFunc" in drawn:
            with _stateless():
                changed = rebuilt(stages, slowest, in_parallel)
            if changed:
                text = (
                    f"tf.numpy_function(..., stateful=False) in {name}, and .map({name}, "
                    "num_parallel_calls=tf.data.AUTOTUNE): TensorFlow runs what may have a state "
                    "one after the other"
                )
                yield Tried(text, before, measured(changed))
        if "EagerPyFunc" in drawn:
            text = (
                f"tf.numpy_function(..., stateful=False) in place of tf.py_function in {name}, "
                "which always counts as having a state: one element after the other"
            )
            yield Tried(text, before, None)
        following = stages[slowest + 1 :][:1]
        swapped = bool(following) and following[0].name == "batch" and not _random(drawn)
        if swapped and (changed := _batched_first(stages, slowest)):
            text = f".batch(...) before .map({name}), which gives the same then"
            yield Tried(text, before, measured(changed))
    text, changed = _cached(stages, slowest, seconds, size)
    if text:
        yield Tried(text, before, None if changed is None else measured(changed, fill=True))


def _cached(
    stages: Sequence[Stage], slowest: int, seconds: float, size: int
) -> tuple[str, tf.data.Dataset | None]:
    """Return the pipeline with what the slow stage gives in a cache, before any shuffling.

    The text says what to write, or why it is not to be done, and is empty for neither.
    """
    slow, until = stages[slowest], stages[1 : slowest + 1]
    if any(stage.name in ("repeat", "cache") for stage in until):
        return "", None
    text = f".cache() behind {slow.name!r}"
    drawing = [
        stage.name
        for stage in (stages[0], *until)
        if stage.name == DECLARED or _random(operations(stage.dataset))
    ]
    if drawing:
        return f"{text} would keep what {drawing[0]!r} draws anew in each epoch", None
    example = tf.nest.flatten(next(iter(slow.dataset)))
    needed = sum(prod(t.shape) * t.dtype.size for t in example)
    steps = -(-size // max(int(example[0].shape[0]), 1)) if slow.batched else size
    if not free_memory.fits(needed * steps):
        return f"{text} does not fit in memory: {byte_size(needed * steps)}", None
    count = min(filled_count(slow, slow.warm or 1.0, seconds), steps)
    shuffles = [s.dataset for s in until if s.name == "shuffle"]
    mapped = [s.dataset for s in until if s.name != "shuffle"]
    kept: list[Change] = [lambda d: d.take(count).cache()]
    behind = [stage.dataset for stage in stages[slowest + 1 :]]
    options = stages[-1].dataset.options()
    changed = assembled(stages[0].dataset, [*mapped, *kept, *shuffles, *behind], options)
    if changed is None:
        return "", None
    text += ", and .shuffle(...) behind that" if shuffles else ""
    python = any(operations(s.dataset) & _PYTHON for s in (stages[0], *until))
    return text + (", if it gives the same in each epoch" if python else ""), changed


def operations(dataset: tf.data.Dataset) -> set[str]:
    """Return the kinds of operation in a mapped function and those that it calls; none without."""
    function = getattr(getattr(dataset, "_map_func", None), "function", None)
    if function is None:
        return set()
    graph = function.graph.as_graph_def()
    return {n.op for n in graph.node} | {n.op for f in graph.library.function for n in f.node_def}


def _random(kinds: set[str]) -> bool:
    return any("Random" in kind and "Stateless" not in kind for kind in kinds)


def in_parallel(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return a map whose function runs for several elements at a time."""
    function = dataset._map_func._func
    return dataset._input_dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE)


@contextmanager
def _stateless() -> Iterator[None]:
    """Let functions that are traced here call NumPy as what has no state."""
    real = tf.numpy_function
    tf.numpy_function = functools.partial(real, stateful=False)
    try:
        yield
    finally:
        tf.numpy_function = real


def _batched_first(stages: Sequence[Stage], place: int) -> tf.data.Dataset | None:
    """Return the pipeline with a map behind the batch that follows it; None where that differs."""
    mapped, batch = stages[place].dataset, stages[place + 1].dataset
    try:
        swapped = on_top(batch, mapped._input_dataset)
        changed = None if swapped is None else on_top(mapped, swapped)
        if changed is None:
            return None
        for ours, theirs in zip(changed.take(2), batch.take(2), strict=True):
            for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
                if not np.array_equal(np.asarray(one), np.asarray(other)):
                    return None
    except Exception:  # noqa: BLE001 (whatever a person's function does with a batch)
        return None
    behind = [stage.dataset for stage in stages[place + 2 :]]
    return assembled(changed, behind, stages[-1].dataset.options())
