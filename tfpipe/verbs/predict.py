"""`tfpipe predict`: what is in pictures, by a pretrained network as it is or by a run's model."""

import os
from collections.abc import Iterable
from pathlib import Path

from tfpipe.data.images.formats import SUFFIXES
from tfpipe.data.layouts import images_below
from tfpipe.declare.loading import Loaded, from_instance, load
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import ConfigError, DataError, RunError, suggest
from tfpipe.jobs.predict.best_model import of_run
from tfpipe.jobs.predict.predictor import Prediction, Predictor
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
    """What a model says of image files.

    Args:
        target: a pipeline file whose network needs no training, such a pipeline, or a run.
        paths: image files, and folders, in which they are searched for.
        overrides: `a.b=value` texts for a pipeline file.
        top: how many classes of each file to give.
        root: the folder with runs/.

    Raises:
        TfpipeError: when there is no such model, or it would be random, or there are no files. A
            file that cannot be read is no error: its answer says why.
    """
    files, _ = find_files(paths)
    ready = predictor(target, overrides=overrides, root=root)
    return list(ready.answers(files, top))


def predictor(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> Predictor:
    """The model that a person means; see `predict`. `terminal` is told what is slow."""
    terminal = terminal or Silent()
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
    return of_run(read_stopped(_run(target, Path(root))), terminal)


def find_files(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """The image files that are named or lie in folders, and notes on what was left out.

    Raises:
        DataError: for a path that does not exist, or when there is no image at all.
    """
    files: list[str] = []
    notes: list[str] = []
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"There is no file or folder {given!r}. {suggest(path.name, near)}")
        if not path.is_dir():
            files.append(str(path))
            continue
        below = _below(path)
        files += [str(path / name) for name in below]
        others = sum(len(names) for _, _, names in os.walk(path)) - len(below)
        if others > 0:
            them = "1 file that is" if others == 1 else f"{others:,} files that are"
            notes.append(f"{given}: {them} hidden or no images left out.")
    if not files:
        kinds = ", ".join(s.removeprefix(".") for s in SUFFIXES)
        raise DataError(f"There is no image in {', '.join(paths)}; looked for {kinds}.")
    return files, notes


def _below(folder: Path) -> list[str]:
    try:
        return images_below(folder)
    except OSError as error:
        raise DataError(f"{error.filename or folder} cannot be read: {error.strerror}.") from None


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
