"""`tfpipe run`: train, evaluate once on the test split, export, and record all of it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tfpipe import runs
from tfpipe.data import disk
from tfpipe.declare.loading import Loaded, from_instance
from tfpipe.declare.pipeline import Pipeline
from tfpipe.terminal import Silent, Terminal
from tfpipe.verbs.carry_out import Job, Run, carry_out
from tfpipe.verbs.prepare import Team, first_batch, prepare
from tfpipe.verbs.records import write_records


def run(
    pipeline: Pipeline | Loaded,
    *,
    root: str | Path = ".",
    sample: int | bool | None = None,
    test: bool = True,
    export: bool = True,
    terminal: Terminal | None = None,
    quiet: bool = False,
    extra: Sequence[Any] = (),
    team: Team | None = None,
    directory: Path | None = None,
) -> Run:
    """Train a pipeline, evaluate it once on its test split, and export it.

    Args:
        pipeline: an instance, or a loaded file.
        root: the folder for runs/ and saved_models/.
        sample: train on generated data instead: True, or how many samples.
        test: whether to evaluate on the test split at the end.
        export: whether to write a SavedModel at the end.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.
        extra: Keras callbacks that come after all others, the saving of the state included.
        team: the workers that train together, of which this process is the chief.
        directory: the run's directory, when somebody has made it.

    Raises:
        TfpipeError: see `tfpipe.errors`; the run's status.json says the same.

    Example:
        result = tfpipe.run(Cifar10CNN(epochs=2), sample=True)
        result.history["loss"]
    """
    loaded = pipeline if isinstance(pipeline, Loaded) else from_instance(pipeline)
    terminal = terminal or (Silent() if quiet else Terminal())
    root = Path(root)
    runs.check_writable(root)
    disk.folder.set(runs.cache(root))
    prepared = prepare(loaded, sample, terminal, team)
    data = first_batch(prepared, terminal)
    made = runs.at(directory) if directory else runs.create(root, loaded.name, datetime.now())
    with made.lock():
        write_records(made, prepared, first_batch_sha256=data)
        job = Job(prepared, made, root, terminal, test, export, extra=extra)
        return carry_out(job)
