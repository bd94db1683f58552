"""Layers that the builders share, and what Keras knows under a name."""

from typing import Any

from tfpipe.declare.deferred import build
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, suggest
from tfpipe.models.heads import head_for


def logits(x: Any, spec: ElementSpec, task: str) -> Any:
    """The last layer of a task, in float32 whatever the precision of the rest."""
    import keras

    head = head_for(spec, task)
    x = keras.layers.Dense(head.units, dtype="float32", name="logits")(x)
    shape = spec.label.shape
    return keras.layers.Reshape(shape, dtype="float32")(x) if len(shape) > 1 else x


def named(module: str, field: str, value: Any) -> Any:
    """What Keras should use for a name or a deferred object.

    Args:
        module: where Keras keeps the names, such as "activations".
        field: the field that holds the value, for the message.
        value: the name or the deferred object.

    Raises:
        ConfigError: for a name that Keras does not have.
    """
    import keras

    built, home = build(value), getattr(keras, module)
    try:
        home.get(built)
    except ValueError:
        known = {n for n in dir(home) if n.islower() and n[0] != "_"}
        known -= {"get", "serialize", "deserialize"}
        raise ConfigError(
            f"{field}: keras.{module} has no {value!r}. {suggest(str(value), known)}"
        ) from None
    return built


def l2(strength: float) -> Any:
    """An L2 regularizer, or none for 0."""
    import keras

    return keras.regularizers.L2(strength) if strength else None
