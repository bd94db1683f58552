"""`tfpipe data bench`: how fast data comes, stage by stage, beside how fast the model takes it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tfpipe.declare.loading import Loaded, load, loaded_from
from tfpipe.declare.pipeline import Pipeline, has_own_input
from tfpipe.jobs.prepare import Prepared, prepare
from tfpipe.terminal import Silent, Terminal

if TYPE_CHECKING:
    from tfpipe.evaluation.data.changes import Tried
    from tfpipe.evaluation.data.stages import Stage

SECONDS = 2.0


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
        `stages`: name, samples in a second up to there in the first epoch ("cold") and in the next
        one ("warm"), None where it does not happen or is not known, and the microseconds that the
        stage adds to a sample in each epoch; `training`: samples in a second that the model takes
        from memory; `waiting`: the share of the time that training on this input waits for it;
        `limit`: the name of the stage that limits, or "training"; `changes`: what was tried, with
        the rate of the whole input before and after, the best first; `not_tried`: what was not and
        why.

    Raises:
        TfpipeError: for a declaration or data that cannot be used.

    Example:
        tfpipe.data_bench("pipelines/cifar10_cnn.py")["limit"]
    """
    terminal = terminal or Silent()
    loaded = load(target, overrides) if isinstance(target, str) else loaded_from(target)
    prepared = prepare(loaded, sample, terminal)
    from tfpipe.evaluation.data.changes import WORTH
    from tfpipe.evaluation.data.stages import costs

    with terminal.waiting("measuring the stages"):
        stages = _stages(prepared, seconds)
    with terminal.waiting("measuring the training"):
        training, waiting = _training(prepared, seconds)
    adds, whole = costs(stages), stages[-1].warm or 0.0
    slowest = max(range(len(stages)), key=adds.__getitem__)
    limit = "training" if whole >= training else stages[slowest].name
    tried: list[Tried] = []
    if limit != "training":
        with terminal.waiting("trying what would be faster"):
            tried = _changes(prepared, stages, slowest, seconds)
    better = [t for t in tried if t.after is not None and t.after > WORTH * t.before]
    return {
        "name": loaded.name,
        "stages": [
            {"name": s.name, "cold": s.cold, "warm": s.warm, "adds_microseconds": 1e6 * a}
            for s, a in zip(stages, adds, strict=True)
        ],
        "training": training,
        "waiting": waiting,
        "limit": limit,
        "changes": [vars(t) for t in sorted(better, key=lambda t: -(t.after or 0.0))],
        "not_tried": [t.change for t in tried if t.after is None],
    }


def _training(prepared: Prepared, seconds: float) -> tuple[float, float | None]:
    """Samples in a second from memory, and the share of the time spent waiting for real ones."""
    from tfpipe.evaluation.data.rates import training_rate, training_steps
    from tfpipe.training.compile import build_state
    from tfpipe.training.datasets import dataset

    batches, model = dataset(prepared.pipeline, "train"), prepared.compiled.model
    build_state(model, batches)
    rate = training_rate(model, next(iter(batches)), seconds)
    return rate, training_steps(model, batches.repeat(), seconds)[1]


def _stages(prepared: Prepared, seconds: float) -> "list[Stage]":
    from tfpipe.evaluation.data.reading import source_stages
    from tfpipe.evaluation.data.stages import stages_of, timed

    pipeline, spec = prepared.pipeline, prepared.spec
    if has_own_input(pipeline):
        stages = stages_of(pipeline.input_fn("train"))
        return list(timed(stages, seconds, spec.splits["train"]))
    return list(source_stages(pipeline, spec, seconds))


def _changes(
    prepared: Prepared, stages: "list[Stage]", slowest: int, seconds: float
) -> "list[Tried]":
    from tfpipe.evaluation.data.changes import own_changes, source_changes

    pipeline, spec = prepared.pipeline, prepared.spec
    if has_own_input(pipeline):
        return list(own_changes(stages, slowest, seconds, spec.splits["train"]))
    decoding = next((s.cold for s in reversed(stages) if s.dataset is None), None) or 1.0
    name = stages[slowest].name
    return list(source_changes(pipeline, spec, decoding, name, seconds))
