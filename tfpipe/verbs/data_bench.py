"""`tfpipe data bench`: how fast data comes, stage by stage, beside how fast the model takes it."""

import time
from collections.abc import Iterable
from typing import Any

from tfpipe.declare.loading import Loaded, load, loaded_from
from tfpipe.declare.pipeline import Pipeline, has_own_input
from tfpipe.jobs.prepare import Prepared, prepare
from tfpipe.terminal import Silent, Terminal

SECONDS = 2.0
_FASTER = 1.1  # by how much a change has to be faster to be named


def data_bench(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    sample: int | bool | None = None,
    seconds: float = SECONDS,
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Measure each stage of a pipeline's input, and the training beside it.

    Args:
        target: a pipeline, or its file.
        overrides: `a.b=value` texts.
        sample: measure on generated data instead: True, or how many samples.
        seconds: how long to look at each stage.
        terminal: told what is slow.

    Returns:
        `stages`: name, examples in a second up to there the first time ("cold") and again
        ("warm"), and the microseconds that the stage adds to an example; `training`: examples in a
        second that the model takes from memory; `limit`: the name of the stage that limits, or
        "training"; `changes`: what was tried, with the rate of the whole input before and after.

    Raises:
        TfpipeError: for a declaration or data that cannot be used.

    Example:
        tfpipe.data_bench("pipelines/cifar10_cnn.py")["limit"]
    """
    terminal = terminal or Silent()
    loaded = load(target, overrides) if isinstance(target, str) else loaded_from(target)
    prepared = prepare(loaded, sample, terminal)
    from tfpipe.evaluation.data.stages import costs

    own = has_own_input(prepared.pipeline)
    with terminal.waiting("measuring the stages"):
        stages = (_own_stages if own else _stages)(prepared, seconds)
    with terminal.waiting("measuring the training"):
        training = _training_rate(prepared, seconds)
    adds = costs(stages)
    whole = stages[-1].warm
    slowest = max(range(len(stages)), key=adds.__getitem__)
    limit = "training" if whole > training else stages[slowest].name
    with terminal.waiting("trying what would be faster"):
        changes = (_own_changes if own else _changes)(prepared, stages, slowest, seconds)
    return {
        "stages": [
            {"name": s.name, "cold": s.cold, "warm": s.warm, "adds_microseconds": 1e6 * a}
            for s, a in zip(stages, adds, strict=True)
        ],
        "training": training,
        "limit": limit,
        "changes": [
            {"change": text, "before": whole, "after": after}
            for text, after in sorted(changes, key=lambda pair: -pair[1])
            if after > _FASTER * whole
        ],
    }


def _training_rate(prepared: Prepared, seconds: float) -> float:
    """How many examples in a second the model is trained on, from a batch in memory."""
    import tensorflow as tf

    from tfpipe.training.compile import build_state
    from tfpipe.training.datasets import dataset

    batches, model = dataset(prepared.pipeline, "train"), prepared.compiled.model
    build_state(model, batches)
    batch = next(iter(batches))
    size = len(tf.nest.flatten(batch)[0])
    model.train_on_batch(*batch)  # which compiles
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        model.train_on_batch(*batch)
        steps += 1
    return steps * size / (time.perf_counter() - began)


def _stages(prepared: Prepared, seconds: float) -> list[Any]:
    """The stages of a source: reading and decoding, batches, augmentation."""
    from tfpipe.evaluation.data.stages import Stage, rate
    from tfpipe.training.datasets import dataset

    pipeline = prepared.pipeline
    assert pipeline.data is not None
    plain = pipeline.replace(augment=(), class_weights=None)
    fresh = plain.replace(data=pipeline.data.replace())  # which has read nothing yet
    began = time.perf_counter()
    first = dataset(fresh, "train")
    next(iter(first))
    cold = prepared.spec.splits["train"] / (time.perf_counter() - began)
    batches = dataset(plain, "train")
    warm = rate(batches, True, seconds)
    # What was read is kept, so that reading costs nothing from the second epoch on.
    found = [
        Stage("read and decode", first, True, cold, float("inf")),
        Stage("batch", batches, True, min(cold, warm), rate(batches, True, seconds)),
    ]
    if pipeline.augment:
        changed = dataset(pipeline, "train")
        warm = [rate(changed, True, seconds) for _ in range(2)][1]
        found.append(Stage("augment", changed, True, min(cold, warm), warm))
    return found


def _changes(
    prepared: Prepared, stages: list[Any], slowest: int, seconds: float
) -> list[tuple[str, float]]:
    """What would make a source faster, and how fast it was then."""
    from tfpipe.evaluation.data.stages import rate
    from tfpipe.training.datasets import dataset

    pipeline, tried = prepared.pipeline, []
    if pipeline.cache is not True:
        kept = pipeline.replace(cache=True)
        rate(dataset(kept, "train"), True, seconds)
        tried.append(("cache=True", rate(dataset(kept, "train"), True, seconds)))
    if stages[slowest].name == "augment":
        for place, one in enumerate(pipeline.augment):
            rest = pipeline.augment[:place] + pipeline.augment[place + 1 :]
            without = dataset(pipeline.replace(augment=rest), "train")
            measured = [rate(without, True, seconds) for _ in range(2)][1]
            tried.append((f"augment without {one!r}", measured))
    return tried


def _own_stages(prepared: Prepared, seconds: float) -> list[Any]:
    """The stages of an input_fn of a person's own."""
    from tfpipe.evaluation.data.stages import stages_of, timed

    return list(timed(stages_of(prepared.pipeline.input_fn("train")), seconds))


def _own_changes(
    prepared: Prepared, stages: list[Any], slowest: int, seconds: float
) -> list[tuple[str, float]]:
    """What would make an input_fn faster, and how fast it was then."""
    from tfpipe.evaluation.data.stages import changed, in_parallel, rate

    name, tried = stages[slowest].name, []
    options: list[tuple[str, Any]] = []
    if name.startswith("map") and "Parallel" not in type(stages[slowest].dataset).__name__:
        text = f".map({name.partition(': ')[2] or '...'}, num_parallel_calls=tf.data.AUTOTUNE)"
        options.append((text, in_parallel))
    random_before = any(s.name in ("shuffle", "repeat") for s in stages[: slowest + 1])
    if not random_before:
        text = f".cache() behind {name!r}, from the second epoch on"
        options.append((text, lambda dataset: dataset.cache()))
    for text, change in options:
        dataset = changed(stages, slowest, change)
        if dataset is None:
            continue
        if ".cache()" in text:
            for _ in dataset:  # whole, or nothing is kept
                pass
        rate(dataset, stages[-1].batched, seconds / 2)
        tried.append((text, rate(dataset, stages[-1].batched, seconds)))
    return tried
