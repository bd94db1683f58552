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

# What Keras's classes take in the `**kwargs` that they pass on to a base class.
_PASSED_ON = frozenset(("name", "dtype", "trainable", "autocast", "activity_regularizer"))


def public_names(module: str) -> frozenset[str] | None:
    """Return the names that a module such as `keras.optimizers` offers; None when unknown."""
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
    """Return the parameters by position of a class or function, without self; None when unknown."""
    parameters = _parameters(path)
    if parameters is None:
        return None
    return tuple(a.arg for a in (*parameters.posonlyargs, *parameters.args))


def argument_names(path: str) -> frozenset[str] | None:
    """Return all names that a class or function takes; None when unknown, or when it takes any."""
    parameters = _parameters(path)
    if parameters is None or (parameters.kwarg and not path.startswith("keras.")):
        return None
    names = frozenset(a.arg for a in (*parameters.args, *parameters.kwonlyargs))
    return names | _PASSED_ON if parameters.kwarg else names


def argument_default(path: str, name: str) -> Any:
    """Return the value of an argument that is not given; None when unknown, or no literal."""
    parameters = _parameters(path)
    if parameters is None:
        return None
    positional = [a.arg for a in (*parameters.posonlyargs, *parameters.args)]
    defaults = dict(zip(reversed(positional), reversed(parameters.defaults), strict=False))
    by_name = (a.arg for a in parameters.kwonlyargs)
    node = (defaults | dict(zip(by_name, parameters.kw_defaults, strict=True))).get(name)
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _parameters(path: str) -> ast.arguments | None:
    """Return the parameters of a class or function, through the modules that re-export it."""
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
            parameters = copy.copy(item.args)
            if parameters.posonlyargs:
                parameters.posonlyargs = parameters.posonlyargs[1:]
            else:
                parameters.args = parameters.args[1:]
            return parameters
    return None


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
def _root(package: str) -> Path | None:
    """Return the folder of a top-level package, without importing it."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0]) if folders else None
