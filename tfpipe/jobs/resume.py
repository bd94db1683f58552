"""Resuming a run: go on exactly where it stopped, or say why that cannot be."""

import contextlib
import logging
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tfpipe.data import disk
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.loading import Loaded
from tfpipe.declare.origins import resolved_fields
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError, RunError
from tfpipe.jobs.execute import Run, RunPlan, execute
from tfpipe.jobs.features import with_features
from tfpipe.jobs.plan import Prepared, Team, first_batch, prepare
from tfpipe.jobs.records import write_records
from tfpipe.jobs.restore import Stopped, find, read_stopped, redeclare
from tfpipe.runs.changes import Change, changed_code, changed_fields, changes
from tfpipe.runs.directory import RunDirectory, cache_folder, create_run
from tfpipe.storage import storage
from tfpipe.terminal import Terminal

logger = logging.getLogger("tfpipe.verbs")

# Fields that decide how many steps an epoch has, and what is in each.
_STEPS = ("batch_size", "steps_per_epoch", "drop_remainder", "shuffle")
# Fields after which what callbacks remember would be compared with something else.
_JUDGED = ("callbacks", "loss", "metrics")
# Fields that decide which variables the optimizer has.
_OPTIMIZED = ("optimizer", "fine_tune", "precision", "gradient_accumulation", "ema")


def resume_run(
    reference: str | None,
    overrides: Iterable[str] = (),
    *,
    terminal: Terminal,
    root: Path = Path("."),
    pipeline: Pipeline | Loaded | None = None,
    fork: bool = False,
    test: bool = True,
    export: bool = True,
    extra: Sequence[Any] = (),
    team: Team | None = None,
) -> Run:
    """Go on with a run from its last saved state; the arguments are those of the verb `resume`.

    Raises:
        RunError: for no such run, a finished one, one that is being trained, or damaged states.
        ConfigError: for a declaration that the run cannot go on with.
    """
    disk.folder.set(cache_folder(root))
    run = find(root, reference, terminal)
    # A fork only reads: its origin may even be in training.
    with contextlib.nullcontext() if fork else run.lock():
        stopped = read_stopped(run)
        loaded = redeclare(stopped, tuple(overrides), pipeline)
        found = _compare(stopped, loaded)
        _check(stopped, loaded, found, fork, terminal)
        prepared = prepare(loaded, stopped.sample, terminal, team)
        data = first_batch(prepared, terminal)
        _check_data(stopped, prepared, data, found)
        if prepared.pipeline.cache_features:
            prepared = with_features(prepared, terminal)
        saved = _saved(stopped, fork)
        _enter_phase(prepared.trained, saved)
        _check_weights(stopped, prepared.trained, saved, found)
        found = _check_prepared(stopped, prepared, found, fork)
        resumed = None if saved is None else _resumed(stopped, prepared.trained, saved, found, fork)
        job = RunPlan(prepared, run, root, terminal, test, export, resumed, extra=extra)
        if not fork:
            _go_on_here(stopped, prepared, resumed, found, data)
            return execute(replace(job, notes=_evaluated_before(stopped)))
        forked = _fork(stopped, prepared, resumed, found, data, root)
        with forked.lock():
            return execute(replace(job, directory=forked))


def _compare(stopped: Stopped, loaded: Loaded) -> list[Change]:
    found = changes(stopped.config["fields"], resolved_fields(loaded))
    copy = stopped.directory.path / "pipeline.py"
    if loaded.path is not None and loaded.path.is_file() and copy.is_file():
        found += changed_code(copy, loaded.path)
    return found


