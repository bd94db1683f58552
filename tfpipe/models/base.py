"""The base of a model: what was trained before, and which of its layers are trained now."""

from collections.abc import Iterator
from typing import Any

from tfpipe.declare.fine_tune import Unfreeze
from tfpipe.errors import ModelError, suggest
from tfpipe.models.count import count


def base_of(model: Any) -> Any:
    """The pretrained part of a model: the nested model, or TF-Hub layer, with the most weights.

    Args:
        model: a keras.Model.

    Returns:
        The layer; None where the model has no such part.
    """
    import keras

    found = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.Model) or getattr(layer, "is_base", False)
    ]
    return max((b for b in found if b.weights), key=lambda b: count(b.weights), default=None)


def unfreeze(base: Any, what: Unfreeze, batch_norm: bool = False) -> None:
    """Say which layers of a base are trained; the others are frozen.

    A frozen batch normalisation uses its statistics and leaves them as they are, whoever calls it
    with `training=True`. (Calling the base with `training=False` does not hold during `fit`: keras
    issue 20285.)

    Args:
        base: what `base_of` gives.
        what: None for no layer, "all", a number for the last n layers, "752:" for those from that
            number on, or the name of the first.
        batch_norm: whether batch normalisation among them is trained too.

    Raises:
        ModelError: for layers that the base does not have.
    """
    base.trainable = False
    if what is None:
        return
    if not hasattr(base, "layers"):
        if what != "all":
            raise ModelError(
                f"unfreeze={what!r}: {base.name!r} is one layer, a module of TensorFlow Hub. Use "
                "'all' or None."
            )
        base.trainable = True
        return
    first = _first(base, what)
    # True alone would do nothing where it is True already, though layers inside are frozen.
    base.trainable = True
    for layer in base.layers[:first]:
        layer.trainable = False
    if not batch_norm:
        freeze_batch_norm(base)
    if not base.trainable_weights:
        frozen = "" if batch_norm else ", batch normalisation being frozen without batch_norm=True"
        raise ModelError(
            f"unfreeze={what!r}: those layers of {base.name} have no weights to train{frozen}. "
            "Take more of them, or None for a frozen base."
        )


def freeze_batch_norm(layer: Any) -> None:
    """Freeze every batch normalisation inside a layer: its statistics, scale and offset."""
    import keras

    for inside in layer._flatten_layers():
        if isinstance(inside, keras.layers.BatchNormalization):
            inside.trainable = False


def trained_layers(base: Any) -> Iterator[Any]:
    """The layers of a base that have weights which training changes, from its input on."""
    layers = base.layers if hasattr(base, "layers") else [base]
    return (layer for layer in layers if layer.trainable_weights)


def _first(base: Any, what: Unfreeze) -> int:
    """The number of the first layer that is trained."""
    layers = base.layers
    if what == "all":
        return 0
    if isinstance(what, int):
        if what > len(layers):
            raise ModelError(
                f"unfreeze={what}: {base.name} has {len(layers)} layers. Use at most that, or "
                "'all'."
            )
        return len(layers) - what
    assert isinstance(what, str)
    if what.endswith(":") and what[:-1].isdigit():
        first = int(what[:-1])
        if first >= len(layers):
            raise ModelError(
                f"unfreeze={what!r}: {base.name} has {len(layers)} layers, the last is number "
                f"{len(layers) - 1}."
            )
        return first
    names = [layer.name for layer in layers]
    if what not in names:
        raise ModelError(
            f"unfreeze={what!r}: {base.name} has no layer of that name. {suggest(what, names)} "
            "A number n means the last n layers, 'n:' those from number n on."
        )
    return names.index(what)
