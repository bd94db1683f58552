"""Overrides: `a.b=value` on the command line, read by the field's type.

batch_size=64   augment=()   checkpoint_every=10m   model.dropout=0.3
optimizer=Adam(learning_rate=CosineDecay(1e-3, decay_steps=1000))
"""

import ast
import json
from collections.abc import Iterable, Sequence
from typing import Any

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.fieldtypes import show
from tfpipe.declare.hp import Range
from tfpipe.declare.kinds import Augmentation, ModelBuilder, Source
from tfpipe.declare.part import Part, no_field, unvalidated
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.signatures import argument_names, public_names
from tfpipe.declare.tree import flatten, known_parts
from tfpipe.errors import ConfigError, suggest

# Where a bare name in `field=Name(...)` is looked up, by the field it is given to.
_KERAS = (
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
_HOMES = {
    "optimizer": "keras.optimizers",
    "loss": "keras.losses",
    "metrics": "keras.metrics",
    "callbacks": "keras.callbacks",
}
_KINDS: dict[str, type[Part]] = {"augment": Augmentation, "data": Source, "model": ModelBuilder}


def apply_overrides(pipeline: Pipeline, texts: Iterable[str]) -> Pipeline:
    """The pipeline with `a.b=value` texts applied, in their order.

    Fields that must fit each other are compared when all texts are applied, so that
    `model.convs=4 model.dropout=(0.1,0.2)` works in either order.

    Raises:
        ConfigError: for a text that is no override, an unknown field, or a value that does not fit.
    """
    texts = tuple(texts)
    if not texts:
        return pipeline
    with unvalidated():
        for text in texts:
            pipeline = _apply(pipeline, text)
    for name, part in {"": pipeline, **flatten(pipeline)}.items():
        if isinstance(part, Part):
            _validate(part, name, texts)
    return pipeline


def _apply(pipeline: Pipeline, text: str) -> Pipeline:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(
            f"{text!r} is no override: write field=value, such as epochs=5 or "
            "optimizer.learning_rate=0.01."
        )
    try:
        changed: Pipeline = _set(pipeline, name.strip().split("."), value.strip())
    except ConfigError as error:
        raise ConfigError(f"{text}: {error}") from None
    return changed


def _validate(part: Part, name: str, texts: tuple[str, ...]) -> None:
    """Compare a part's fields with each other, naming the overrides that touched it."""
    try:
        part.validate()
    except ConfigError as error:
        touching = [text for text in texts if text.startswith(name)]
        raise ConfigError(": ".join([" ".join(touching), str(error)])) from None


def _set(node: Any, path: Sequence[str], text: str, above: tuple[str, ...] = ()) -> Any:
    """A copy of a part, a deferred call or a tuple with the value at a dotted name changed."""
    name, rest = path[0], path[1:]
    above = (*above, name)
    named = _named(node)
    if name not in named and not (isinstance(node, Deferred) and _accepts(node, name)):
        raise ConfigError(_unknown(node, *above[-2:]))
    if not rest:
        value = _read(node, name, text, above[0])
    elif isinstance(named.get(name), (Part, Deferred, tuple)):
        value = _set(named[name], rest, text, above)
    else:
        raise ConfigError(f"{name!r} is {show(named.get(name))} and has no field {rest[0]!r}.")
    if isinstance(node, tuple):
        return tuple(value if str(i) == name else v for i, v in enumerate(node))
    return node.replace(**{name: value})


def _named(node: Any) -> dict[str, Any]:
    return (
        {str(i): v for i, v in enumerate(node)} if isinstance(node, tuple) else dict(node.items())
    )


def _accepts(call: Deferred, name: str) -> bool:
    known = argument_names(call.path)
    return known is None or name in known


def _unknown(node: Any, *path: str) -> str:
    name = path[-1]
    if isinstance(node, Part):
        return no_field(type(node), name)
    if isinstance(node, Deferred):
        known = argument_names(node.path) or ()
        return f"{node.path} takes no argument {name!r}. {suggest(name, known)}"
    numbers = f"numbers 0 to {len(node) - 1}" if len(node) > 1 else "number 0 alone"
    return f"{path[0]!r} has {numbers if node else 'no items'}, got {name!r}."


def _read(node: Any, name: str, text: str, field: str) -> Any:
    """The value of a text that fits the field; the first reading that the field accepts."""
    readings = list(_readings(text, field))
    if not isinstance(node, Part):
        return readings[0]
    errors: list[ConfigError] = []
    for reading in readings:
        try:
            node.replace(**{name: reading})
            return reading
        except ConfigError as error:
            errors.append(error)
    raise errors[0]


def _readings(text: str, field: str) -> Iterable[Any]:
    """What a text may mean, the most specific first; the bare text comes last."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        yield words[text.lower()]
    else:
        for parse in (json.loads, ast.literal_eval):
            try:
                yield parse(text)
                break
            except (ValueError, SyntaxError, TypeError):
                continue
        else:
            call = _as_expression(text)
            if call is not None:
                yield _evaluate(call, field)
                return
    yield text


def _as_expression(text: str) -> ast.expr | None:
    """A call such as `Adam(1e-3)`, a tuple that holds one, or a dotted Keras name."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    if any(isinstance(n, ast.Call) for n in ast.walk(tree)) or text.startswith("keras."):
        return tree
    return None


def _evaluate(node: ast.expr, field: str) -> Any:
    """The value of an expression made of constants, tuples, mappings and calls of known names."""
    if isinstance(node, ast.Call):
        if any(k.arg is None for k in node.keywords):
            raise ConfigError("** is not understood here; write the arguments out.")
        arguments = [_evaluate(a, field) for a in node.args]
        named = {str(k.arg): _evaluate(k.value, field) for k in node.keywords}
        return _look_up(ast.unparse(node.func), field)(*arguments, **named)
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_evaluate(item, field) for item in node.elts)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ConfigError("** is not understood here; write the items out.")
        keys = [_evaluate(k, field) for k in node.keys if k is not None]
        return dict(zip(keys, (_evaluate(v, field) for v in node.values), strict=True))
    if isinstance(node, (ast.Attribute, ast.Name)):
        return _look_up(ast.unparse(node), field)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ConfigError(
            f"{ast.unparse(node)!r} is neither a value nor a part by its call."
        ) from None


