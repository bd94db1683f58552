"""`tfpipe profile FILE`: where the time of a training step goes, and what to try."""

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.data import disk_cache
from tfpipe.declare.loading import Loaded, load, loaded_from
from tfpipe.declare.pipeline import Pipeline
from tfpipe.devices import choose_precision
from tfpipe.devices.cluster.membership import find_cluster
from tfpipe.errors import ConfigError
from tfpipe.jobs.first_look import for_first_look
from tfpipe.jobs.prepare import Prepared, prepare
from tfpipe.jobs.run import RunPlan
from tfpipe.runs.directory import PROFILE, cache_folder, check_writable, initialise
from tfpipe.storage import new_folder, storage, write_whole
from tfpipe.terminal import Silent, Terminal
from tfpipe.text import listed

if TYPE_CHECKING:
    from tfpipe.evaluation.profile.epochs import EpochTimes
    from tfpipe.evaluation.profile.parts import StepCost
    from tfpipe.evaluation.profile.tries import Attempt, Now
    from tfpipe.training.compile import Compiled

SECONDS = 1.0
_TRACED, _COSTLIEST = 10, 10
_MOST = 400  # steps of a short epoch
_LONGER = 2  # times as long as other parts are looked at, an epoch may take
_MUCH = 0.15  # of the time, from which on what may take less of it is tried