def _check(
    stopped: Stopped, loaded: Loaded, found: list[Change], fork: bool, terminal: Terminal
) -> None:
    """Show what differs, and refuse what is seen to be wrong before anything is read."""
    if found:
        words = {"safe": "safe", "result": "changes the result", "impossible": "impossible"}
        shaping = "changes the result, if the weights fit"
        rows = [(c.name, c.was, c.now, shaping if _shapes(c) else words[c.meaning]) for c in found]
        terminal.table(("changed", "was", "is", "meaning"), rows)
        terminal.say()
    # Whether the weights still fit is known when the model is built.
    _refuse(stopped, [c for c in found if not _shapes(c)], fork)
    now = loaded.pipeline.all_epochs
    if stopped.status.state == "finished" and now <= _declared_epochs(stopped):
        done, declared = stopped.status.epoch, _declared_epochs(stopped)
        early = f", stopped early of {declared}" if done < declared else ""
        more = f"epochs={2 * declared}"
        if loaded.pipeline.fine_tune is not None:
            phases = loaded.pipeline.fine_tune.phases
            last = len(phases) - 1
            more = f"fine_tune.phases.{last}.epochs={2 * resolve(phases[last].epochs)}"
        raise RunError(
            f"{stopped.name} is finished (epoch {done}{early}). Extend it with: "
            f"tfpipe resume {stopped.name} {more}"
        )


def _shapes(change: Change) -> bool:
    """Whether a change may be one of the architecture."""
    return change.name.startswith(("model", "the code of"))


def _declared_epochs(stopped: Stopped) -> int:
    """The epochs of all its phases."""
    pipeline = stopped.config.get("pipeline", {})
    return int(pipeline.get("epochs") or stopped.config["fields"]["epochs"]["value"])


def _refuse(stopped: Stopped, found: list[Change], fork: bool) -> None:
    """Raise ConfigError for what is impossible, and for what changes the result without a fork."""
    for change in found:
        if change.meaning == "impossible":
            raise ConfigError(
                f"{change.name} cannot change within a run ({change.was} -> {change.now}): "
                f"{change.why}. Start a new run with tfpipe run."
            )
    changing = [c for c in found if c.meaning == "result"]
    if changing and not fork:
        listed = ", ".join(f"{c.name} ({c.was} -> {c.now})" for c in changing)
        raise ConfigError(
            f"{stopped.name} would end elsewhere with a changed {listed}. Undo the change, or "
            "start a new run from its state, which leaves it as it is, with --fork."
        )


def _check_data(stopped: Stopped, prepared: Prepared, data: str, found: list[Change]) -> None:
    """Refuse data that is not what the run was trained on; raises ConfigError."""
    before, now = stopped.config.get("spec"), to_json(prepared.spec)
    if before is not None:
        before = to_json(from_json(before))  # with what a newer tfpipe says besides
    if before is not None and before != now:
        name = next(k for k in now if k != "part" and before.get(k) != now[k])
        raise ConfigError(
            f"The data is no longer what {stopped.name} was trained on: its {name} "
            f"{'were' if name == 'splits' else 'was'} {before[name]}, now {now[name]}. Bring it "
            "back, or start a new run with tfpipe run."
        )
    then = stopped.config.get("first_batch_sha256")
    if then and data and then != data and not changed_fields(found) & set(_STEPS):
        raise ConfigError(
            f"The data is no longer what {stopped.name} was trained on: its first batch has other "
            "values. Bring it back, or start a new run with tfpipe run."
        )


def _check_prepared(
    stopped: Stopped, prepared: Prepared, found: list[Change], fork: bool
) -> list[Change]:
    """Refuse another device or precision than the run had; all changes."""
    environment = stopped.environment
    actual = {
        "device": (environment.get("device"), prepared.picked.device),
        "precision": (environment.get("precision"), prepared.precision.name),
    }
    found = [
        *found,
        *(
            Change(name, f"{was}", f"{now}", "result")
            for name, (was, now) in actual.items()
            if was not in (None, now) and name not in changed_fields(found)
        ),
    ]
    if prepared.picked.cluster is not None and "device" in changed_fields(found):
        raise ConfigError(
            f"{stopped.name} was trained by {environment.get('device')}, now there are "
            f"{prepared.picked.device}: a saved state fits as many workers as it was saved with. "
            "Give the same --workers, or fork the run for one process with --fork."
        )
    _refuse(stopped, found, fork)
    _compare_versions(environment)
    return found


