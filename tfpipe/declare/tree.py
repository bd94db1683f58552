"""A declaration as a tree of named values: dotted names, JSON and back.

flatten(pipeline)        {"batch_size": 32, "model": CNN_2_4_6(...), "model.convs": 6, ...}
to_json(pipeline)        plain dicts, lists, numbers and texts
from_json(data, known)   an equal declaration
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.fieldtypes import Duration, is_range
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError, suggest


def children(value: Any) -> Iterator[tuple[str, Any]]:
    """The named values directly inside a value; nothing for a leaf, a range included."""
    if isinstance(value, (Part, Deferred)) and not is_range(value):
        yield from value.items()
    elif isinstance(value, tuple) and any(isinstance(v, (Part, Deferred, Name)) for v in value):
        yield from ((str(i), v) for i, v in enumerate(value))


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Every named value by its dotted name, parts before what is inside them."""
    found: dict[str, Any] = {}
    for name, child in children(value):
        dotted = f"{prefix}.{name}" if prefix else name
        found[dotted] = child
        found.update(flatten(child, dotted))
    return found


def resolve(value: Any) -> Any:
    """The value with every range replaced by the value it holds, at any depth."""
    if is_range(value):
        return resolve(value.value)
    if isinstance(value, tuple):
        return tuple(resolve(v) for v in value)
    if isinstance(value, Mapping):
        return {k: resolve(v) for k, v in value.items()}
    if isinstance(value, (Part, Deferred)):
        changes = {n: r for n, v in value.items() if (r := resolve(v)) is not v and r != v}
        return value.replace(**changes) if changes else value
    return value


def to_json(value: Any) -> Any:
    """A declared value as plain JSON data."""
    if isinstance(value, Part):
        return {"part": _part_name(type(value))} | {n: to_json(v) for n, v in value.items()}
    if isinstance(value, Deferred):
        data: dict[str, Any] = {"call": value.path}
        if value.args:
            data["args"] = to_json(value.args)
        named = {n: to_json(v) for n, v in value.kwargs.items()}
        return data | ({"kwargs": named} if _RESERVED & set(named) else named)
    if isinstance(value, Name):
        return {"name": value.path}
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    if isinstance(value, Mapping):
        if all(isinstance(k, str) for k in value) and not _RESERVED & set(value):
            return {k: to_json(v) for k, v in value.items()}
        return {"mapping": [[to_json(k), to_json(v)] for k, v in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return {"function": f"{value.__module__}:{value.__qualname__}"}
    raise ConfigError(f"{value!r} ({type(value).__name__}) cannot be written as JSON.")


# What `tfpipe.declare.loading` calls the module of a pipeline file.
_FILE_MODULE = re.compile(r"\btfpipe_file_[0-9a-f]{8}\.\w+")

# Keys that mean something in this JSON; a mapping that has one of its own is written as pairs.
_RESERVED = frozenset(("part", "call", "args", "kwargs", "name", "function", "mapping"))


def _part_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def known_parts() -> dict[str, type[Part]]:
    """The part classes that have been imported, by their full names."""
    found: dict[str, type[Part]] = {}
    waiting: list[type[Part]] = [Part]
    while waiting:
        cls = waiting.pop()
        if not _superseded(cls):
            found[_part_name(cls)] = cls
        waiting.extend(cls.__subclasses__())
    return found


def _superseded(cls: type) -> bool:
    """Whether a class's file was loaded again since, so that another has its name."""
    current = getattr(sys.modules.get(cls.__module__), cls.__qualname__, cls)
    return current is not cls


def from_json(data: Any) -> Any:
    """The declared value that `to_json` wrote.

    Only parts, functions and modules that are already imported are looked up: JSON from outside
    cannot make a module run.

    Raises:
        ConfigError: for a part or function that is not known here.
    """
    if isinstance(data, list):
        return tuple(from_json(v) for v in data)
    if not isinstance(data, dict):
        return data
    if "part" in data:
        known = known_parts()
        if data["part"] not in known:
            raise ConfigError(
                f"The part {data['part']!r} is not known: load its file first. "
                f"{suggest(data['part'], known)}"
            )
        values = {k: from_json(v) for k, v in data.items() if k != "part"}
        return known[data["part"]](**values)
    if "call" in data:
        named = data.get("kwargs", {k: v for k, v in data.items() if k not in ("call", "args")})
        arguments = {k: from_json(v) for k, v in named.items()}
        return Deferred(data["call"], from_json(data.get("args", [])), arguments)
    if set(data) == {"mapping"}:
        return {from_json(k): from_json(v) for k, v in data["mapping"]}
    if set(data) == {"name"}:
        return Name(data["name"])
    if set(data) == {"function"}:
        return _function(data["function"])
    return {k: from_json(v) for k, v in data.items()}


def in_module(value: Any, module: str) -> Any:
    """A value of config.json with what a pipeline file defines named as if it were in a module.

    A file's module bears the file's path, which is another one when the file has moved.
    """
    if isinstance(value, str):
        return _FILE_MODULE.sub(module, value)
    if isinstance(value, list):
        return [in_module(v, module) for v in value]
    if isinstance(value, dict):
        return {k: in_module(v, module) for k, v in value.items()}
    return value


def _function(reference: str) -> Any:
    module, _, qualname = reference.partition(":")
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise ConfigError(f"The function {reference!r} is not known: load its file first.")
    return found
