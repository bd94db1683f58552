"""The first and the last layers that the builders share."""

from typing import Any

from tfpipe.declare.deferred import build
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ConfigError, ModelError, suggest
from tfpipe.models.heads import head_for


def image_feature(spec: ElementSpec, builder: str) -> Feature:
    """The image that a network of convolutions reads; raises ModelError for anything else."""
    feature = spec.feature
    if len(feature.shape) != 3:
        raise ModelError(
            f"{builder} reads images of shape (height, width, channels); {feature.name!r} has "
            f"shape {feature.shape}, which is {_rank(len(feature.shape))}. "
            "Use MLP, or reshape the data to images."
        )
    return feature


def _rank(rank: int) -> str:
    return f"of rank {rank}, not 3"


def raw_input(feature: Feature) -> tuple[Any, Any]:
    """The model's input for raw samples, and the same scaled.

    Bytes are scaled from 0..255 to 0..1 inside the model, so that raw images go in everywhere;
    numbers of other types go in as they are.
    """
    import keras

    inputs = keras.Input(feature.shape, name=feature.name, dtype="float32")
    if feature.dtype != "uint8":
        return inputs, inputs
    return inputs, keras.layers.Rescaling(1 / 255, name="rescaling")(inputs)


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
