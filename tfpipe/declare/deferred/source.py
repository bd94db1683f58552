"""Names and parameters of Keras read from its source, without importing it.

A declaration is printed and overridden in milliseconds, yet `SGD(0.01)` should appear as
`learning_rate` and `optimizer=Adm()` should be refused. Keras's public modules are plain lists of
re-exports, so the source file of a class is one look-up away. Where the source is not as expected
the answer is None, and the real check on the imported object decides.
"""

import ast
import copy
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

_PASSED_ON = frozenset(("name", "dtype", "trainable", "autocast", "activity_regularizer"))


@lru_cache(maxsize=64)
def _root(package: str) -> Path | None:
    """Where a top-level package lies; looking for it does not import it."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


@lru_cache(maxsize=256)
def _tree(module: str) -> ast.Module | None:
    package, *rest = module.split(".")
    root = _root(package)
    if root is None:
        return None
    base = root.joinpath(*rest)
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"))
    return None


@lru_cache(maxsize=64)
def public_names(module: str) -> frozenset[str] | None:
    """The names that a module such as `keras.optimizers` offers; None when that is unknown."""
    tree = _tree(module)
    if tree is None or not module.startswith("keras"):
        return None
    return frozenset(
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


def parameter_names(path: str) -> tuple[str, ...] | None:
    """The parameters of a class or function, by position, without self; None when unknown."""
    found = _parameters(path)
    return tuple(a.arg for a in (*found.posonlyargs, *found.args)) if found else None


def argument_names(path: str) -> frozenset[str] | None:
    """All names that a class or function takes; None when unknown, or when it takes any.

    Keras's own classes pass their `**kwargs` on to a base class that takes `_PASSED_ON`.
    """
    found = _parameters(path)
    if found is None or (found.kwarg and not path.startswith("keras.")):
        return None
    own = frozenset(a.arg for a in (*found.args, *found.kwonlyargs))
    return own | _PASSED_ON if found.kwarg else own


def argument_default(path: str, name: str) -> Any:
    """The value of an argument that is not given; None when unknown, or when it is no literal."""
    found = _parameters(path)
    if found is None:
        return None
    positional = [a.arg for a in (*found.posonlyargs, *found.args)]
    defaults = dict(zip(reversed(positional), reversed(found.defaults), strict=False))
    by_name = dict(zip((a.arg for a in found.kwonlyargs), found.kw_defaults, strict=True))
    node = (defaults | by_name).get(name)
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _parameters(path: str) -> ast.arguments | None:
    module, _, name = path.rpartition(".")
    tree = _tree(module) if module else None
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name and node.module != module:
                    return _parameters(f"{node.module}.{alias.name}")
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node.args
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _without_self(node)
    return None


def _without_self(cls: ast.ClassDef) -> ast.arguments | None:
    for item in cls.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            found = copy.copy(item.args)
            if found.posonlyargs:
                found.posonlyargs = found.posonlyargs[1:]
            else:
                found.args = found.args[1:]
            return found
    return None
