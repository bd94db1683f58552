"""What a run goes on from: the saved state, what of it fits, and the records that begin with it."""

import logging
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpipe.declare.codec import from_json, to_json
from tfpipe.errors import ConfigError, RunError
from tfpipe.jobs.prepare import Prepared
from tfpipe.jobs.records import write_records
from tfpipe.jobs.restore import Stopped
from tfpipe.runs.changes import Change, changed_fields, refuse
from tfpipe.runs.directory import RunDirectory, create_run
from tfpipe.storage import storage
from tfpipe.training import checkpoint
from tfpipe.training.callbacks.tensorboard import remove_events_after
from tfpipe.training.checkpoint import Checkpoint
from tfpipe.training.compile import enter_phase
from tfpipe.training.datasets import dataset
from tfpipe.training.loop import Resumed
from tfpipe.training.metrics_file import read_rows, write_rows

logger = logging.getLogger("tfpipe.verbs")

# Fields that decide how many steps an epoch has, and what is in each.
_STEPS = ("batch_size", "steps_per_epoch", "drop_remainder", "shuffle")
# Fields after which the state of callbacks would be compared with something else.
_JUDGED = ("callbacks", "loss", "metrics")
# Fields that decide which variables the optimizer has.
_OPTIMIZED = ("optimizer", "fine_tune", "precision", "gradient_accumulation", "ema")


def check_data(
    stopped: Stopped, prepared: Prepared, first_batch: str, changes: list[Change]
) -> None:
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
    if then and first_batch and then != first_batch and not changed_fields(changes) & set(_STEPS):
        raise ConfigError(
            f"The data is no longer what {stopped.name} was trained on: its first batch has other "
            "values. Bring it back, or start a new run with tfpipe run."
        )


def _check_environment(
    stopped: Stopped, prepared: Prepared, changes: list[Change], fork: bool
) -> list[Change]:
    """Refuse another device or precision than the run had; all changes."""
    environment = stopped.environment
    actual = {
        "device": (environment.get("device"), prepared.picked.device),
        "precision": (environment.get("precision"), prepared.precision.name),
    }
    changes = [
        *changes,
        *(
            Change(name, f"{was}", f"{now}", "result")
            for name, (was, now) in actual.items()
            if was not in (None, now) and name not in changed_fields(changes)
        ),
    ]
    if prepared.picked.cluster is not None and "device" in changed_fields(changes):
        raise ConfigError(
            f"{stopped.name} was trained by {environment.get('device')}, now there are "
            f"{prepared.picked.device}: a saved state fits as many workers as it was saved with. "
            "Give the same --workers, or fork the run for one process with --fork."
        )
    refuse(changes, stopped.name, fork)
    _compare_versions(environment)
    return changes


def _compare_versions(before: dict[str, Any]) -> None:
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


def find_state(stopped: Stopped, fork: bool) -> Checkpoint | None:
    """The state to go on from, for a fork the end of an epoch if there is one; None without any."""
    folder = stopped.directory.checkpoints
    at_an_end = checkpoint.latest(folder, lambda s: s.step == 0) if fork else None
    return at_an_end or checkpoint.latest(folder)


def fit(
    stopped: Stopped,
    prepared: Prepared,
    saved: Checkpoint | None,
    changes: list[Change],
    fork: bool,
) -> tuple[list[Change], Resumed | None]:
    """Compile for the saved state and see that it fits.

    Args:
        stopped: the run.
        prepared: what is trained now.
        saved: the state to go on from.
        changes: how the declaration differs.
        fork: whether a new run starts from the state.

    Returns:
        All changes, those of device and precision included, and what to go on from.

    Raises:
        ConfigError: for a phase, an architecture, a device or a precision that does not fit.
        RunError: when the records do not fit the state.
    """
    trained = prepared.trained
    if saved is not None:
        _enter_saved_phase(trained, saved)
        _check_weights(stopped, trained, saved, changes)
    changes = _check_environment(stopped, prepared, changes, fork)
    if saved is None:
        return changes, None
    return changes, _resumed(stopped, trained, saved, changes, fork)


def _enter_saved_phase(prepared: Prepared, saved: Checkpoint) -> None:
    """Compile for the phase of the saved state, so that it is seen whether the state fits.

    Several workers do that together, when training begins.
    """
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


def _check_weights(
    stopped: Stopped, prepared: Prepared, saved: Checkpoint, changes: list[Change]
) -> None:
    """Refuse an architecture that the saved weights do not fit; raises ConfigError."""
    misfit = checkpoint.misfit(prepared.compiled.model, saved, "model")
    if misfit:
        suspects = [c.name for c in changes if c.is_architecture]
        raise ConfigError(
            f"{' and '.join(suspects) or 'The model'} cannot change within a run: the weights of "
            f"{stopped.name} do not fit ({misfit}). Start a new run with tfpipe run."
        )


