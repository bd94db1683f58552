"""Loading a pipeline from `FILE` or `FILE::ClassName`.

A file that holds one pipeline needs no class name. Where it holds several, the one that bears the
file's own name is meant (`Cifar10CNN` in `cifar10_cnn.py`); any other is named after `::`.
"""

import hashlib
import linecache
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tfpipe.declare.codec import in_module, to_json
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

    def given(self, **values: Any) -> "Loaded":
        """The same with fields that neither the file nor the command line gives."""
        texts = (t for t in self.overrides if t.split("=")[0].split(".")[0].strip() not in values)
        return replace(
            self,
            pipeline=self.pipeline.replace(**values),
            declared=self.declared.replace(**values),
            overrides=tuple(texts),
        )


def load(target: str, overrides: Iterable[str] = (), copy: Path | None = None) -> Loaded:
    """The pipeline that a command line names.

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
    module = _import(path, copy if gone else None)
    candidates = _candidates(module)
    cls = _choose(path, candidates, chosen)
    try:
        pipeline = cls()
    except ConfigError as error:
        raise ConfigError(f"{shown(path)}: {error}") from error
    name = f"{path.stem}.{cls.__name__}" if chosen and len(_usable(candidates)) > 1 else path.stem
    texts = tuple(overrides)
    return Loaded(apply_overrides(pipeline, texts), pipeline, path, name, texts)


def load_unchanged(
    target: str, overrides: Iterable[str], copy: Path, was: Any, than: str
) -> Loaded:
    """The pipeline that something began with, which must not have become another one.

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
    """The fields in which a pipeline is not the one of some JSON."""
    now, then = (in_module(data, "") for data in (to_json(pipeline), was))
    return [n for n in sorted(set(now) | set(then)) if now.get(n) != then.get(n)]


def from_instance(pipeline: Pipeline) -> Loaded:
    """A pipeline made in Python, named after its file and class as `load` would."""
    cls = type(pipeline)
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return Loaded(pipeline, pipeline, None, cls.__name__)
    path = Path(file)
    alone = list(_usable(_candidates(module)).values()) == [cls]
    return Loaded(pipeline, pipeline, path, path.stem if alone else f"{path.stem}.{cls.__name__}")


def loaded_from(given: "str | Path | Pipeline | Loaded") -> Loaded:
    """A pipeline as a verb's caller gives it: FILE or FILE::ClassName, an instance, or loaded."""
    if isinstance(given, Loaded):
        return given
    return from_instance(given) if isinstance(given, Pipeline) else load(str(given))


def _candidates(module: ModuleType) -> dict[str, type[Pipeline]]:
    """The pipelines that a module defines itself, by name."""
    return {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Pipeline)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    }


def _usable(candidates: dict[str, type[Pipeline]]) -> dict[str, type[Pipeline]]:
    return {name: cls for name, cls in candidates.items() if not is_abstract(cls)}


def shown(path: Path) -> str:
    """A path as a person would type it: relative where it lies below the current folder."""
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
    there = {str(p) for folder in (path.parent, Path("pipelines")) for p in folder.glob("*.py")}
    raise PipelineFileError(f"There is no file {file!r}. {suggest(file, there)}".strip())


def _import(path: Path, copy: Path | None = None) -> ModuleType:
    """The module of a pipeline file, imported anew, with its project's folders importable."""
    for folder in (_project_root(path), path.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
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
        if isinstance(error, TfpipeError):
            raise type(error)(f"{_place(error, path)}: {error}") from error
        raise PipelineFileError(_import_message(error, path)) from error
    return module


def _project_root(path: Path) -> Path:
    """The nearest folder above a file that looks like a project: it holds `callbacks/`."""
    for folder in path.parents:
        if (folder / "callbacks").is_dir() or (folder / "pyproject.toml").is_file():
            return folder
    return path.parent


def _place(error: BaseException, path: Path) -> str:
    """`file:line` of the last place of an error that lies in the user's file."""
    lines = [line for file, line in _places(error) if file == str(path)]
    return f"{shown(path)}:{lines[-1]}" if lines else shown(path)


def _places(error: BaseException) -> list[tuple[str, int]]:
    """Where an error went through, the place that raised it last."""
    places = [(f.filename, f.lineno or 1) for f in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno or 1))
    return places


def _import_message(error: BaseException, path: Path) -> str:
    """The user's own error with the file, the line and the source that raised it."""
    own = [(file, line) for file, line in _places(error) if _is_own(Path(file), path)]
    file, line = own[-1] if own else (str(path), 1)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    said = f"{type(error).__name__}: {text}"
    if file != str(path):
        said = f"{shown(Path(file))}:{line}: {said}"
    linecache.checkcache(file)
    source = linecache.getline(file, line).strip()
    return f"{_place(error, path)} does not import: {said}" + (f"\n    {source}" if source else "")


def _is_own(file: Path, path: Path) -> bool:
    """Whether a file is of the user's project: neither tfpipe's nor installed."""
    apart = Path(__file__).parents[1] in file.parents or "site-packages" in file.parts
    return _project_root(path) in file.parents and not apart


def _choose(path: Path, candidates: dict[str, type[Pipeline]], chosen: str) -> type[Pipeline]:
    usable = _usable(candidates) or candidates
    if chosen:
        if chosen not in candidates:
            raise PipelineFileError(
                f"{shown(path)} has no pipeline {chosen!r}. {suggest(chosen, usable)}".strip()
            )
        return candidates[chosen]
    if not candidates:
        raise PipelineFileError(
            f"{shown(path)} holds no pipeline: it needs a class that derives from tfpipe.Pipeline."
        )
    if len(usable) == 1:
        return next(iter(usable.values()))
    for name, cls in usable.items():
        if _letters(name) == _letters(path.stem):
            return cls
    raise PipelineFileError(
        f"{shown(path)} holds several pipelines ({', '.join(usable)}) and none bears its name: "
        f"choose one with {shown(path)}::{next(iter(usable))}."
    )


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