def _compare_versions(before: dict[str, Any]) -> None:
    import keras
    import tensorflow as tf

    now = {"tensorflow": tf.__version__, "keras": keras.__version__}
    for name, version in now.items():
        was = (before.get("packages") or {}).get(name)
        if was not in (None, version):
            logger.warning(
                "The run was started with %s %s, this is %s: equal up to rounding at best.",
                name,
                was,
                version,
            )


def _saved(stopped: Stopped, fork: bool) -> Any:
    """The state to go on from, for a fork the end of an epoch if there is one; None without any."""
    from tfpipe.training import checkpoint as state

    folder = stopped.directory.checkpoints
    at_an_end = state.latest(folder, lambda s: s.step == 0) if fork else None
    return at_an_end or state.latest(folder)


def _enter_phase(prepared: Prepared, saved: Any) -> None:
    """Compile for the phase of the saved state, so that it is seen whether the state fits.

    Several workers do that together, when training begins.
    """
    from tfpipe.training.compile import enter_phase
    from tfpipe.training.loop import dataset

    if saved is None:
        return
    fine_tune, phase = prepared.pipeline.fine_tune, saved.state.phase
    count = len(fine_tune.phases) if fine_tune else 1
    if phase >= count:
        raise ConfigError(
            f"{saved.path} is in phase {phase + 1}, and fine_tune has {count} now. Bring the phase "
            "back, or start a new run with tfpipe run."
        )
    if prepared.picked.cluster is None:
        batches = dataset(prepared.pipeline, "train")
        enter_phase(prepared.compiled, prepared.pipeline, phase, batches)


def _check_weights(stopped: Stopped, prepared: Prepared, saved: Any, found: list[Change]) -> None:
    """Refuse an architecture that the saved weights do not fit; raises ConfigError."""
    from tfpipe.training import checkpoint as state

    misfit = "" if saved is None else state.misfit(prepared.compiled.model, saved, "model")
    if misfit:
        suspects = [c.name for c in found if _shapes(c)]
        raise ConfigError(
            f"{' and '.join(suspects) or 'The model'} cannot change within a run: the weights of "
            f"{stopped.name} do not fit ({misfit}). Start a new run with tfpipe run."
        )


def _resumed(
    stopped: Stopped, prepared: Prepared, saved: Any, found: list[Change], fork: bool
) -> Any:
    """What to go on from (`tfpipe.training.loop.Resumed`)."""
    from tfpipe.training.loop import Resumed
    from tfpipe.training.metrics import read_rows

    pipeline = prepared.pipeline
    if pipeline.epochs < saved.state.epoch:
        raise ConfigError(
            f"epochs={pipeline.epochs}: {stopped.name} has trained {saved.state.epoch} already."
        )
    rows = read_rows(stopped.directory.metrics_file, pipeline.epochs)[: saved.state.epoch]
    if len(rows) < saved.state.epoch:
        raise RunError(
            f"{stopped.directory.metrics_file} has {len(rows)} of the {saved.state.epoch} epochs "
            "that were trained: bring it back, a row an epoch, before going on."
        )
    touched = changed_fields(found)
    from_epoch = fork or bool(touched & set(_STEPS))
    if from_epoch and saved.state.step:
        logger.warning("Epoch %d is begun again.", saved.state.epoch + 1)
    extended = pipeline.epochs > _declared_epochs(stopped)
    fine_tune = pipeline.fine_tune
    # What a callback stopped is over for good where another phase comes after it.
    another_phase = fine_tune is not None and saved.state.phase + 1 < len(fine_tune.phases)
    return Resumed(
        saved,
        tuple(rows),
        parts=_parts(prepared, saved, found, from_epoch),
        from_epoch=from_epoch,
        over=saved.state.stopped and (another_phase or not (extended or fork)),
        new_learning_rate=bool(changed_fields(found) & {"optimizer", "fine_tune"}),
        remember=not any(c.meaning == "result" and c.name.startswith(_JUDGED) for c in found),
        save_first=fork,
    )


