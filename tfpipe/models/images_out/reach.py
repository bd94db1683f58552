"""How far a network looks around a pixel: its receptive field, by a walk over its layers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

import keras

from tfpipe.models.images_out import layers as own

_POOLS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
# What looks at the pixel itself alone; padding and cutting only move where an image begins.
_POINTWISE = (
    keras.layers.InputLayer,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.Subtract,
    keras.layers.Multiply,
    keras.layers.Concatenate,
    keras.layers.BatchNormalization,
    keras.layers.Rescaling,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.Dense,
    keras.layers.Cropping2D,
    keras.layers.ZeroPadding2D,
    own.PadEdges,
    own.PadToMultiple,
    own.CutLike,
)


@dataclass(frozen=True)
class Reach:
    """What of an input decides about a pixel of the answer.

    Args:
        pixels: of the input, on each side.
        multiple: where a part of an image may begin that is to be answered as the whole is: at
            multiples of so many pixels.
    """

    pixels: int
    multiple: int


@dataclass(frozen=True)
class _Seen:
    """What a tensor is, in pixels of the input: how far its pixels are apart, and how far one sees.

    Args:
        apart: pixels of the input between two neighbours.
        far: pixels of the input on each side of one.
        most: the largest `apart` on the way.
    """

    apart: Fraction = Fraction(1)
    far: Fraction = Fraction(0)
    most: Fraction = Fraction(1)

    def window(self, kernel: int, strides: int = 1, dilation: int = 1) -> "_Seen":
        """Look at a window of pixels around each, or each so many."""
        far = self.far + ceil((kernel - 1) * dilation / 2) * self.apart
        apart = self.apart * strides
        return _Seen(apart, far, max(self.most, apart))

    def larger(self, scale: int, around: int) -> "_Seen":
        """Make each pixel into so many, from so many around it."""
        return replace(self, apart=self.apart / scale, far=self.far + around * self.apart)


class _Unbounded(Exception):
    """A layer looks at all of an image, or nobody knows at how much."""


def reach_of(model: keras.Model) -> Reach | None:
    """Return what of an image decides about a pixel of a network's answer; None for all of it.

    Args:
        model: a functional or sequential model of one image.
    """
    try:
        (seen,) = _through(model, [_Seen()])
    except (_Unbounded, ValueError):
        return None
    return Reach(ceil(seen.far), ceil(seen.most))


def _through(model: keras.Model, inputs: list[_Seen]) -> list[_Seen]:
    """Return what the outputs of a model are, of what its inputs are."""
    if not isinstance(model, (keras.Sequential, keras.models.Model)) or not model.inputs:
        raise _Unbounded
    known = dict(zip(map(id, model.inputs), inputs, strict=True))

    def seen(tensor: Any) -> _Seen:
        if id(tensor) not in known:
            operation, node, index = tensor._keras_history
            arguments = operation._inbound_nodes[node].input_tensors
            outputs = _after(operation, [seen(argument) for argument in arguments])
            known[id(tensor)] = outputs[min(index, len(outputs) - 1)]
        return known[id(tensor)]

    return [seen(output) for output in model.outputs]


def _after(operation: Any, inputs: list[_Seen]) -> list[_Seen]:
    """Return what the outputs of a layer are."""
    if isinstance(operation, keras.Model):
        return _through(operation, inputs)
    widest = max(inputs, key=lambda seen: seen.far)
    joined = replace(widest, most=max(seen.most for seen in inputs))
    for kinds, change in _CHANGES:
        if isinstance(operation, kinds):
            return [change(operation, joined)]
    raise _Unbounded


def _square(value: Any) -> int:
    return max(value) if isinstance(value, (tuple, list)) else int(value)


_CHANGES: list[tuple[tuple[type, ...], Callable[[Any, _Seen], _Seen]]] = [
    (
        (keras.layers.Conv2DTranspose,),
        lambda layer, seen: seen.larger(
            _square(layer.strides), ceil(_square(layer.kernel_size) / 2)
        ),
    ),
    (
        _CONVOLUTIONS,
        lambda layer, seen: seen.window(
            _square(layer.kernel_size), _square(layer.strides), _square(layer.dilation_rate)
        ),
    ),
    (_POOLS, lambda layer, seen: seen.window(_square(layer.pool_size), _square(layer.strides))),
    ((keras.layers.UpSampling2D,), lambda layer, seen: seen.larger(_square(layer.size), 2)),
    ((own.Enlarge,), lambda layer, seen: seen.larger(layer.scale, 2)),
    ((own.PixelShuffle,), lambda layer, seen: seen.larger(layer.scale, 0)),
    (_POINTWISE, lambda layer, seen: seen),
]
