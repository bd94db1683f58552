"""`tfpipe search`: the same training with one set of values after the other, and the best of them.

The ranges are those of the declaration. Keras Tuner proposes the values; each trial is a run in a
process of its own, so one that fails, or is killed, is a line in the table and not the end.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tfpipe.declare.field_types import Duration
from tfpipe.declare.loading import Loaded, differing, load, loaded_from
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve
from tfpipe.devices.machine import Machine
from tfpipe.devices.shares import Share, shares
from tfpipe.devices.startup import import_tensorflow
from tfpipe.errors import ConfigError, Interrupted, RunError
from tfpipe.processes.pool import ProcessPool
from tfpipe.processes.signals import count_stop_signals
from tfpipe.runs.directory import check_writable
from tfpipe.terminal import Silent, Terminal
from tfpipe.tuning import store
from tfpipe.tuning.space import Space
from tfpipe.tuning.store import Search, SearchOptions, Trial, Tuner
from tfpipe.tuning.vary import vary as varied
from tfpipe.verbs.search.checks import (
    check,
    check_changes,
    count,
    objective_of,
    probe,
    seconds_of,
    space_in,
)
from tfpipe.verbs.search.view import SearchView, header, show_resume_command, summary

# What a trial imports, for the pool to have it ready.
PRELOAD = (
    "tfpipe.tuning.trial",
    "tfpipe.tuning.hparams",
    "tfpipe.tuning.median",
    "tfpipe.jobs.execute",
    "tfpipe.jobs.resumption",
    "tfpipe.jobs.start",
    "tensorboard.summary.v2",
)


def search(
    file: str | Path | Pipeline | Loaded,
    *,
    vary: Sequence[str] = (),
    tuner: Tuner = "bayesian",
    trials: int | None = None,
    budget: float | str | None = None,
    hard: bool = False,
    workers: int = 1,
    objective: str | None = None,
    seed: int | None = None,
    sample: int | bool | None = None,
    median: bool = False,
    declared_first: bool = False,
    memory: int | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Search:
    """Search for the values with which a pipeline does best.

    Args:
        file: FILE or FILE::ClassName of a pipeline, or one that a file declares.
        vary: further ranges, such as "optimizer.learning_rate=1e-4..1e-1:log".
        tuner: how the next values are chosen: random, bayesian, hyperband or grid.
        trials: how many; when None 20, or all settings where there are fewer (grid). Hyperband
            counts its trials itself, from the declared epochs.
        budget: how long to search: seconds, or a text such as "2h". When it is used up, no trial
            is begun.
        hard: whether running trials are then stopped and kept; otherwise they finish.
        workers: how many trials run at a time, each with its share of cores and GPUs.
        objective: the metric that decides; when None what early stopping monitors, or else
            validation accuracy, or else validation loss.
        seed: of the choice of values; the pipeline's when None.
        sample: train on generated data instead: True, or how many samples.
        median: stop a trial that does worse than the median of the others at the same epoch.
        declared_first: make the declared values the first trial.
        memory: the bytes that each trial may take; no limit when None.
        root: the folder for searches/.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        ConfigError: for a pipeline without ranges, or options that do not fit it.
        Interrupted: when a person stopped it; `resume_search` goes on.
        TrainingError: when all trials fail for one reason, or not one could be trained.

    Example:
        found = tfpipe.search("pipelines/cifar10_cnn.py", trials=12)
        found.best().overrides
    """
    return begin(
        varied(loaded_from(file), vary),
        terminal or (Silent() if quiet else Terminal()),
        Path(root),
        tuner=tuner,
        trials=trials,
        budget=budget,
        hard=hard,
        workers=workers,
        objective=objective,
        seed=seed,
        sample=sample,
        median=median,
        declared_first=declared_first,
        memory=memory,
    )


def begin(
    loaded: Loaded,
    terminal: Terminal,
    root: Path,
    *,
    tuner: Tuner,
    trials: int | None = None,
    budget: float | str | None = None,
    workers: int = 1,
    objective: str | None = None,
    seed: int | None = None,
    memory: int | None = None,
    sample: int | bool | None = None,
    **more: Any,
) -> Search:
    """Begin a search over a pipeline's ranges; the arguments are those of `search`.

    Args:
        more: further fields of `SearchOptions`.
    """
    space = space_in(loaded)
    check(space, tuner, trials, workers, memory)
    seconds = seconds_of(budget)
    check_writable(root)
    parts = _shares(workers, loaded)
    with count_stop_signals() as asked_to_stop, ProcessPool(PRELOAD) as pool:
        _start_keras_tuner()
        probed = probe(pool, loaded, sample, root, terminal, asked_to_stop)
        decided, direction = objective_of(objective, probed)
        options = SearchOptions(
            tuner=tuner,
            trials=count(space, tuner, trials),
            objective=decided,
            direction=direction,
            seed=resolve(loaded.pipeline).seed if seed is None else seed,
            workers=workers,
            budget=seconds,
            sample=sample,
            memory=memory,
            **more,
        )
        created = store.create_search(root, loaded, datetime.now(), options, space.to_json())
        with created.directory.lock("being carried on"):
            return _run_search(created, space, terminal, parts, pool, asked_to_stop)


def resume_search(
    reference: str = "last",
    *,
    trials: int | None = None,
    budget: float | str | None = None,
    hard: bool | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    root: str | Path = ".",
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Search:
    """Go on with a search: finished trials stay, running ones go on from their saved state.

    Args:
        reference: its name, a unique beginning of it, its path, or "last".
        trials: how many in all, when that is to change.
        budget: how long to search in all, when that is to change.
        hard: whether the budget stops running trials, when that is to change.
        workers: how many trials run at a time, when that is to change.
        retry_failed: whether to train trials that failed again, from the beginning.
        root: the folder that holds searches/.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        RunError: for no such search, one that another process is at, or nothing left to do.
        ConfigError: when the file declares something else now.
    """
    terminal = terminal or (Silent() if quiet else Terminal())
    search = store.find_search(Path(root), reference)
    with search.directory.lock("being carried on"):
        search = store.read_search(search.directory.path, Path(root))  # as it is now
        loaded = search.load()
        space = space_in(loaded)
        changes: dict[str, Any] = {
            "trials": trials,
            "budget": seconds_of(budget),
            "hard": hard,
            "workers": workers,
        }
        failed = [t for t in search.trials() if t.state == "failed"] if retry_failed else []
        check_changes(search, space, trials, bool(failed))
        search.options = replace(
            search.options, **{n: v for n, v in changes.items() if v is not None}
        )
        parts = _shares(search.options.workers, loaded)
        with count_stop_signals() as asked_to_stop, ProcessPool(PRELOAD) as pool:
            _start_keras_tuner()
            return _run_search(search, space, terminal, parts, pool, asked_to_stop, failed)


def join(
    reference: str,
    file: str | Path | Pipeline | Loaded | None = None,
    *,
    vary: Sequence[str] = (),
    workers: int = 1,
    root: str | Path = ".",
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Search:
    """Run trials of a search beside whoever runs it, here or on a machine that shares its folder.

    Args:
        reference: the search's name, a unique beginning of it, its path, or "last".
        file: FILE or FILE::ClassName of the same pipeline, where it lies elsewhere on this machine.
        vary: the search's further ranges, where `file` is given with overrides.
        workers: how many trials run at a time here.
        root: the folder that holds searches/.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        RunError: for no such search, or one that is finished.
        ConfigError: for another pipeline than the search's.
    """
    terminal = terminal or (Silent() if quiet else Terminal())
    search = store.find_search(Path(root), reference)
    if search.state == "finished":
        raise RunError(f"{search.name} is finished: there is nothing left to join.")
    if file is not None:
        given = varied(loaded_from(file), vary)
        _check_same(given, search)
        search.target = given.target
    loaded = search.load()
    parts = _shares(workers, loaded)
    with count_stop_signals() as asked_to_stop, ProcessPool(PRELOAD) as pool:
        _start_keras_tuner()
        return _run_search(search, space_in(loaded), terminal, parts, pool, asked_to_stop)


def _check_same(loaded: Loaded, search: Search) -> None:
    """Refuse to train another declaration's trials; one without overrides gets the search's."""
    if not loaded.overrides:
        loaded = load(loaded.target, search.overrides)
    if fields := differing(loaded.pipeline, search.pipeline):
        raise ConfigError(
            f"{loaded.name} declares another {', '.join(fields)} than {search.name}: all processes "
            "of a search train the same. Give the FILE and the overrides that it began with."
        )


def _start_keras_tuner() -> None:
    import_tensorflow()  # quietly; Keras Tuner imports it
    import keras_tuner  # noqa: F401


def _run_search(
    search: Search,
    space: Space,
    terminal: Terminal,
    parts: Sequence[Share],
    pool: ProcessPool,
    asked_to_stop: Callable[[], int],
    again: Sequence[Trial] = (),
) -> Search:
    """Run what is left, and some trials again, and tell of it."""
    from tfpipe.tuning.claims import Claims
    from tfpipe.tuning.hparams import write_config
    from tfpipe.tuning.oracles.make import make_oracle, plan
    from tfpipe.tuning.proposals import Proposals
    from tfpipe.tuning.records import Records
    from tfpipe.tuning.scheduler import Scheduler, Slot

    options, project = search.options, search.directory.path / "tuner"
    with Claims(search.directory.path / "claims") as claims:
        with claims.turn("oracle"):
            oracle = make_oracle(
                options.tuner,
                space.hyperparameters(),
                objective=options.objective,
                direction=options.direction,
                trials=options.trials,
                seed=options.seed,
                epochs=resolve(space.pipeline).all_epochs,
                project=project,
                declared=space.declared() if options.declared_first else None,
                size=space.size_for(options.tuner),
                reload=(project / "oracle.json").exists() or bool(search.trials()),
            )
            for trial in again:
                search.clear(trial)
            oracle.reopen([trial.id for trial in again])
        proposals, records = Proposals(search, space, oracle, claims), Records(search)
        search.state, search.reason = "running", ""
        search.write()
        write_config(search)
        planned = plan(oracle, resolve(space.pipeline).all_epochs)
        header(search, terminal, planned.trials)
        counted = planned.epochs if options.tuner == "hyperband" else None
        with (
            _closed(records, terminal),
            SearchView(terminal, search, planned.trials, counted) as view,
        ):
            slots = [Slot(f"tuner{number}", share) for number, share in enumerate(parts)]
            Scheduler(search, proposals, view, pool, records).run(slots, asked_to_stop)
    summary(search, terminal)
    return search


@contextlib.contextmanager
def _closed(records: Any, terminal: Terminal) -> Iterator[None]:
    """Write down how the search ended, however it did."""
    try:
        yield
    except Interrupted as error:
        records.close("interrupted", str(error))
        show_resume_command(records.search, terminal)
        raise
    except BaseException as error:
        records.close("failed", str(error) or type(error).__name__)
        raise
    if budget := records.used_up():
        records.close("interrupted", f"The budget of {Duration(budget)} is used up.")
    else:
        records.close("finished")


def _shares(workers: int, loaded: Loaded) -> list[Share]:
    """Each worker's part of the machine; raises ConfigError where there are not so many."""
    return shares(workers, Machine(), str(resolve(loaded.pipeline).device))
