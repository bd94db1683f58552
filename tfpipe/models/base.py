"""The base of a model: what was trained before, and which of its layers are trained now."""

from collections.abc import Iterator
from typing import Any

from tfpipe.declare.fine_tune import BatchNorm, Unfreeze
from tfpipe.errors import ModelError, suggest
from tfpipe.models.parameter_count import count


def base_of(model: Any) -> Any:
    """The pretrained part of a model: the nested model, or TF-Hub layer, with the most weights.

    Args:
        model: a keras.Model.

    Returns:
        The layer; None where the model has no such part.
    """
    import keras

    bases = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.Model) or getattr(layer, "is_base", False)
    ]
    return max((b for b in bases if b.weights), key=lambda b: count(b.weights), default=None)


def unfreeze(base: Any, what: Unfreeze, batch_norm: BatchNorm = "inference") -> None:
    """Say which layers of a base are trained; the others are frozen.

    A frozen batch normalisation uses its statistics and leaves them as they are, whoever calls it
    with `training=True`. (Calling the base with `training=False` does not hold during `fit`: keras
    issue 20285.)

    Args:
        base: what `base_of` gives.
        what: None for no layer, "all", a number for the last n layers, "752:" for those from that
            number on, or the name of the first.
        batch_norm: what becomes of batch normalisation among them: "inference" keeps its
            statistics and trains its scale and offset, "frozen" keeps all, "trained" nothing.

    Raises:
        ModelError: for layers that the base does not have, or that have nothing to train.
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
    for layer in base._flatten_layers():
        if _is_batch_norm(layer):
            _keep_statistics(layer, batch_norm != "trained")
            layer.trainable &= batch_norm != "frozen"
    if not base.trainable_weights:
        norm = ", batch normalisation being frozen" if batch_norm == "frozen" else ""
        raise ModelError(
            f"unfreeze={what!r}: those layers of {base.name} have no weights to train{norm}. "
            "Take more of them, or None for a frozen base."
        )


def _is_batch_norm(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.BatchNormalization)


def _keep_statistics(layer: Any, keep: bool) -> None:
    """Let a batch normalisation compute as in inference always, or as Keras has it.

    Keras keeps the statistics of a layer only together with its scale and offset, by `trainable`.
    """
    layer.__dict__.pop("call", None)
    if keep:
        own = layer.call
        layer.call = lambda inputs, training=None, mask=None: own(inputs, training=False, mask=mask)


def trained_depths(base: Any) -> Iterator[tuple[int, Any]]:
    """The layers of a base that training changes, with their depth: 1 for the last of them.

    A batch normalisation belongs to the layer before it.
    """
    depth = 0
    layers = base.layers if hasattr(base, "layers") else [base]
    for layer in reversed(layers):
        if layer.trainable_weights:
            depth += not _is_batch_norm(layer)
            yield depth + _is_batch_norm(layer), layer


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