def _look_up(name: str, field: str) -> Any:
    """What a name in a call means: a part, or a deferred Keras class."""
    if name.startswith("keras."):
        return _keras(name)
    parts = _parts(_KINDS.get(field, Part))
    bare = name.rpartition(".")[2]
    for among in (parts, _inner_parts()):
        if bare in among:
            return among[bare]
    home = _HOMES.get(field)
    for place in ((home,) if home else ()) + _KERAS:
        if name in (public_names(place) or ()):
            return Name(f"{place}.{name}")
    known = (public_names(home) if home else None) or parts
    raise ConfigError(f"there is no {name!r} for {field}. {suggest(name, known)}")


def _keras(name: str) -> Name:
    """A dotted name of Keras, checked as far as its source tells."""
    module, *rest = name.split(".")
    for last in rest:
        public = public_names(module)
        if public is not None and last not in public:
            raise ConfigError(f"{module} has no {last!r}. {suggest(last, public)}")
        module += f".{last}"
    return Name(name)


def _inner_parts() -> dict[str, type[Part]]:
    """The parts that others are made of, such as the blocks of a network."""
    whole: tuple[type, ...] = (*_KINDS.values(), Pipeline)
    return {n: p for n, p in _parts(Part).items() if not issubclass(p, whole)}


def _parts(kind: type[Part]) -> dict[str, type[Part]]:
    """The parts by their bare names: those of a kind, and the ranges, which fit anywhere."""
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
    """Whether a class is only a base: one of tfpipe without fields that others derive from."""
    bases = ("tfpipe.declare.kinds", "tfpipe.declare.spec")
    derived = any(c.__module__.startswith("tfpipe.") for c in cls.__subclasses__())
    return cls.__module__ in bases or (derived and not cls._own_defaults())
