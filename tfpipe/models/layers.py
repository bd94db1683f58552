"""Layers that the builders share, and what Keras knows under a name."""

from typing import Any

from tfpipe.declare.deferred import build
from tfpipe.declare.kinds import TaskName
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, suggest
from tfpipe.tasks import Task, task_for
from tfpipe.tasks.several import Several


def logits(x: Any, spec: ElementSpec, task: TaskName, **options: Any) -> Any:
    """The last layer of a task, in float32 whatever the precision of the rest.

    Of several outputs a mapping: a layer for each.

    Args:
        x: what it reads.
        spec: the element spec of the data.
        task: what is predicted.
        options: further arguments of keras.layers.Dense.
    """

    of = task_for(spec, task)
    if isinstance(of, Several):
        return {name: _last(x, part, f"{name}_logits", options) for name, part in of.parts.items()}
    return _last(x, of, "logits", options)


def _last(x: Any, task: Task, name: str, options: dict[str, Any]) -> Any:
    import keras

    x = keras.layers.Dense(task.units, dtype="float32", name=name, **options)(x)
    shape = task.label.shape
    return keras.layers.Reshape(shape, dtype="float32")(x) if len(shape) > 1 else x


def dense(x: Any, declared: Any, builder: str) -> Any:
    """The hidden dense layers of a network.

    Args:
        x: what the first of them reads.
        declared: what has `units`, `activation`, `initializer`, `l2`, `batch_norm` and `dropout`.
        builder: who asks, for messages.
    """
    import keras

    for width in declared.units:
        x = keras.layers.Dense(
            width,
            activation=named("activations", f"{builder}.activation", declared.activation),
            kernel_initializer=named(
                "initializers", f"{builder}.initializer", declared.initializer
            ),
            kernel_regularizer=l2(declared.l2),
        )(x)
        if declared.batch_norm:
            x = keras.layers.BatchNormalization()(x)
        if declared.dropout:
            x = keras.layers.Dropout(declared.dropout)(x)
    return x


def add_head(x: Any, declared: Any, builder: str, spec: ElementSpec, task: TaskName) -> Any:
    """What comes after a pretrained network: hidden layers, dropout, and the task's last layer.

    Args:
        x: what the network gives.
        declared: what has `head` (the widths), `activation`, `dropout` and `l2`.
        builder: who asks, for messages.
        spec: the element spec of the data.
        task: what is predicted.
    """
    import keras

    activation = named("activations", f"{builder}.activation", declared.activation)
    for width in declared.head:
        x = keras.layers.Dense(width, activation, kernel_regularizer=l2(declared.l2))(x)
        x = keras.layers.Dropout(declared.dropout)(x) if declared.dropout else x
    if declared.dropout and not declared.head:
        x = keras.layers.Dropout(declared.dropout)(x)
    return logits(x, spec, task, kernel_regularizer=l2(declared.l2))


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
