"""Loading a pipeline from `FILE` or `FILE::ClassName`.

A file that holds one pipeline needs no class name. Where it holds several, the one that bears the
file's own name is meant (`Cifar10CNN` in `cifar10_cnn.py`); any other is named after `::`.
"""

import hashlib
import linecache
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tfpipe.declare.codec import in_module, to_json
from tfpipe.declare.overrides import apply_overrides
from tfpipe.declare.pipeline import Pipeline, is_abstract
from tfpipe.errors import ConfigError, PipelineFileError, TfpipeError, places, suggest
from tfpipe.text import short_path

Pipelines = dict[str, type[Pipeline]]

# What was put before the standard library in sys.path, for the neighbours of pipeline files.
ADDED_FOLDERS: list[str] = []


@dataclass(frozen=True)
class Loaded:
    """A pipeline as it was asked for.

    Args:
        pipeline: the instance, overrides applied.
        declared: the instance as its file declares it.
        path: its file; None for a pipeline created in Python.
        name: what its runs and exports are called: the file's stem, or `stem.ClassName` where the
            file holds several and one was chosen.
        overrides: the `a.b=v` texts that were applied.
        sources: where those of them came from that were not on the command line, by the text.
    """

    pipeline: Pipeline
    declared: Pipeline
    path: Path | None
    name: str
    overrides: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """FILE::ClassName, by which another process loads it."""
        return f"{self.path}::{type(self.declared).__name__}"

    def with_fields(self, **values: Any) -> "Loaded":
        """Return the same with fields that neither the file nor the command line gives."""
        texts = (t for t in self.overrides if t.split("=")[0].split(".")[0].strip() not in values)
        return replace(
            self,
            pipeline=self.pipeline.replace(**values),
            declared=self.declared.replace(**values),
            overrides=tuple(texts),
        )

    def with_overrides(self, texts: Iterable[str], source: str) -> "Loaded":
        """Return the same with `a.b=v` texts that come from elsewhere than the command line.

        Args:
            texts: what to set.
            source: where it comes from, for people.
        """
        texts = tuple(texts)
        return replace(
            self,
            pipeline=apply_overrides(self.pipeline, texts),
            overrides=(*self.overrides, *texts),
            sources={**self.sources, **dict.fromkeys(texts, source)},
        )


def load(target: str, overrides: Iterable[str] = (), copy: Path | None = None) -> Loaded:
    """Return the pipeline that a command line names.

    Args:
        target: `FILE` or `FILE::ClassName`.
        overrides: `a.b=value` texts.
        copy: a copy of the file, read in its place where it is gone.

    Raises:
        PipelineFileError: when the file is missing, does not import, or names no single pipeline.
        ConfigError: when the declaration or an override is wrong.
    """
    file, _, chosen = target.partition("::")
    gone = copy is not None and not Path(file).is_file()
    path = Path(file) if gone else _existing(file)
    defined = _defined(_import(path, copy if gone else None))
    cls = _choose(path, defined, chosen)
    try:
        pipeline = cls()
    except ConfigError as error:
        raise ConfigError(f"{short_path(path)}: {error}") from error
    name = f"{path.stem}.{cls.__name__}" if chosen and len(_usable(defined)) > 1 else path.stem
    texts = tuple(overrides)
    return Loaded(apply_overrides(pipeline, texts), pipeline, path, name, texts)


def load_unchanged(
    target: str, overrides: Iterable[str], copy: Path, was: Any, than: str
) -> Loaded:
    """Return the pipeline that something began with, and refuse it where it has changed.

    Args:
        target: `FILE::ClassName`.
        overrides: the `a.b=value` texts.
        copy: a copy of the file, read in its place where it is gone.
        was: the pipeline at the beginning, as JSON.
        than: the rest of the sentence that says it is another one "than" then.

    Raises:
        ConfigError: when it is another one.
    """
    loaded = load(target, overrides, copy)
    if fields := differing(loaded.pipeline, was):
        raise ConfigError(f"{target} declares another {', '.join(fields)} than {than}")
    return loaded


def check_alone(loaded: Loaded, who: str) -> None:
    """Refuse a pipeline that other processes cannot load as it is.

    Args:
        loaded: the pipeline.
        who: what starts the other processes, such as "A search".

    Raises:
        ConfigError: when its file and its overrides do not declare all of it.
    """
    if loaded.path is not None:
        again = load(loaded.target, loaded.overrides)
        if to_json(again.pipeline) == to_json(loaded.pipeline):
            return
    raise ConfigError(
        f"{who} starts the pipeline in other processes, from its file and its overrides alone: "
        "declare all of it in a file, and give arguments as overrides."
    )


