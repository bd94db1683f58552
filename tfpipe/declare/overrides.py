"""Overrides: `a.b=value` on the command line, read by the field's type.

batch_size=64   augment=()   checkpoint_every=10m   model.dropout=0.3
optimizer=Adam(learning_rate=CosineDecay(1e-3, decay_steps=1000))
"""

import ast
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from tfpipe.declare.codec import known_parts
from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.fieldtypes import show
from tfpipe.declare.hp import Range, same
from tfpipe.declare.kinds import Augmentation, ModelBuilder, Source
from tfpipe.declare.part import Part, no_field, unvalidated
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.signatures import argument_default, argument_names, public_names
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.declare.tree import Path, children, flatten, get_at, set_at, walk
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


@dataclass(frozen=True)
class _Place:
    """Where a text is read: the pipeline's field, and what the declaration itself names."""

    field: str
    own: Mapping[str, Any]


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
    own = _own_names(pipeline)
    with unvalidated():
        for text in texts:
            path, value = _parse(pipeline, text, own)
            pipeline = set_at(pipeline, path, value)
    for name, part in {"": pipeline, **flatten(pipeline)}.items():
        if isinstance(part, Part):
            _validate(part, name, texts)
    return pipeline


def write_override(pipeline: Pipeline, name: str, value: Any) -> str:
    """The text `name=value` that `apply_overrides` reads back as a value.

    Args:
        pipeline: what the text is for.
        name: the dotted name of what is set.
        value: a number, a text, a part, a tuple of them.

    Raises:
        ConfigError: when the field refuses the value, or no text gives it, as for a lambda.

    Example:
        write_override(pipeline, "optimizer", keras.optimizers.SGD(0.1))
        == "optimizer=keras.optimizers.SGD(learning_rate=0.1)"
    """
    with unvalidated():
        expected = get_at(with_value(pipeline, name, value), locate(pipeline, name))
    bare = value if isinstance(value, str) else show(value)
    for text in dict.fromkeys((f"{name}={bare}", f"{name}={show(value)}")):
        with suppress(ConfigError):
            if same(read_override(pipeline, text), expected):
                return text
    raise ConfigError(
        f"{name}: {show(value)} cannot be written as an override, and so given to a run. "
        "What can: numbers, texts, none, parts, Keras objects, named functions that the "
        "declaration uses, and tuples and mappings of these."
    )


def with_value(pipeline: Pipeline, name: str, value: Any) -> Pipeline:
    """A copy with the value at a dotted name changed; its parts' fields are not compared.

    Raises:
        ConfigError: for a name that cannot be set, or a value that its field refuses.
    """
    with unvalidated():
        changed: Pipeline = set_at(pipeline, locate(pipeline, name), value)
    return changed


def read_override(pipeline: Pipeline, text: str) -> Any:
    """The value that a text `name=value` gives its field; raises ConfigError as it would."""
    with unvalidated():
        path, value = _parse(pipeline, text, _own_names(pipeline))
        return get_at(set_at(pipeline, path, value), path)


def declared_at(pipeline: Pipeline, name: str) -> Any:
    """The value with a dotted name; of an argument that is not given, Keras's default.

    Raises:
        ConfigError: for a name that cannot be set, with suggestions.
    """
    *above, last = locate(pipeline, name)
    holder = get_at(pipeline, above)
    implied = argument_default(holder.path, last) if isinstance(holder, Deferred) else None
    return dict(children(holder)).get(last, implied)


def locate(pipeline: Pipeline, name: str) -> Path:
    """The path of a dotted name that can be set; raises ConfigError with suggestions.

    A mapping's key may have dots of its own, and an argument of a call may not be given yet.
    """
    node: Any = pipeline
    path: Path = ()
    words = name.split(".")
    while words:
        named = {str(key): (key, value) for key, value in children(node)}
        length = 1
        if isinstance(node, Mapping):
            lengths = range(len(words), 1, -1)
            length = next((n for n in lengths if ".".join(words[:n]) in named), 1)
        word, words = ".".join(words[:length]), words[length:]
        if word not in named and not (isinstance(node, Deferred) and _accepts(node, word)):
            raise ConfigError(_unknown(node, *map(str, path[-1:]), word))
        key, node = named.get(word, (word, None))
        path = (*path, key)
        if words and not isinstance(node, (Part, Deferred, tuple, Mapping)):
            raise ConfigError(f"{word!r} is {show(node)} and has no field {words[0]!r}.")
    return path


