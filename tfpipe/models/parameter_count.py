"""What a model holds: parameters, and apart from them what its preprocessing has learnt."""

from collections.abc import Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def count(variables: Iterable[Any]) -> int:
    """How many numbers a list of variables holds."""
    return sum(prod(variable.shape) for variable in variables)


def parameters(model: "keras.Layer") -> int:
    """How many numbers a model's or a layer's weights hold, without those of preprocessing layers.

    The states that recurrent layers carry from batch to batch are none of them either.
    """
    return count(without_state(model, model.weights))


def trainable_parameters(model: "keras.Model") -> int:
    """How many of the model's parameters training changes."""
    return count(without_state(model, model.trainable_weights))


def preprocessing_state(model: "keras.Model") -> int:
    """How many numbers and words the model's preprocessing layers hold.

    A Normalization holds a mean and a variance for each number, a TextVectorization or a look-up
    its vocabulary with the places for what is missing or unknown, a Discretization its boundaries.
    """
    return sum(map(_held, _preprocessing(model)))


def without_state(model: "keras.Layer", weights: list[Any]) -> list[Any]:
    """Return weights without what preprocessing has learnt, and without states that are carried."""
    learnt = {id(w) for layer in _preprocessing(model) for w in layer.weights}
    learnt |= {id(w) for layer in model._flatten_layers() for w in getattr(layer, "state", ())}
    return [w for w in weights if id(w) not in learnt]


def _preprocessing(layer: "keras.Layer") -> Iterator[Any]:
    """The preprocessing layers inside a layer, at any depth and each once."""
    from keras import layers

    kinds = (
        layers.Normalization,
        layers.TextVectorization,
        layers.StringLookup,
        layers.IntegerLookup,
        layers.Discretization,
    )
    seen: set[int] = set()
    waiting = [layer]
    while waiting:
        inner = waiting.pop()
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        if isinstance(inner, kinds):
            yield inner  # and not the look-up that it is made of
        else:
            waiting.extend(inner._flatten_layers(include_self=False, recursive=False))


def _held(layer: "keras.Layer") -> int:
    from keras import layers

    if isinstance(layer, layers.Normalization):
        return 2 * prod(layer.mean.shape) if layer.mean is not None else 0
    if isinstance(layer, layers.Discretization):
        return len(layer.bin_boundaries or ())
    return int(layer.vocabulary_size())
