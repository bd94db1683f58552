"""Resuming a run: go on exactly where it stopped, or say why that cannot be."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.data import disk_cache
from tfpipe.declare.loading import Loaded
from tfpipe.declare.origins import resolved_fields
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve
from tfpipe.errors import RunError
from tfpipe.jobs.prepare import Team, prepare
from tfpipe.jobs.restore import Stopped, find, read_stopped, redeclare
from tfpipe.jobs.run import Run, RunPlan
from tfpipe.runs.changes import Change, changed_code, field_changes, refuse
from tfpipe.runs.directory import cache_folder
from tfpipe.terminal import Silent, Terminal
from tfpipe.training.checkpoint import states

if TYPE_CHECKING:
    import keras


def resume(
    reference: str | None = None,
    overrides: Iterable[str] = (),
    *,
    pipeline: Pipeline | Loaded | None = None,
    root: str | Path = ".",
    fork: bool = False,
    test: bool = True,
    export: bool = True,
    terminal: Terminal | None = None,
    quiet: bool = False,
    extra: "Sequence[keras.callbacks.Callback]" = (),
    team: Team | None = None,
    profile: tuple[int, int] | None = None,
) -> Run:
    """Go on with a run from its last saved state, to the end that it would have had.

    Args:
        reference: a run's name, a unique beginning of it, its path, or "last"; the newest
            unfinished run when None.
        overrides: `a.b=value` texts. What would change the result needs `fork`; more `epochs`
            extend a finished run.
        pipeline: the declaration to go on with; when None, the run's file as it is now.
        root: the folder that holds runs/ and saved_models/.
        fork: start a new run from the state, linked to this one, which stays as it is.
        test: whether to evaluate on the test split at the end.
        export: whether to write a SavedModel at the end.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.
        extra: Keras callbacks that come after all others, the saving of the state included.
        team: the workers that train together, of which this process is the chief.
        profile: the first and the last step that TensorFlow's profiler traces, from 1, those that
            are done counted too.

    Raises:
        RunError: for no such run, a finished one, one that is being trained, or damaged states.
        ConfigError: for a declaration that the run cannot go on with.

    Example:
        tfpipe.resume("cifar10_cnn/20261120-101502", ["epochs=40"])
    """
    root, terminal = Path(root), terminal or (Silent() if quiet else Terminal())
    disk_cache.folder.set(cache_folder(root))
    run = find(root, reference, terminal)
    # A fork only reads: its origin may even be in training.
    with contextlib.nullcontext() if fork else run.lock():
        stopped = read_stopped(run)
        loaded = redeclare(stopped, tuple(overrides), pipeline)
        changes = _compare(stopped, loaded)
        _check_changes(stopped, loaded, changes, fork, terminal)
        prepared = prepare(loaded, stopped.sample, terminal, team)
        # These import TensorFlow, which `prepare` has started.
        from tfpipe.jobs import resumption
        from tfpipe.jobs.execute import execute
        from tfpipe.jobs.features import with_features
        from tfpipe.jobs.first_batch import read_first_batch
        from tfpipe.training.callbacks.profile import profiled

        data = read_first_batch(prepared, terminal)
        resumption.check_data(stopped, prepared, data, changes)
        if prepared.pipeline.cache_features:
            prepared = with_features(prepared, terminal)
        saved = resumption.find_state(stopped, fork)
        changes, resumed = resumption.fit(stopped, prepared, saved, changes, fork)
        plan = RunPlan(prepared, run, root, terminal, test, export, resumed, extra=extra)
        if fork:
            forked = resumption.fork_run(stopped, prepared, resumed, changes, data, root)
            plan = replace(plan, directory=forked)
        else:
            resumption.take_up(stopped, prepared, resumed, changes, data)
            plan = replace(plan, notes=_evaluated_before(stopped))
        done = (0, 0) if resumed is None else (resumed.saved.state.epoch, resumed.step)
        board = plan.directory.tensorboard / "train"
        with (
            plan.directory.lock() if fork else contextlib.nullcontext(),
            profiled(board, profile, terminal, done) as tracing,
        ):
            return execute(replace(plan, extra=(*extra, *tracing)))


def _compare(stopped: Stopped, loaded: Loaded) -> list[Change]:
    changes = field_changes(stopped.config["fields"], resolved_fields(loaded))
    copy = stopped.directory.path / "pipeline.py"
    if loaded.path is not None and loaded.path.is_file() and copy.is_file():
        changes += changed_code(copy, loaded.path)
    return changes


def _check_changes(
    stopped: Stopped, loaded: Loaded, changes: list[Change], fork: bool, terminal: Terminal
) -> None:
    """Show what differs, and refuse what is seen to be wrong before anything is read."""
    if changes:
        meanings = {"safe": "safe", "result": "changes the result", "impossible": "impossible"}
        architecture = "changes the result, if the weights fit"
        rows = [
            (c.name, c.was, c.now, architecture if c.is_architecture else meanings[c.meaning])
            for c in changes
        ]
        terminal.table(("changed", "was", "is", "meaning"), rows)
        terminal.say()
    # Whether the weights still fit is known when the model is built.
    refuse([c for c in changes if not c.is_architecture], stopped.name, fork)
    declared = stopped.declared_epochs
    if stopped.status.state == "finished" and loaded.pipeline.all_epochs <= declared:
        done = stopped.status.epoch
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
    if stopped.status.state == "finished" and not states(stopped.directory.checkpoints):
        raise RunError(
            f"{stopped.name} is finished and keeps no saved state to go on from (tfpipe runs clean "
            "frees them). Start a new run with tfpipe run."
        )


def _evaluated_before(stopped: Stopped) -> tuple[str, ...]:
    if "test" not in stopped.status.metrics:
        return ()
    return (
        f"The test split was evaluated before, after epoch {stopped.status.epoch}: choose nothing "
        "by comparing the two.",
    )
