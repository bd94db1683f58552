"""`tfpipe run`: train, evaluate once on the test split, export, and record all of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfpipe.declare.loading import Loaded, loaded_from
from tfpipe.declare.pipeline import Pipeline
from tfpipe.jobs.execute import Run
from tfpipe.jobs.plan import Team
from tfpipe.jobs.start import start_run
from tfpipe.terminal import Silent, Terminal


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
    loaded = loaded_from(pipeline)
    return start_run(
        loaded,
        terminal=terminal or (Silent() if quiet else Terminal()),
        root=Path(root),
        sample=sample,
        test=test,
        export=export,
        extra=extra,
        team=team,
        directory=directory,
    )
