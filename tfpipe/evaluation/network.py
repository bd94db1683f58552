"""A model as a table of layers: shapes, parameters, what they compute, and which feeds which."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from tfpipe.models.parameter_count import count

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class LayerRow:
    """A layer of a model.

    Args:
        name: its name.
        kind: its class.
        shape: of its output, the batch axis as None; empty where it cannot be told.
        parameters: how many numbers its weights hold.
        multiply_adds: of one sample, or where it may have any length for each place of it, for
            layers of convolutions and matrices; 0 for others.
        inputs: the rows of the layers before it.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    multiply_adds: int
    inputs: tuple[int, ...]


def layer_rows(model: "keras.Model") -> list[LayerRow]:
    """Return the layers of a model in the order of computation, a nested model as one of them."""
    layers = model.layers
    places = {id(layer): place for place, layer in enumerate(layers)}
    return [
        LayerRow(
            layer.name,
            type(layer).__name__,
            _shape(layer),
            _held(layer),
            multiply_adds(layer),
            tuple(sorted({places[id(b)] for b in _before(layer, model) if id(b) in places}))
            or ((place - 1,) if place and not _is_functional(model) else ()),
        )
        for place, layer in enumerate(layers)
    ]


def _held(layer: "keras.Layer") -> int:
    """How many numbers a layer's weights hold, without states that it carries."""
    state = {id(variable) for variable in getattr(layer, "state", ())}
    return count(weight for weight in layer.weights if id(weight) not in state)


def multiply_adds(layer: "keras.Layer") -> int:
    """Return how often a layer multiplies and adds for one sample; a nested model's in sum."""
    inside = getattr(layer, "layers", None)
    if inside:
        return sum(map(multiply_adds, inside))
    kernels = [w for w in layer.weights if "kernel" in w.path.rpartition("/")[2]]
    if not kernels:
        return 0
    name, shape = type(layer).__name__, _shape(layer)
    known = [size for size in shape[1:] if size is not None]
    if "Conv" in name and len(shape) > 2:
        channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
        where = shape[1:-1] if channels_last else shape[2:]
        if "Transpose" in name:
            where = _spatial_input(layer) or where
        places = prod(size for size in where if size is not None)
        return places * sum(prod(kernel.shape) for kernel in kernels)
    steps = prod(known[:-1]) if name == "Dense" and len(known) > 1 else 1
    if not name.startswith("Dense") and len(kernels) > 1:  # a recurrent layer's cell, step by step
        steps = _spatial_input(layer)[0] if _spatial_input(layer) else 1
    return steps * sum(prod(kernel.shape) for kernel in kernels)


def _spatial_input(layer: "keras.Layer") -> tuple[int, ...]:
    """The sizes of a layer's input between the batch axis and the last one."""
    try:
        shape = layer.input.shape
    except (AttributeError, ValueError):
        return ()
    return tuple(size for size in shape[1:-1] if size is not None)


def _shape(layer: Any) -> tuple[int | None, ...]:
    try:
        shape = layer.output.shape
    except (AttributeError, ValueError):  # never called, or with several outputs
        return ()
    return tuple(shape)


def _is_functional(model: "keras.Model") -> bool:
    return hasattr(model, "_nodes") and hasattr(model, "_operations")


def _before(layer: "keras.Layer", model: "keras.Model") -> Iterator[Any]:
    """The layers whose outputs a layer takes within a model, through operations that are none."""
    known = {id(other) for other in model.layers}
    waiting = [t for node in layer._inbound_nodes for t in node.input_tensors]
    seen: set[int] = set()
    while waiting:
        tensor = waiting.pop()
        history = getattr(tensor, "_keras_history", None)
        if history is None or id(history.operation) in seen:
            continue
        seen.add(id(history.operation))
        if id(history.operation) in known:
            yield history.operation
        else:
            waiting += history.operation._inbound_nodes[history.node_index].input_tensors


def total_multiply_adds(model: "keras.Model") -> int:
    """Return how often a model multiplies and adds for one sample."""
    return sum(map(multiply_adds, model.layers))