def profile(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    sample: int | bool | None = None,
    seconds: float = SECONDS,
    to: str | Path | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Measure where the time of a training step goes, on a model that is thrown away.

    Args:
        target: a pipeline, or its file.
        overrides: `a.b=value` texts.
        sample: measure on generated data instead: True, or how many samples.
        seconds: how long to look at each part.
        to: the folder for the trace; a new one in ROOT/runs/NAME when None.
        root: the folder for runs/.
        terminal: told what is slow.

    Returns:
        See docs/profile.md.

    Raises:
        TfpipeError: for a declaration or data that cannot be used.

    Example:
        tfpipe.profile("pipelines/cifar10_cnn.py")["parts"]
    """
    if find_cluster(None, None, os.environ) is not None:
        raise ConfigError(
            "A profile is of one process, and the environment says that this is one of several "
            "workers: unset TF_CONFIG, or call it outside of the cluster's job."
        )
    terminal, root = terminal or Silent(), Path(root)
    loaded = load(target, overrides) if isinstance(target, str) else loaded_from(target)
    loaded = for_first_look(loaded, sample)
    check_writable(root)
    disk_cache.folder.set(cache_folder(root))
    prepared = prepare(loaded, sample, terminal)
    from tfpipe.jobs.features import with_features
    from tfpipe.jobs.first_batch import read_first_batch

    read_first_batch(prepared, terminal)
    if prepared.pipeline.cache_features:
        prepared = with_features(prepared, terminal)
    with storage(root):
        folder = Path(to) if to else new_folder(root / "runs" / loaded.name, datetime.now())
        folder.mkdir(parents=True, exist_ok=True)
    try:
        found = _measured(prepared, seconds, folder, terminal)
        write_whole(folder / PROFILE, (json.dumps(found, indent=2) + "\n").encode())
    except BaseException:
        if to is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return found


def _measured(
    prepared: Prepared, seconds: float, folder: Path, terminal: Terminal
) -> dict[str, Any]:
    from tfpipe.evaluation.profile.advice import advice
    from tfpipe.evaluation.profile.board import write_text
    from tfpipe.evaluation.profile.input import endless, input_times, trace
    from tfpipe.evaluation.profile.limit import Limit, step_operations
    from tfpipe.evaluation.profile.operations import Scopes, layer_shares, operations, read
    from tfpipe.evaluation.profile.parts import whole_of
    from tfpipe.evaluation.profile.step import TURNS, Piece, Turns, pieces_of, step_times
    from tfpipe.evaluation.profile.tries import Now
    from tfpipe.training.datasets import dataset, steps_of

    trained, strategy = prepared.trained, prepared.picked.strategy
    pipeline, model = trained.pipeline, trained.compiled.model
    batches = dataset(pipeline, "train")
    epoch = steps_of(pipeline, trained.spec, batches)
    iterator = endless(strategy, batches)
    batch, element_spec = next(iterator), iterator.element_spec
    pieces = pieces_of(model, element_spec)
    with terminal.waiting("measuring the parts of a step"):
        turns = Turns({name: partial(piece, batch) for name, piece in pieces.items()}, seconds)
        limit = Limit(strategy, prepared.picked.kind, prepared.precision.name)
        turns.turn()
    steps = min(max(round(seconds / turns.medians()["step"]), 2 * TURNS), _MOST)
    with terminal.waiting("measuring the input"):
        read_times = input_times(strategy, batches, pieces["step"], seconds)
    with terminal.waiting("tracing some steps"):
        scopes, anew = Scopes(model), Piece(model, model.train_step, element_spec)
        with scopes.recording():
            scopes.know(anew.graph)
        file = trace(strategy, batches, anew, _TRACED, folder / "tensorboard" / "train")
        costliest = operations(read(file), scopes, _TRACED)

    def measure() -> None:
        turns.turn()
        limit.measure(seconds / TURNS)

    with terminal.waiting("training some epochs as a run does, and measuring between them"):
        epochs = _epochs(prepared, trained.compiled, pipeline, folder, steps, seconds, measure)
        while len(turns.seconds["step"]) <= TURNS:
            measure()
    step = step_times(turns.medians())
    whole = whole_of(step, read_times, epochs, epoch)
    now = Now(
        pipeline, trained.spec, trained.compiled, pieces["step"], batch, element_spec, seconds
    )
    with terminal.waiting("trying what may be faster"):
        tried = list(_tried(prepared, now, whole, folder, steps, epoch))
    by_layer = step_operations(model, pipeline.batch_size)
    computed = sum(by_layer.values())
    layers = {
        name: {"time": share, "computed": by_layer.get(name, 0.0) / (computed or 1.0)}
        for name, share in layer_shares(costliest).items()
    }
    beside, share = read_times.step / step.whole, computed / step.whole / limit.fastest
    found = {
        "name": prepared.loaded.name,
        "device": prepared.picked.device,
        "precision": prepared.precision.name,
        "batch_size": pipeline.batch_size,
        "steps_per_epoch": epoch,
        "turns": TURNS,
        "steps_in_a_call": whole.together,
        "step_ms": 1e3 * whole.seconds,
        "parts": [
            {"part": p.name, "ms": 1e3 * p.seconds, "share": p.share, "remark": p.remark}
            for p in whole.parts
        ],
        "input_alone_ms": 1e3 * read_times.alone,
        "step_in_memory_ms": 1e3 * step.whole,
        "step_beside_input_ms": 1e3 * read_times.step,
        "callbacks": {name: 1e3 * taken for name, taken in whole.callbacks.items()},
        "operations": [
            {
                "layer": o.layer,
                "operation": o.kind,
                "part": o.part,
                "calls": o.calls,
                "ms": 1e3 * o.seconds,
                "share": o.share,
            }
            for o in costliest[:_COSTLIEST]
        ],
        "operations_a_step": sum(o.calls for o in costliest if o.part != "input"),
        "layers": layers,
        "gflop_a_step": computed / 1e9,
        "gflop_a_second": computed / step.whole / 1e9,
        "limit_gflop_a_second": limit.fastest / 1e9,
        "share_of_limit": share,
        "tried": [vars(one) | {"factor": one.factor} for one in tried],
        "advice": list(advice(whole, tried, layers, beside, epoch, turns.seconds["step"])),
        "notes": prepared.notes(),
        "folder": str(folder),
        "trace": str(file),
    }
    write_text(folder / "tensorboard" / "train", found)
    return found


def _tried(
    prepared: Prepared, now: "Now", whole: "StepCost", folder: Path, steps: int, epoch: int
) -> "Iterator[Attempt]":
    """Yield what was tried, of what may be faster where the time goes."""
    from tfpipe.evaluation.profile.parts import REST, epoch_seconds
    from tfpipe.evaluation.profile.tries import Attempt, another_precision, rebuilt, twice_the_batch
    from tfpipe.training.epochs import asks_for_batches

    pipeline, precision = now.pipeline, prepared.precision.name
    if prepared.on_features is not None:  # its head has no builder of its own
        return
    computing = whole.share("call", "forward", "backward", "update", "step")
    native = choose_precision("auto", prepared.picked).name
    other = native if precision == "float32" else "float32"

    def taken(pipeline: Pipeline, precision: str) -> float:
        compiled = rebuilt(now, pipeline, precision)
        epochs = _epochs(prepared, compiled, pipeline, folder, steps, now.seconds)
        return 1e3 * epoch_seconds(epochs, epoch)

    def in_epochs(change: str, changed: Pipeline, other: str, remark: str = "") -> Attempt:
        # Whatever else the machine does only slows it.
        after = taken(changed, other)
        before = min(taken(pipeline, precision), 1e3 * whole.seconds)
        return Attempt(change, before, min(taken(changed, other), after), remark)

    if whole.together > 1:  # a step by itself, in a call of its own, would tell of the call
        if computing >= _MUCH and other != precision:
            yield in_epochs(f"precision={other}", pipeline, other, "which rounds otherwise")
    elif computing >= _MUCH:
        if other != precision:
            yield another_precision(now, other)
        if larger := twice_the_batch(now):
            yield larger
    if whole.share("call", "callbacks", REST) < _MUCH:
        return
    if pipeline.steps_per_execution != "auto":
        changed = pipeline.replace(steps_per_execution="auto")
        yield in_epochs("steps_per_execution=auto", changed, precision)
        return
    built = [*zip(pipeline.callbacks, pipeline.build_callbacks(), strict=False)]
    asking = [type(one).__name__ for _, one in built if asks_for_batches(one)]
    if whole.together == 1 and asking:
        quiet = tuple(declared for declared, one in built if not asks_for_batches(one))
        change = f"without {listed(asking)}, asking for each batch, so that steps share a call"
        yield in_epochs(change, pipeline.replace(callbacks=quiet), precision)


def _epochs(
    prepared: Prepared,
    compiled: "Compiled",
    pipeline: Pipeline,
    folder: Path,
    steps: int,
    seconds: float,
    between: Callable[[], None] = lambda: None,
) -> "list[EpochTimes]":
    """What some epochs took, trained as a run does, in a folder that is then gone."""
    from tfpipe.evaluation.profile.epochs import train_epochs
    from tfpipe.jobs.status_reporter import StatusReporter

    with (
        tempfile.TemporaryDirectory(prefix=".training-", dir=folder) as name,
        contextlib.redirect_stdout(io.StringIO()),  # what callbacks print
    ):
        own = initialise(Path(name))
        reporter = StatusReporter(RunPlan(prepared, own, folder, Silent()), 0)
        spec, most = prepared.trained.spec, _LONGER * seconds
        return train_epochs(pipeline, spec, compiled, own, reporter, steps, most, between)