def differing(pipeline: Pipeline, was: Any) -> list[str]:
    """Return the fields in which a pipeline is not the one of some JSON."""
    now, then = (in_module(data, "") for data in (to_json(pipeline), was))
    return [n for n in sorted(set(now) | set(then)) if now.get(n) != then.get(n)]


def from_instance(pipeline: Pipeline) -> Loaded:
    """Return a pipeline created in Python, named after its file and class as `load` would."""
    cls = type(pipeline)
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None or not Path(file).is_file():  # a notebook, a prompt
        return Loaded(pipeline, pipeline, None, cls.__name__)
    path = Path(file)
    alone = list(_usable(_defined(module)).values()) == [cls]
    return Loaded(pipeline, pipeline, path, path.stem if alone else f"{path.stem}.{cls.__name__}")


def loaded_from(target: str | Path | Pipeline | Loaded) -> Loaded:
    """Return the pipeline of a FILE or FILE::ClassName, of an instance, or as it was loaded."""
    if isinstance(target, Loaded):
        return target
    return from_instance(target) if isinstance(target, Pipeline) else load(str(target))


def _defined(module: ModuleType) -> Pipelines:
    """Return the pipelines that a module defines itself, by name."""
    return {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Pipeline)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    }


def _usable(pipelines: Pipelines) -> Pipelines:
    return {name: cls for name, cls in pipelines.items() if not is_abstract(cls)}


def _existing(file: str) -> Path:
    path = Path(file).expanduser()
    if path.is_file() and path.suffix == ".py":
        return path.resolve()
    if path.is_dir():
        raise PipelineFileError(f"{file} is a folder: name a pipeline file in it, ending in .py.")
    if path.is_file():
        raise PipelineFileError(f"{file} is no Python file: a pipeline file ends in .py.")
    before, colon, name = file.rpartition(":")
    if colon and Path(before).expanduser().is_file():
        raise PipelineFileError(
            f"There is no file {file!r}. A class of a file is {before}::{name}."
        )
    near = {str(p) for folder in (path.parent, Path("pipelines")) for p in folder.glob("*.py")}
    raise PipelineFileError(f"There is no file {file!r}. {suggest(file, near)}".strip())


def _import(path: Path, copy: Path | None = None) -> ModuleType:
    """Import a pipeline file anew, with its project's folders importable."""
    for folder in (_project_root(path), path.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
            ADDED_FOLDERS.append(str(folder))
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"tfpipe_file_{digest}.{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        # Not through the import system: it would leave a __pycache__ beside the user's file.
        exec(compile((copy or path).read_bytes(), str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = [line for file, line in places(error) if file == str(path)]
        where = f"{short_path(path)}:{lines[-1]}" if lines else short_path(path)
        if isinstance(error, TfpipeError):
            raise type(error)(f"{where}: {error}") from error
        raise PipelineFileError(f"{where} does not import: {_cause(error, path)}") from error
    return module


def _project_root(path: Path) -> Path:
    """Return the nearest folder above a file that looks like a project's: with `callbacks/`."""
    for folder in path.parents:
        if (folder / "callbacks").is_dir() or (folder / "pyproject.toml").is_file():
            return folder
    return path.parent


def _cause(error: BaseException, path: Path) -> str:
    """Return the user's own error with the source, and in other files the line, that raised it."""
    own = [(file, line) for file, line in places(error) if _is_own(Path(file), path)]
    file, line = own[-1] if own else (str(path), 1)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    message = f"{type(error).__name__}: {text}"
    if file != str(path):
        message = f"{short_path(Path(file))}:{line}: {message}"
    linecache.checkcache(file)
    source = linecache.getline(file, line).strip()
    return f"{message}\n    {source}" if source else message


def _is_own(file: Path, path: Path) -> bool:
    """Return whether a file is of the user's project: neither tfpipe's nor installed."""
    foreign = Path(__file__).parents[1] in file.parents or "site-packages" in file.parts
    return _project_root(path) in file.parents and not foreign


def _choose(path: Path, defined: Pipelines, chosen: str) -> type[Pipeline]:
    usable = _usable(defined) or defined
    if chosen:
        if chosen not in defined:
            raise PipelineFileError(
                f"{short_path(path)} has no pipeline {chosen!r}. {suggest(chosen, usable)}".strip()
            )
        return defined[chosen]
    if not defined:
        raise PipelineFileError(
            f"{short_path(path)} holds no pipeline: it needs a class that derives from "
            "tfpipe.Pipeline."
        )
    if len(usable) == 1:
        return next(iter(usable.values()))
    for name, cls in usable.items():
        if _letters(name) == _letters(path.stem):
            return cls
    raise PipelineFileError(
        f"{short_path(path)} holds several pipelines ({', '.join(usable)}) and none bears its "
        f"name: choose one with {short_path(path)}::{next(iter(usable))}."
    )


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
