"""A declaration as JSON, and back.

to_json(pipeline)   plain dicts, lists, numbers and texts
from_json(data)     an equal declaration

What is declared is named by where it is public (`tfpipe.models.CNN_2_4_6`), never by the module in
which its code lies, so that code can move.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.field_types import Duration
from tfpipe.declare.part import Part
from tfpipe.declare.tree import Key, fold
from tfpipe.errors import ConfigError, suggest

# What `tfpipe.declare.loading` calls the module of a pipeline file.
_FILE_MODULE = re.compile(r"\btfpipe_file_[0-9a-f]{8}\.\w+")

# Keys that mean something in this JSON; a mapping that has one of its own is written as pairs.
_RESERVED = frozenset(("part", "call", "args", "kwargs", "name", "function", "mapping"))


def to_json(value: object) -> Any:
    """Return a declared value as plain JSON data; raise ConfigError for what is none."""
    return fold(value, _encode)


def _encode(value: Any, inside: dict[Key, Any]) -> Any:
    if isinstance(value, Part):
        return {"part": public_name(type(value))} | inside
    if isinstance(value, Deferred):
        data: dict[str, Any] = {"call": value.path}
        if value.args:
            data["args"] = [inside.pop(str(index)) for index in range(len(value.args))]
        return data | ({"kwargs": inside} if _RESERVED & set(inside) else inside)
    if isinstance(value, Name):
        return {"name": value.path}
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, (tuple, list)):
        return list(inside.values())
    if isinstance(value, Mapping):
        if all(isinstance(k, str) for k in value) and not _RESERVED & set(value):
            return inside
        return {"mapping": [[to_json(k), v] for k, v in inside.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return {"function": f"{value.__module__}:{value.__qualname__}"}
    raise ConfigError(f"{value!r} ({type(value).__name__}) cannot be written as JSON.")


def public_name(cls: type[Part]) -> str:
    """Return the name under which a part is stored: with its public namespace, or its module."""
    if cls.__module__.startswith("tfpipe."):
        return ".".join(filter(None, ("tfpipe", cls.namespace, cls.__qualname__)))
    return f"{cls.__module__}.{cls.__qualname__}"


def known_parts() -> dict[str, type[Part]]:
    """Return the part classes that have been imported, by their public names."""
    parts: dict[str, type[Part]] = {}
    waiting: list[type[Part]] = [Part]
    while waiting:
        cls = waiting.pop()
        if not _is_superseded(cls):
            parts[public_name(cls)] = cls
        waiting.extend(cls.__subclasses__())
    return parts


def _is_superseded(cls: type) -> bool:
    """Return whether a class's file was loaded again since, so that another has its name."""
    current = getattr(sys.modules.get(cls.__module__), cls.__qualname__, cls)
    return current is not cls


def from_json(data: Any) -> Any:
    """Return the declared value that `to_json` wrote.

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


def show_json(data: Any) -> str:
    """Return a value that `to_json` wrote as a person would write it; its parts may be unknown."""
    if isinstance(data, dict) and ("part" in data or "call" in data):
        kind = str(data.get("part") or data["call"]).rpartition(".")[2]
        named = {k: v for k, v in data.items() if k not in ("part", "call", "args")}
        inside = [show_json(v) for v in data.get("args", ())]
        inside += [f"{k}={show_json(v)}" for k, v in named.items()]
        return f"{kind}({', '.join(inside)})"
    if isinstance(data, dict) and set(data) in ({"name"}, {"function"}):
        return str(next(iter(data.values())))
    if isinstance(data, list):
        return "(" + ", ".join(map(show_json, data)) + ("," if len(data) == 1 else "") + ")"
    return str(data)


def in_module(data: Any, module: str) -> Any:
    """Return a value of config.json with what a pipeline file defines named as if in a module.

    A file's module bears the file's path, which is another one when the file has moved.
    """
    return json.loads(_FILE_MODULE.sub(module, json.dumps(data, ensure_ascii=False)))


def _function(reference: str) -> Any:
    module, _, qualname = reference.partition(":")
    function: Any = sys.modules.get(module)
    for name in qualname.split("."):
        function = getattr(function, name, None)
    if not callable(function):
        raise ConfigError(f"The function {reference!r} is not known: load its file first.")
    return function
