"""Overrides: `a.b=value` on the command line, read by the field's type.

batch_size=64   augment=()   checkpoint_every=10m   model.dropout=0.3
optimizer=Adam(learning_rate=CosineDecay(1e-3, decay_steps=1000))
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.deferred.source import argument_default, argument_names
from tfpipe.declare.expressions import Scope, own_names, readings
from tfpipe.declare.field_types import show
from tfpipe.declare.hp import same
from tfpipe.declare.part import Part, no_field, unvalidated
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import Path, children, flatten, get_at, set_at
from tfpipe.errors import ConfigError, suggest


def apply_overrides(pipeline: Pipeline, texts: Iterable[str]) -> Pipeline:
    """Return the pipeline with `a.b=value` texts applied, in their order.

    Fields that must fit each other are compared when all texts are applied, so that
    `model.convs=4 model.dropout=(0.1,0.2)` works in either order.

    Args:
        pipeline: the declaration.
        texts: such as "epochs=5" or "optimizer.learning_rate=0.01".

    Raises:
        ConfigError: for a text that is no override, an unknown field, or a value that does not fit.
    """
    texts = tuple(texts)
    if not texts:
        return pipeline
    own = own_names(pipeline)
    with unvalidated():
        for text in texts:
            path, value = _parse(pipeline, text, own)
            pipeline = set_at(pipeline, path, value)
    for name, part in {"": pipeline, **flatten(pipeline)}.items():
        if isinstance(part, Part):
            try:
                part.validate()
            except ConfigError as error:
                touching = [text for text in texts if text.startswith(name)]
                raise ConfigError(": ".join([" ".join(touching), str(error)])) from None
    return pipeline


def write_override(pipeline: Pipeline, name: str, value: object) -> str:
    """Return the text `name=value` that `apply_overrides` reads back as a value.

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


def with_value(pipeline: Pipeline, name: str, value: object) -> Pipeline:
    """Return a copy with the value at a dotted name changed; its fields are not compared.

    Raises:
        ConfigError: for a name that cannot be set, or a value that its field refuses.
    """
    with unvalidated():
        changed: Pipeline = set_at(pipeline, locate(pipeline, name), value)
    return changed


def read_override(pipeline: Pipeline, text: str) -> Any:
    """Return the value that a text `name=value` gives its field; raise ConfigError as it would."""
    with unvalidated():
        path, value = _parse(pipeline, text, own_names(pipeline))
        return get_at(set_at(pipeline, path, value), path)


def declared_at(pipeline: Pipeline, name: str) -> Any:
    """Return the value with a dotted name; of an argument that is not given, Keras's default.

    Raises:
        ConfigError: for a name that cannot be set, with suggestions.
    """
    *above, last = locate(pipeline, name)
    holder = get_at(pipeline, above)
    implied = argument_default(holder.path, last) if isinstance(holder, Deferred) else None
    return dict(children(holder)).get(last, implied)


def locate(pipeline: Pipeline, name: str) -> Path:
    """Return the path of a dotted name that can be set; raise ConfigError with suggestions.

    A mapping's key may have dots of its own, and an argument of a call may not be given yet.
    """
    node: Any = pipeline
    path: Path = ()
    words = name.split(".")
    while words:
        inside = {str(key): (key, value) for key, value in children(node)}
        length = 1
        if isinstance(node, Mapping):
            lengths = range(len(words), 1, -1)
            length = next((n for n in lengths if ".".join(words[:n]) in inside), 1)
        word, words = ".".join(words[:length]), words[length:]
        if word not in inside and not (isinstance(node, Deferred) and _accepts(node, word)):
            raise ConfigError(_unknown(node, *map(str, path[-1:]), word))
        key, node = inside.get(word, (word, None))
        path = (*path, key)
        if words and not isinstance(node, (Part, Deferred, tuple, Mapping)):
            raise ConfigError(f"{word!r} is {show(node)} and has no field {words[0]!r}.")
    return path


def _accepts(call: Deferred, name: str) -> bool:
    known = argument_names(call.path)
    return known is None or name in known


def _unknown(node: object, *path: str) -> str:
    """Return the message for a name that is not in a node; `path` ends with it."""
    name = path[-1]
    if isinstance(node, Part):
        return no_field(type(node), name)
    if isinstance(node, Deferred):
        known = argument_names(node.path) or ()
        return f"{node.path} takes no argument {name!r}. {suggest(name, known)}"
    if isinstance(node, Mapping):
        keys = suggest(name, map(str, node)) if node else "It is empty: set the whole."
        return f"{path[0]!r} has no key {name!r}. {keys}"
    count = len(list(children(node)))
    numbers = f"numbers 0 to {count - 1}" if count > 1 else "number 0 alone"
    return f"{path[0]!r} has {numbers if count else 'no items'}, got {name!r}."


def _parse(pipeline: Pipeline, text: str, own: Mapping[str, Any]) -> tuple[Path, Any]:
    """Return the path and the value of an override; raise ConfigError that quotes it."""
    name, equals, value_text = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(
            f"{text!r} is no override: write field=value, such as epochs=5 or "
            "optimizer.learning_rate=0.01."
        )
    try:
        path = locate(pipeline, name.strip())
        holder = get_at(pipeline, path[:-1])
        candidates = readings(value_text.strip(), Scope(str(path[0]), own))
        value = _first_accepted(holder, str(path[-1]), list(candidates))
        set_at(pipeline, path, value)  # what holds it may refuse it
    except ConfigError as error:
        raise ConfigError(f"{text}: {error}") from None
    return path, value


def _first_accepted(holder: object, name: str, candidates: list[Any]) -> Any:
    """Return the first value that a part's field accepts; any field of other holders does."""
    if not isinstance(holder, Part):
        return candidates[0]
    errors: list[ConfigError] = []
    for value in candidates:
        try:
            holder.replace(**{name: value})
            return value
        except ConfigError as error:
            errors.append(error)
    raise errors[0]
