"""Loading a pipeline from `FILE` or `FILE::ClassName`.

A file that holds one pipeline needs no class name. Where it holds several, the one that bears the
file's own name is meant (`Cifar10CNN` in `cifar10_cnn.py`); any other is named after `::`.
"""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tfpipe.declare.overrides import apply_overrides
from tfpipe.declare.pipeline import Pipeline, is_abstract
from tfpipe.errors import ConfigError, PipelineFileError, TfpipeError, suggest


@dataclass(frozen=True)
class Loaded:
    """A pipeline as it was asked for.

    Args:
        pipeline: the instance, overrides applied.
        declared: the instance as its file declares it.
        path: its file; None for a pipeline made in Python.
        name: what its runs and exports are called: the file's stem, or `stem.ClassName` where the
            file holds several and one was chosen.
        overrides: the `a.b=v` texts that were applied.
    """

    pipeline: Pipeline
    declared: Pipeline
    path: Path | None
    name: str
    overrides: tuple[str, ...] = ()


def load(target: str, overrides: Iterable[str] = ()) -> Loaded:
    """The pipeline that a command line names.

    Args:
        target: `FILE` or `FILE::ClassName`.
        overrides: `a.b=value` texts.

    Raises:
        PipelineFileError: when the file is missing, does not import, or names no single pipeline.
        ConfigError: when the declaration or an override is wrong.
    """
    file, _, chosen = target.partition("::")
    path = _existing(file)
    module = _import(path)
    candidates = {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Pipeline)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    }
    cls = _choose(path, candidates, chosen)
    try:
        pipeline = cls()
    except ConfigError as error:
        raise ConfigError(f"{_shown(path)}: {error}") from error
    several = len([c for c in candidates.values() if not is_abstract(c)]) > 1
    name = f"{path.stem}.{cls.__name__}" if chosen and several else path.stem
    texts = tuple(overrides)
    return Loaded(apply_overrides(pipeline, texts), pipeline, path, name, texts)


def from_instance(pipeline: Pipeline) -> Loaded:
    """A pipeline made in Python, named after its file and class as `load` would."""
    module = sys.modules.get(type(pipeline).__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        return Loaded(pipeline, pipeline, None, type(pipeline).__name__)
    path = Path(file)
    return Loaded(pipeline, pipeline, path, f"{path.stem}.{type(pipeline).__name__}")


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _existing(file: str) -> Path:
    path = Path(file).expanduser()
    if path.is_file() and path.suffix == ".py":
        return path.resolve()
    if path.is_dir():
        raise PipelineFileError(f"{file} is a folder: name a pipeline file in it, ending in .py.")
    if path.is_file():
        raise PipelineFileError(f"{file} is no Python file: a pipeline file ends in .py.")
    folder = path.parent
    there = [str(folder / p.name) for p in folder.glob("*.py")] if folder.is_dir() else []
    raise PipelineFileError(f"There is no file {file!r}. {suggest(file, there)}".strip())


def _import(path: Path) -> ModuleType:
    """The module of a pipeline file, imported anew, with its project's folders importable."""
    for folder in (_project_root(path), path.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"tfpipe_file_{digest}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except TfpipeError as error:
        raise type(error)(f"{_place(error, path)}: {error}") from error
    except Exception as error:
        raise PipelineFileError(_import_message(error, path)) from error
    return module


def _project_root(path: Path) -> Path:
    """The nearest folder above a file that looks like a project: it holds `callbacks/`."""
    for folder in path.parents:
        if (folder / "callbacks").is_dir() or (folder / "pyproject.toml").is_file():
            return folder
    return path.parent


def _place(error: BaseException, path: Path) -> str:
    """`file:line` of the last frame of an error that lies in the user's file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"{_shown(path)}:{lines[-1]}" if lines else _shown(path)


def _import_message(error: BaseException, path: Path) -> str:
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename == str(path):
        text = (error.text or "").strip()
        return f"{_shown(path)}:{error.lineno} does not import: {kind}: {error.msg}\n    {text}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename == str(path)]
    line = f"\n    {own[-1].line}" if own and own[-1].line else ""
    return f"{_place(error, path)} does not import: {kind}: {error}{line}"


def _choose(path: Path, candidates: dict[str, type[Pipeline]], chosen: str) -> type[Pipeline]:
    usable = {n: c for n, c in candidates.items() if not is_abstract(c)}
    if chosen:
        if chosen not in candidates:
            raise PipelineFileError(
                f"{_shown(path)} has no pipeline {chosen!r}. {suggest(chosen, candidates)}".strip()
            )
        return candidates[chosen]
    if not candidates:
        raise PipelineFileError(
            f"{_shown(path)} holds no pipeline: it needs a class that derives from tfpipe.Pipeline."
        )
    if len(usable or candidates) == 1:
        return next(iter((usable or candidates).values()))
    named = [c for n, c in usable.items() if n.lower() == path.stem.replace("_", "").lower()]
    if named:
        return named[0]
    listed = ", ".join(candidates)
    raise PipelineFileError(
        f"{_shown(path)} holds several pipelines ({listed}) and none bears the file's name: "
        f"choose one with {_shown(path)}::{next(iter(usable))}."
    )
