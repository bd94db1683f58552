"""The resolved declaration: the value of each field, and where it came from.

An origin is `default`, `file:line`, a search, or the command line. The lines are read from the
syntax tree of the class that set the value, so an argument in a long call has the line that it
stands on. What a program computed has the line of its class attribute.
"""

import ast
import itertools
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfpipe.declare.codec import to_json
from tfpipe.declare.deferred import Deferred
from tfpipe.declare.deferred.source import parameter_names
from tfpipe.declare.loading import Loaded
from tfpipe.declare.part import Part
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import dotted, flatten, is_range, named_children, resolve, walk
from tfpipe.text import short_path

DEFAULT = "default"
COMMAND_LINE = "command line"
PYTHON = "given in Python"


def resolved_fields(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """Return the value and origin of every field by its dotted name.

    A range has its bounds under "range" as well.
    """
    where = origins(loaded)
    fields: dict[str, dict[str, Any]] = {}
    for name, value in flatten(loaded.pipeline).items():
        fields[name] = {"value": to_json(resolve(value)), "origin": where[name]}
        if is_range(value):
            fields[name]["range"] = to_json(value)
    return fields


def origins(loaded: Loaded) -> dict[str, str]:
    """Return the origin of each dotted name of `flatten(loaded.pipeline)`."""
    known: dict[str, str] = {}
    declared = loaded.declared
    for field, value in declared.items():
        setter = _setter(type(declared), field)
        if field in declared._given:
            known |= _inside(value, field, PYTHON, None)
        elif setter is None:
            known |= _inside(value, field, DEFAULT, None)
        else:
            file, node = setter
            known |= _inside(value, field, f"{file}:{node.lineno}", getattr(node, "value", None))
    for text in loaded.overrides:
        source = loaded.sources.get(text, COMMAND_LINE)
        _mark(loaded.pipeline, text.partition("=")[0].strip(), source, known)
    return {name: known.get(name, COMMAND_LINE) for name in flatten(loaded.pipeline)}


def _mark(pipeline: Pipeline, name: str, source: str, known: dict[str, str]) -> None:
    """Give what is at or below an overridden name the override's origin, its defaults apart.

    What lies inside a range or a tuple of numbers has no entry of its own: its holder is marked.
    """
    values = flatten(pipeline)
    while name not in values and "." in name:
        name = name.rpartition(".")[0]
    for full in values:
        if full == name or full.startswith(name + "."):
            holder, _, last = full.rpartition(".")
            part = values.get(holder)
            default = full != name and isinstance(part, Part) and last not in part._given
            known[full] = DEFAULT if default else source


def _inside(value: object, field: str, origin: str, node: ast.AST | None) -> dict[str, str]:
    """Return the origins of a field and what is in it; `node` is its expression, where known."""
    file = origin.rpartition(":")[0]
    known, nodes, values = {(field,): origin}, {(field,): node}, {(field,): value}
    for path, child in walk(value, named_children, (field,)):
        values[path] = child
        if path == (field,):
            continue
        above, key = path[:-1], path[-1]
        holder = values[above]
        argument = nodes[path] = _argument(holder, key, nodes[above])
        known[path] = known[above]
        if isinstance(holder, Part) and key not in holder._given:
            known[path] = DEFAULT
        elif argument is not None and file and known[above] != DEFAULT:
            known[path] = f"{file}:{argument.lineno}"
    return {dotted(path): where for path, where in known.items()}


def _argument(value: object, name: str | int, node: ast.AST | None) -> ast.expr | None:
    """Return the syntax of one argument of a call, or of one item of a tuple."""
    if isinstance(node, (ast.Tuple, ast.List)) and isinstance(name, int):
        return node.elts[name] if name < len(node.elts) else None
    if not isinstance(node, ast.Call):
        return None
    for keyword in node.keywords:
        if keyword.arg == name:
            return keyword.value
    names: tuple[str, ...] = ()
    if isinstance(value, Deferred):
        names = parameter_names(value.path) or tuple(str(i) for i in range(len(node.args)))
    elif isinstance(value, Part):
        names = tuple(type(value).fields())
    index = names.index(str(name)) if name in names else len(node.args)
    return node.args[index] if index < len(node.args) else None


def _setter(cls: type[Pipeline], name: str) -> tuple[str, ast.stmt] | None:
    """Return the file and the statement that set a field of a class; None for a default."""
    above = itertools.takewhile(lambda base: base is not Pipeline, cls.__mro__)
    owner = next((base for base in above if name in base.__dict__), None)
    path = Path(getattr(sys.modules.get(getattr(owner, "__module__", "")), "__file__", None) or "")
    if owner is None or not path.is_file():
        return None
    definitions = [
        node
        for node in ast.walk(_parsed(path, path.stat().st_mtime_ns))
        if isinstance(node, ast.ClassDef) and node.name == owner.__name__
    ]
    for node in definitions:
        for statement in reversed([*_statements(node)]):
            targets = getattr(statement, "targets", [getattr(statement, "target", None)])
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return short_path(path), statement
    return (short_path(path), definitions[0]) if definitions else None


def _statements(block: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements of a class's body, those inside an `if` or a `with` too."""
    for node in ast.iter_child_nodes(block):
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from _statements(node)


@lru_cache(maxsize=32)
def _parsed(path: Path, changed: int) -> ast.Module:
    """Return a file's syntax tree; `changed` has an edited file read again."""
    return ast.parse(path.read_text(encoding="utf-8"))