def _resumed(
    stopped: Stopped, prepared: Prepared, saved: Checkpoint, changes: list[Change], fork: bool
) -> Resumed:
    """What to go on from."""
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
    touched = changed_fields(changes)
    from_epoch = fork or bool(touched & set(_STEPS))
    if from_epoch and saved.state.step:
        logger.warning("Epoch %d is begun again.", saved.state.epoch + 1)
    extended = pipeline.epochs > stopped.declared_epochs
    fine_tune = pipeline.fine_tune
    # What a callback stopped is over for good where another phase comes after it.
    another_phase = fine_tune is not None and saved.state.phase + 1 < len(fine_tune.phases)
    return Resumed(
        saved,
        tuple(rows),
        parts=_parts(prepared, saved, changes, from_epoch),
        from_epoch=from_epoch,
        over=saved.state.stopped and (another_phase or not (extended or fork)),
        new_learning_rate=bool(changed_fields(changes) & {"optimizer", "fine_tune"}),
        callbacks=not any(c.meaning == "result" and c.name.startswith(_JUDGED) for c in changes),
        save_first=fork,
    )


def _parts(
    prepared: Prepared, saved: Checkpoint, changes: list[Change], from_epoch: bool
) -> tuple[str, ...]:
    """Which parts of a state to put back; one that a change has made unfit is left out.

    Raises:
        RunError: when a part does not fit although nothing was changed that explains it.
    """
    model, parts = prepared.compiled.model, ["model"]
    if prepared.compiled.phase != saved.state.phase:  # several workers enter it later
        return checkpoint.GROUPS
    for part, fields in {"optimizer": _OPTIMIZED, "metrics": _JUDGED}.items():
        another = any(c.name == part for c in changes)
        misfit = checkpoint.misfit(model, saved, part)
        if not misfit and not another:
            parts.append(part)
        elif part == "metrics" and from_epoch:  # which resets them anyway
            continue
        elif not changed_fields(changes) & set(fields):
            raise RunError(f"{saved.path} does not fit the {part}: {misfit}.")
        elif part == "optimizer":
            logger.warning("The optimizer is another one: it starts without the state of the old.")
    return tuple(parts)


def take_up(
    stopped: Stopped,
    prepared: Prepared,
    resumed: Resumed | None,
    changes: list[Change],
    first_batch: str,
) -> None:
    """Take back what was written after the state, and write down that the run goes on."""
    run = stopped.directory
    run.tidy()
    epoch, step, saved_at = 0, 0, 0.0
    if resumed is not None:
        now = resumed.saved.state
        epoch, step, saved_at = now.epoch, resumed.step, now.saved_at
        checkpoint.set_damaged_aside(run.checkpoints, resumed.saved.path)
    write_rows(run.metrics_file, list(resumed.rows) if resumed else [])
    remove_events_after(run.tensorboard, saved_at)
    entry = {
        "time": datetime.now().isoformat(timespec="seconds"),
        "epoch": epoch,
        "step": step,
        "changes": {c.name: [c.was, c.now] for c in changes},
    }
    kept = {k: stopped.config[k] for k in ("forked_from",) if k in stopped.config}
    write_records(
        run,
        prepared,
        earlier=stopped.environment,
        first_batch_sha256=first_batch,
        resumed=[*stopped.config.get("resumed", ()), entry],
        **kept,
    )


def fork_run(
    stopped: Stopped,
    prepared: Prepared,
    resumed: Resumed | None,
    changes: list[Change],
    first_batch: str,
    root: Path,
) -> RunDirectory:
    """A new run that begins with the curves, the best model and the state of another."""
    if resumed is None:
        raise RunError(f"{stopped.name} has saved no state to start from: run it anew.")
    origin, new = stopped.directory, create_run(root, prepared.loaded.name, datetime.now())
    state = resumed.saved.state
    with storage(new.path):
        if origin.tensorboard.is_dir():
            others = shutil.ignore_patterns("*.hparams.*")  # the values of the other run
            shutil.copytree(origin.tensorboard, new.tensorboard, ignore=others)
            remove_events_after(new.tensorboard, state.saved_at)
        best = origin.checkpoints / "best.keras"
        if resumed.callbacks and best.is_file():
            shutil.copyfile(best, new.checkpoints / best.name)
    write_rows(new.metrics_file, list(resumed.rows))
    write_records(
        new,
        prepared,
        first_batch_sha256=first_batch,
        forked_from={
            "run": stopped.name,
            "epoch": state.epoch,
            "step": state.step,
            "changes": {c.name: [c.was, c.now] for c in changes},
        },
    )
    return new
