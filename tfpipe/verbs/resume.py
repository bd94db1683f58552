"""`tfpipe resume`: go on exactly where a run stopped, or say why that cannot be."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import Pipeline
from tfpipe.jobs.execute import Run
from tfpipe.jobs.plan import Team
from tfpipe.jobs.resume import resume_run
from tfpipe.terminal import Silent, Terminal


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
    extra: Sequence[Any] = (),
    team: Team | None = None,
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

    Raises:
        RunError: for no such run, a finished one, one that is being trained, or damaged states.
        ConfigError: for a declaration that the run cannot go on with.

    Example:
        tfpipe.resume("cifar10_cnn/20261120-101502", ["epochs=40"])
    """
    return resume_run(
        reference,
        overrides,
        terminal=terminal or (Silent() if quiet else Terminal()),
        root=Path(root),
        pipeline=pipeline,
        fork=fork,
        test=test,
        export=export,
        extra=extra,
        team=team,
    )
