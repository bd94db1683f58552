"""Starting a run: its directory, its records, and its execution."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tfpipe.data import disk
from tfpipe.declare.loading import Loaded
from tfpipe.jobs.execute import Run, RunPlan, execute
from tfpipe.jobs.features import with_features
from tfpipe.jobs.plan import Team, first_batch, prepare
from tfpipe.jobs.records import write_records
from tfpipe.runs.directory import cache_folder, check_writable, create_run, run_at
from tfpipe.terminal import Terminal


def start_run(
    loaded: Loaded,
    *,
    terminal: Terminal,
    root: Path = Path("."),
    sample: int | bool | None = None,
    test: bool = True,
    export: bool = True,
    extra: Sequence[Any] = (),
    team: Team | None = None,
    directory: Path | None = None,
) -> Run:
    """Train, evaluate and export in a new run; the arguments are those of the verb `run`.

    Raises:
        TfpipeError: see `tfpipe.errors`; the run's status.json says the same.
    """
    check_writable(root)
    disk.folder.set(cache_folder(root))
    prepared = prepare(loaded, sample, terminal, team)
    data = first_batch(prepared, terminal)
    if prepared.pipeline.cache_features:
        prepared = with_features(prepared, terminal)
    run = run_at(directory) if directory else create_run(root, loaded.name, datetime.now())
    with run.lock():
        write_records(run, prepared, first_batch_sha256=data)
        return execute(RunPlan(prepared, run, root, terminal, test, export, extra=extra))
