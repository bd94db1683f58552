"""Starting a run: its directory, its records, and its execution."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.data import disk_cache
from tfpipe.declare.loading import Loaded, loaded_from
from tfpipe.declare.pipeline import Pipeline
from tfpipe.jobs.first_look import for_first_look
from tfpipe.jobs.prepare import Team, prepare
from tfpipe.jobs.records import write_records
from tfpipe.jobs.run import Run, RunPlan
from tfpipe.runs.directory import cache_folder, check_writable, create_run, run_at
from tfpipe.terminal import Silent, Terminal

if TYPE_CHECKING:
    import keras


def run(
    pipeline: Pipeline | Loaded,
    *,
    root: str | Path = ".",
    sample: int | bool | None = None,
    test: bool = True,
    export: bool = True,
    terminal: Terminal | None = None,
    quiet: bool = False,
    extra: "Sequence[keras.callbacks.Callback]" = (),
    team: Team | None = None,
    directory: Path | None = None,
    profile: tuple[int, int] | None = None,
) -> Run:
    """Train a pipeline, evaluate it once on its test split, and export it.

    Args:
        pipeline: an instance, or a loaded file.
        root: the folder for runs/ and saved_models/.
        sample: train on generated data instead: how many samples; or True for a first look, on
            some thousand samples and few epochs where none are given.
        test: whether to evaluate on the test split at the end.
        export: whether to write a SavedModel at the end.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.
        extra: Keras callbacks that come after all others, the saving of the state included.
        team: the workers that train together, of which this process is the chief.
        directory: the run's directory, when somebody has made it.
        profile: the first and the last step that TensorFlow's profiler traces, from 1.

    Raises:
        TfpipeError: see `tfpipe.errors`; the run's status.json says the same.

    Example:
        result = tfpipe.run(Cifar10CNN(epochs=2), sample=True)
        result.history["loss"]
    """
    root, loaded = Path(root), for_first_look(loaded_from(pipeline), sample)
    terminal = terminal or (Silent() if quiet else Terminal())
    check_writable(root)
    disk_cache.folder.set(cache_folder(root))
    prepared = prepare(loaded, sample, terminal, team)
    # These import TensorFlow, which `prepare` has started.
    from tfpipe.jobs.execute import execute
    from tfpipe.jobs.features import with_features
    from tfpipe.jobs.first_batch import read_first_batch
    from tfpipe.training.callbacks.profile import profiled

    data = read_first_batch(prepared, terminal)
    if prepared.pipeline.cache_features:
        prepared = with_features(prepared, terminal)
    own = run_at(directory) if directory else create_run(root, loaded.name, datetime.now())
    with own.lock():
        write_records(own, prepared, first_batch_sha256=data)
        with profiled(own.tensorboard / "train", profile, terminal) as tracing:
            extra = (*extra, *tracing)
            return execute(RunPlan(prepared, own, root, terminal, test, export, extra=extra))