def _parts(
    prepared: Prepared, saved: Any, found: list[Change], from_epoch: bool
) -> tuple[str, ...]:
    """Which parts of a state to put back; one that a change has made unfit is left out.

    Raises:
        RunError: when a part does not fit although nothing was changed that explains it.
    """
    from tfpipe.training import checkpoint as state

    model, parts = prepared.compiled.model, ["model"]
    if prepared.compiled.phase != saved.state.phase:  # several workers enter it later
        return state.GROUPS
    for part, fields in {"optimizer": _OPTIMIZED, "metrics": _JUDGED}.items():
        another = any(c.name == part for c in found)
        misfit = state.misfit(model, saved, part)
        if not misfit and not another:
            parts.append(part)
        elif part == "metrics" and from_epoch:  # which resets them anyway
            continue
        elif not changed_fields(found) & set(fields):
            raise RunError(f"{saved.path} does not fit the {part}: {misfit}.")
        elif part == "optimizer":
            logger.warning("The optimizer is another one: it starts without the state of the old.")
    return tuple(parts)


def _go_on_here(
    stopped: Stopped, prepared: Prepared, resumed: Any, found: list[Change], data: str
) -> None:
    """Take back what was written after the state, and write down that the run goes on."""
    from tfpipe.training import checkpoint as state
    from tfpipe.training.callbacks.tensorboard import forget_after
    from tfpipe.training.metrics import write_rows

    run = stopped.directory
    run.tidy()
    epoch, step, saved_at = 0, 0, 0.0
    if resumed is not None:
        now = resumed.saved.state
        epoch, step, saved_at = now.epoch, resumed.step, now.saved_at
        state.set_damaged_aside(run.checkpoints, resumed.saved.path)
    write_rows(run.metrics_file, list(resumed.rows) if resumed else [])
    forget_after(run.tensorboard, saved_at)
    entry = {
        "time": datetime.now().isoformat(timespec="seconds"),
        "epoch": epoch,
        "step": step,
        "changes": {c.name: [c.was, c.now] for c in found},
    }
    kept = {k: stopped.config[k] for k in ("forked_from",) if k in stopped.config}
    write_records(
        run,
        prepared,
        earlier=stopped.environment,
        first_batch_sha256=data,
        resumed=[*stopped.config.get("resumed", ()), entry],
        **kept,
    )


def _fork(
    stopped: Stopped,
    prepared: Prepared,
    resumed: Any,
    found: list[Change],
    data: str,
    root: Path,
) -> RunDirectory:
    """A new run that begins with the curves, the best model and the state of another."""
    from tfpipe.training.callbacks.tensorboard import forget_after
    from tfpipe.training.metrics import write_rows

    if resumed is None:
        raise RunError(f"{stopped.name} has saved no state to start from: run it anew.")
    origin, new = stopped.directory, create_run(root, prepared.loaded.name, datetime.now())
    state = resumed.saved.state
    with storage(new.path):
        if origin.tensorboard.is_dir():
            shutil.copytree(origin.tensorboard, new.tensorboard)
            forget_after(new.tensorboard, state.saved_at)
        best = origin.checkpoints / "best.keras"
        if resumed.remember and best.is_file():
            shutil.copyfile(best, new.checkpoints / best.name)
    write_rows(new.metrics_file, list(resumed.rows))
    write_records(
        new,
        prepared,
        first_batch_sha256=data,
        forked_from={
            "run": stopped.name,
            "epoch": state.epoch,
            "step": state.step,
            "changes": {c.name: [c.was, c.now] for c in found},
        },
    )
    return new


def _evaluated_before(stopped: Stopped) -> tuple[str, ...]:
    if "test" not in stopped.status.metrics:
        return ()
    return (
        f"The test split was evaluated before, after epoch {stopped.status.epoch}: choose nothing "
        "by comparing the two.",
    )
