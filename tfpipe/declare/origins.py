"""Where each value of a declaration came from: default, `file:line`, a search, the command line.

The lines are read from the syntax tree of the class that set the value, so an argument in a long
call has the line that it stands on. What a program computed has the line of its class attribute.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.loading import Loaded, shown
from tfpipe.declare.part import Part
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.signatures import parameter_names
from tfpipe.declare.tree import flatten, named_children

DEFAULT = "default"
COMMAND_LINE = "command line"
PYTHON = "given in Python"


def origins(loaded: Loaded) -> dict[str, str]:
    """The origin of each dotted name of `flatten(loaded.pipeline)`."""
    found: dict[str, str] = {}
    declared = loaded.declared
    for name, value in declared.items():
        setter = _setter(type(declared), name)
        if name in declared._given:
            origin, node = PYTHON, None
        elif setter is None:
            origin, node = DEFAULT, None
        else:
            file, node = setter
            origin = f"{file}:{node.lineno}"
        found[name] = origin
        _inside(value, name, origin, getattr(node, "value", None), found)
    for text in loaded.overrides:
        source = loaded.sources.get(text, COMMAND_LINE)
        _mark(loaded.pipeline, text.partition("=")[0].strip(), source, found)
    return {name: found.get(name, COMMAND_LINE) for name in flatten(loaded.pipeline)}


def _mark(pipeline: Pipeline, name: str, source: str, found: dict[str, str]) -> None:
    """What is at or below an overridden name comes from the override, its defaults apart.

    What lies inside a range or a tuple of numbers has no entry of its own: its holder is marked.
    """
    values = flatten(pipeline)
    while name not in values and "." in name:
        name = name.rpartition(".")[0]
    for dotted in values:
        if dotted == name or dotted.startswith(name + "."):
            parent, _, last = dotted.rpartition(".")
            part = values.get(parent)
            default = dotted != name and isinstance(part, Part) and last not in part._given
            found[dotted] = DEFAULT if default else source


def _inside(
    value: Any, prefix: str, origin: str, node: ast.AST | None, found: dict[str, str]
) -> None:
    """The origins of the values inside a value whose expression, where known, is `node`."""
    file = origin.rpartition(":")[0]
    for name, child in named_children(value):
        dotted = f"{prefix}.{name}"
        place = _argument(value, name, node)
        if isinstance(value, Part) and name not in value._given:
            found[dotted] = DEFAULT
        else:
            found[dotted] = f"{file}:{place.lineno}" if place is not None and file else origin
        _inside(child, dotted, found[dotted], place, found)


def _argument(value: Any, name: str | int, node: ast.AST | None) -> Any:
    """The syntax of one argument of a call, or of one item of a tuple."""
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
    index = names.index(name) if name in names else len(node.args)
    return node.args[index] if index < len(node.args) else None


def _setter(cls: type[Pipeline], name: str) -> tuple[str, Any] | None:
    """The file and the assignment of the class that set a field; None for Pipeline's default."""
    for base in cls.__mro__:
        if base is Pipeline:
            break
        if name in base.__dict__:
            return _assignment(base, name)
    return None


def _assignment(cls: type, name: str) -> tuple[str, Any] | None:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None:
        try:
            file = inspect.getsourcefile(cls)
        except (TypeError, OSError):
            return None
    if file is None or not Path(file).is_file():
        return None
    defined = [
        node
        for node in ast.walk(_parsed(file, Path(file).stat().st_mtime_ns))
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    ]
    for node in defined:
        for item in reversed([*_statements(node)]):
            if name in _targets(item):
                return shown(Path(file)), item
    return (shown(Path(file)), defined[0]) if defined else None


def _statements(block: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a class's body, those inside an `if` or a `with` too."""
    for node in ast.iter_child_nodes(block):
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from _statements(node)


def _targets(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        return [t.id for t in statement.targets if isinstance(t, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


@lru_cache(maxsize=32)
def _parsed(file: str, changed: int) -> ast.Module:
    """A file's syntax tree; `changed` makes an edited file be read again."""
    return ast.parse(Path(file).read_text(encoding="utf-8"))
