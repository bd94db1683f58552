"""Overrides: `a.b=value` on the command line, read by the field's type.

batch_size=64   augment=()   checkpoint_every=10m   model.dropout=0.3
optimizer=Adam(learning_rate=CosineDecay(1e-3, decay_steps=1000))
"""

import ast
import json
from collections.abc import Iterable, Sequence
from typing import Any

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.hp import Range
from tfpipe.declare.kinds import Augmentation, ModelBuilder, Source
from tfpipe.declare.part import Part, no_field
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.signatures import parameter_names, public_names
from tfpipe.declare.tree import children, known_parts
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

    Raises:
        ConfigError: for a text that is no override, an unknown field, or a value that does not fit.
    """
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                f"{text!r} is no override: write field=value, such as epochs=5 or "
                "optimizer.learning_rate=0.01."
            )
        pipeline = _set(pipeline, name.strip().split("."), value.strip(), text)
    return pipeline


def _set(node: Any, path: Sequence[str], text: str, whole: str, field: str = "") -> Any:
    name, rest = path[0], path[1:]
    named = dict(children(node))
    if isinstance(node, Part) and name not in named:
        raise ConfigError(f"{whole}: {no_field(type(node), name)}")
    if isinstance(node, Deferred) and name not in named:
        _check_argument(node, name, whole)
    if isinstance(node, tuple) and name not in named:
        raise ConfigError(f"{whole}: {field} has {len(node)} items, numbered from 0, no {name!r}.")
    field = field or name
    if rest:
        child = named.get(name)
        if not any(True for _ in children(child)) and not isinstance(child, (Part, Deferred)):
            raise ConfigError(f"{whole}: {name!r} is {child!r} and has no field {rest[0]!r}.")
        value = _set(child, rest, text, whole, field)
    else:
        value = _read(node, name, text, whole, field)
    if isinstance(node, tuple):
        return tuple(value if str(i) == name else v for i, v in enumerate(node))
    return node.replace(**{name: value})


def _check_argument(call: Deferred, name: str, whole: str) -> None:
    known = parameter_names(call.path)
    if known is not None and name not in known:
        raise ConfigError(
            f"{whole}: {call.path} takes no argument {name!r}. {suggest(name, known)}"
        )


def _read(node: Any, name: str, text: str, whole: str, field: str) -> Any:
    """The value of a text that fits the field; the first reading that the field accepts."""
    readings = list(_readings(text, field, whole))
    if not isinstance(node, Part):
        return readings[0]
    first_error: ConfigError | None = None
    for reading in readings:
        try:
            node.replace(**{name: reading})
            return reading
        except ConfigError as error:
            first_error = first_error or error
    assert first_error is not None
    raise ConfigError(f"{whole}: {first_error}")


def _readings(text: str, field: str, whole: str) -> Iterable[Any]:
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
                yield _evaluate(call, field, whole)
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


def _evaluate(node: ast.expr, field: str, whole: str) -> Any:
    """The value of an expression made of constants, tuples, mappings and calls of known names."""
    if isinstance(node, ast.Call):
        if any(k.arg is None for k in node.keywords):
            raise ConfigError(f"{whole}: ** is not understood here; write the arguments out.")
        arguments = [_evaluate(a, field, whole) for a in node.args]
        named = {str(k.arg): _evaluate(k.value, field, whole) for k in node.keywords}
        return _look_up(ast.unparse(node.func), field, whole)(*arguments, **named)
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_evaluate(item, field, whole) for item in node.elts)
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(k) for k in node.keys if k is not None]
        return dict(zip(keys, (_evaluate(v, field, whole) for v in node.values), strict=True))
    if isinstance(node, (ast.Attribute, ast.Name)):
        return _look_up(ast.unparse(node), field, whole)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ConfigError(
            f"{whole}: {ast.unparse(node)!r} is neither a value nor a part by its call."
        ) from None


def _look_up(name: str, field: str, whole: str) -> Any:
    """What a name in a call means: a part, or a deferred Keras class."""
    if name.startswith("keras."):
        module, _, last = name.rpartition(".")
        public = public_names(module)
        if public is not None and last not in public:
            raise ConfigError(f"{whole}: {module} has no {last!r}. {suggest(last, public)}")
        return Name(name)
    parts = _parts(_KINDS.get(field, Part))
    bare = name.rpartition(".")[2]
    if bare in parts:
        return parts[bare]
    home = _HOMES.get(field)
    for place in ((home,) if home else ()) + _KERAS:
        if name in (public_names(place) or ()):
            return Name(f"{place}.{name}")
    known = (public_names(home) if home else None) or parts
    raise ConfigError(f"{whole}: there is no {name!r} for {field}. {suggest(name, known)}")


def _parts(kind: type[Part]) -> dict[str, type[Part]]:
    """The parts by their bare names: those of a kind, and the ranges, which fit anywhere."""
    return {
        cls.__name__: cls
        for cls in known_parts().values()
        if issubclass(cls, (kind, Range))
        and not issubclass(cls, Pipeline)
        and cls.__module__ != "tfpipe.declare.kinds"
        and not cls.__name__.startswith("_")
    }
