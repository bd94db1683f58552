"""Texts as values: constants, tuples, and calls of the names that a declaration may use.

64   1e-3   none   (0.1, 0.2)   Adam(learning_rate=CosineDecay(1e-3, decay_steps=1000))   flip()
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from tfpipe.declare.codec import known_parts
from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.deferred.source import public_names
from tfpipe.declare.hp import Range
from tfpipe.declare.kinds import Augmentation, ModelBuilder, Source
from tfpipe.declare.part import Part
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.declare.tree import walk
from tfpipe.errors import ConfigError, suggest

# Where a bare name is looked up; the module of the field that it is given to comes first.
_MODULES = (
    "keras.optimizers",
    "keras.optimizers.schedules",
    "keras.losses",
    "keras.metrics",
    "keras.callbacks",
    "keras.layers",
    "keras.regularizers",
    "keras.initializers",
    "keras.constraints",
)
_MODULE_OF = {
    "optimizer": "keras.optimizers",
    "loss": "keras.losses",
    "metrics": "keras.metrics",
    "callbacks": "keras.callbacks",
}
_KINDS: dict[str, type[Part]] = {"augment": Augmentation, "data": Source, "model": ModelBuilder}
_WORDS = {"true": True, "false": False, "none": None, "null": None}


@dataclass(frozen=True)
class Scope:
    """The names that a text may use.

    Args:
        field: the pipeline's field that gets the value.
        own: the functions and names that the declaration uses, by how they are written; neither a
            list of parts nor Keras has them.
    """

    field: str
    own: Mapping[str, Any]


def own_names(declaration: object) -> dict[str, Any]:
    """Return the functions and the modules' names that a declaration uses."""
    named = (Name(v.path) if isinstance(v, Deferred) else v for _, v in walk(declaration))
    return {
        v.path if isinstance(v, Name) else v.__qualname__: v
        for v in named
        if isinstance(v, (FunctionType, Name))
    }


def readings(text: str, scope: Scope) -> Iterator[Any]:
    """Yield what a text may mean, the most specific first; the bare text comes last.

    Raises:
        ConfigError: for a call or a dotted name that is not known.
    """
    if text.lower() in _WORDS:
        yield _WORDS[text.lower()]
    else:
        for parse in (json.loads, ast.literal_eval):
            try:
                yield parse(text)
                break
            except (ValueError, SyntaxError, TypeError):
                continue
        else:
            expression = _parse(text, scope)
            if expression is not None:
                yield _evaluate(expression, scope)
                return
    yield text
    if text in scope.own:
        yield scope.own[text]


def _parse(text: str, scope: Scope) -> ast.expr | None:
    """Return the syntax of an expression with a call or a known dotted name in it; else None."""
    try:
        expression = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    for node in ast.walk(expression):
        if isinstance(node, ast.Call):
            return expression
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if name.startswith("keras.") or name in scope.own:
                return expression
    return None


def _evaluate(node: ast.expr, scope: Scope) -> Any:
    """Return the value of an expression of constants, tuples, mappings and calls."""
    if isinstance(node, ast.Call):
        if any(k.arg is None for k in node.keywords):
            raise ConfigError("** is not understood here; write the arguments out.")
        args = [_evaluate(a, scope) for a in node.args]
        kwargs = {str(k.arg): _evaluate(k.value, scope) for k in node.keywords}
        target = _look_up(ast.unparse(node.func), scope)
        if isinstance(target, FunctionType):
            raise ConfigError(f"{ast.unparse(node.func)} is a function, and no part to declare.")
        return target(*args, **kwargs)
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_evaluate(item, scope) for item in node.elts)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ConfigError("** is not understood here; write the items out.")
        keys = [_evaluate(k, scope) for k in node.keys if k is not None]
        return dict(zip(keys, (_evaluate(v, scope) for v in node.values), strict=True))
    if isinstance(node, (ast.Attribute, ast.Name)):
        return _look_up(ast.unparse(node), scope)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ConfigError(
            f"{ast.unparse(node)!r} is neither a value nor a part by its call."
        ) from None


def _look_up(name: str, scope: Scope) -> Any:
    """Return what a name means: a part, a deferred Keras class, a name of the declaration."""
    if name.startswith("keras."):
        return _keras(name)
    if "." in name and name in scope.own:
        return scope.own[name]
    parts, bare = _parts(_KINDS.get(scope.field, Part)), name.rpartition(".")[2]
    for candidates in (parts, _inner_parts()):
        if bare in candidates:
            return candidates[bare]
    module = _MODULE_OF.get(scope.field)
    for home in ((module,) if module else ()) + _MODULES:
        if name in (public_names(home) or ()):
            return Name(f"{home}.{name}")
    if name in scope.own:
        return scope.own[name]
    known = {*((public_names(module) if module else None) or parts)}
    known |= {own for own in scope.own if not own.startswith("keras.")}
    raise ConfigError(f"there is no {name!r} for {scope.field}. {suggest(name, known)}")


def _keras(name: str) -> Name:
    """Return a dotted name of Keras, checked as far as Keras's source tells."""
    module, *rest = name.split(".")
    for last in rest:
        public = public_names(module)
        if public is not None and last not in public:
            raise ConfigError(f"{module} has no {last!r}. {suggest(last, public)}")
        module += f".{last}"
    return Name(name)


def _inner_parts() -> dict[str, type[Part]]:
    """Return the parts that others are made of, such as the blocks of a network."""
    whole: tuple[type, ...] = (*_KINDS.values(), Pipeline)
    return {n: p for n, p in _parts(Part).items() if not issubclass(p, whole)}


def _parts(kind: type[Part]) -> dict[str, type[Part]]:
    """Return the parts by their bare names: those of a kind, and the ranges, which fit anywhere."""
    return {
        cls.__name__: cls
        for cls in known_parts().values()
        if issubclass(cls, (kind, Range))
        and not issubclass(cls, Pipeline)
        and not _is_abstract(cls)
        and not getattr(cls, "internal", False)
        and not cls.__name__.startswith("_")
    }


def _is_abstract(cls: type[Part]) -> bool:
    """Return whether a class is only a base: one of tfpipe without fields, with subclasses."""
    derived = any(c.__module__.startswith("tfpipe.") for c in cls.__subclasses__())
    return cls in (*_KINDS.values(), ElementSpec, Feature, Label) or (
        derived and not cls._own_defaults()
    )
