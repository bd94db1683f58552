"""`tfpipe predict`: what a run's model, or a pretrained network as it is, says of files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tfpipe.declare.loading import Loaded, from_instance, load
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import ConfigError, DataError, RunError, suggest
from tfpipe.jobs.predict.best_model import of_run
from tfpipe.jobs.predict.predictor import Prediction, Predictor, find_images
from tfpipe.jobs.predict.pretrained import of_declaration
from tfpipe.jobs.restore import read_stopped
from tfpipe.runs.directory import RunDirectory, find_run
from tfpipe.terminal import Silent, Terminal


def predict(
    target: str | Pipeline | Loaded,
    paths: Iterable[str],
    *,
    overrides: Iterable[str] = (),
    top: int = 5,
    root: str | Path = ".",
) -> list[Prediction]:
    """What a model says of image files, or of the rows of CSV files.

    Args:
        target: a pipeline file whose network needs no training, such a pipeline, or a run.
        paths: image files, and folders, in which they are searched for; CSV files where the model
            reads a table or a text.
        overrides: `a.b=value` texts for a pipeline file.
        top: how many classes of each file to give.
        root: the folder with runs/.

    Raises:
        TfpipeError: when there is no such model, or it would be random, or there are no files. A
            file that cannot be read is no error: its answer says why.
    """
    paths = list(paths)
    check_paths(paths)
    ready = predictor(target, overrides=overrides, root=root, paths=paths)
    files, _ = ready.find(paths)
    return list(ready.answers(files, top))


def predictor(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    root: str | Path = ".",
    terminal: Terminal | None = None,
    paths: Sequence[str] = (),
) -> Predictor:
    """The model that a person means; see `predict`.

    Args:
        target: as for `predict`.
        overrides: as for `predict`.
        root: as for `predict`.
        terminal: told what is slow.
        paths: what it will be asked about, to be refused before the model is made.
    """
    terminal = terminal or Silent()
    run = isinstance(target, str) and "::" not in target and not target.endswith(".py")
    if paths and not run:
        find_images(paths)
    if isinstance(target, Pipeline):
        return of_declaration(from_instance(target), terminal)
    if isinstance(target, Loaded):
        return of_declaration(target, terminal)
    if "::" in target or target.endswith(".py"):
        return of_declaration(load(target, overrides), terminal)
    if given := tuple(overrides):
        raise ConfigError(
            f"{given[0]}: a run has its values already. Leave it out, or name a pipeline file."
        )
    return of_run(read_stopped(_run(target, Path(root))), terminal, paths)


def check_paths(paths: Iterable[str]) -> None:
    """Refuse a path that does not exist, before anything is loaded; raises DataError."""
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"There is no file or folder {given!r}. {suggest(path.name, near)}")


def _run(target: str, root: Path) -> RunDirectory:
    try:
        return find_run(root, target)
    except RunError as error:
        if Path(target).exists():
            raise ConfigError(
                f"{target} is neither a pipeline file nor a run. Expected is tfpipe predict "
                f"FILE|RUN PATH..., such as tfpipe predict last {target}"
            ) from None
        raise error