def _parse(pipeline: Pipeline, text: str, own: Mapping[str, Any]) -> tuple[Path, Any]:
    """The path and the value of an override; raises ConfigError that quotes it."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(
            f"{text!r} is no override: write field=value, such as epochs=5 or "
            "optimizer.learning_rate=0.01."
        )
    try:
        path = locate(pipeline, name.strip())
        place = _Place(str(path[0]), own)
        found = _read(get_at(pipeline, path[:-1]), str(path[-1]), value.strip(), place)
        set_at(pipeline, path, found)  # what holds it may refuse it
    except ConfigError as error:
        raise ConfigError(f"{text}: {error}") from None
    return path, found


def _validate(part: Part, name: str, texts: tuple[str, ...]) -> None:
    """Compare a part's fields with each other, naming the overrides that touched it."""
    try:
        part.validate()
    except ConfigError as error:
        touching = [text for text in texts if text.startswith(name)]
        raise ConfigError(": ".join([" ".join(touching), str(error)])) from None


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
    if isinstance(node, Mapping):
        keys = suggest(name, map(str, node)) if node else "It is empty: set the whole."
        return f"{path[0]!r} has no key {name!r}. {keys}"
    numbers = f"numbers 0 to {len(node) - 1}" if len(node) > 1 else "number 0 alone"
    return f"{path[0]!r} has {numbers if node else 'no items'}, got {name!r}."


def _read(node: Any, name: str, text: str, place: _Place) -> Any:
    """The value of a text that fits the field; the first reading that the field accepts."""
    readings = list(_readings(text, place))
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


def _readings(text: str, place: _Place) -> Iterable[Any]:
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
            call = _as_expression(text, place)
            if call is not None:
                yield _evaluate(call, place)
                return
    yield text
    if text in place.own:
        yield place.own[text]


def _as_expression(text: str, place: _Place) -> ast.expr | None:
    """A call such as `Adam(1e-3)`, a tuple that holds one, or a dotted name."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    return tree if any(_is_name(node, place) for node in ast.walk(tree)) else None


def _is_name(node: ast.AST, place: _Place) -> bool:
    """Whether a piece of an expression is a call, or a dotted name that can be looked up."""
    if isinstance(node, ast.Attribute):
        dotted = ast.unparse(node)
        return dotted.startswith("keras.") or dotted in place.own
    return isinstance(node, ast.Call)


def _evaluate(node: ast.expr, place: _Place) -> Any:
    """The value of an expression made of constants, tuples, mappings and calls of known names."""
    if isinstance(node, ast.Call):
        if any(k.arg is None for k in node.keywords):
            raise ConfigError("** is not understood here; write the arguments out.")
        arguments = [_evaluate(a, place) for a in node.args]
        named = {str(k.arg): _evaluate(k.value, place) for k in node.keywords}
        target = _look_up(ast.unparse(node.func), place)
        if isinstance(target, FunctionType):
            raise ConfigError(f"{ast.unparse(node.func)} is a function, and no part to declare.")
        return target(*arguments, **named)
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_evaluate(item, place) for item in node.elts)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ConfigError("** is not understood here; write the items out.")
        keys = [_evaluate(k, place) for k in node.keys if k is not None]
        return dict(zip(keys, (_evaluate(v, place) for v in node.values), strict=True))
    if isinstance(node, (ast.Attribute, ast.Name)):
        return _look_up(ast.unparse(node), place)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ConfigError(
            f"{ast.unparse(node)!r} is neither a value nor a part by its call."
        ) from None


def _look_up(name: str, place: _Place) -> Any:
    """What a name in a call means: a part, a deferred Keras class, a name of the declaration."""
    field = place.field
    if name.startswith("keras."):
        return _keras(name)
    if "." in name and name in place.own:
        return place.own[name]
    parts = _parts(_KINDS.get(field, Part))
    bare = name.rpartition(".")[2]
    for among in (parts, _inner_parts()):
        if bare in among:
            return among[bare]
    home = _HOMES.get(field)
    for module in ((home,) if home else ()) + _KERAS:
        if name in (public_names(module) or ()):
            return Name(f"{module}.{name}")
    if name in place.own:
        return place.own[name]
    known = {*((public_names(home) if home else None) or parts)}
    known |= {own for own in place.own if not own.startswith("keras.")}
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


def _own_names(value: Any) -> dict[str, Any]:
    """The functions and the modules' names that a declaration uses, by how they are written.

    They can be written in an override too, although no list of parts or of Keras has them.
    """
    named = (Name(v.path) if isinstance(v, Deferred) else v for _, v in walk(value))
    return {
        v.path if isinstance(v, Name) else v.__qualname__: v
        for v in named
        if isinstance(v, (FunctionType, Name))
    }


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
    derived = any(c.__module__.startswith("tfpipe.") for c in cls.__subclasses__())
    return cls in (*_KINDS.values(), ElementSpec, Feature, Label) or (
        derived and not cls._own_defaults()
    )
