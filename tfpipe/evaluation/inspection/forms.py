"""Which formula each layer of Keras follows, with its weights and settings.

A layer that is not here, or not Keras's own, is shown plainly: what goes in and what comes out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

Shape = tuple[int, ...]
Find = Callable[["keras.Layer", list[Shape], Shape], "Form"]
_FORMS: dict[str, Find] = {}
# Of Keras, what changes nothing when a model answers.
_PASSING = {"Dropout", "SpatialDropout2D", "AlphaDropout", "ActivityRegularization", "Identity"}
_PASSING_PREFIXES = ("Gaussian", "Random")


@dataclass(frozen=True)
class Form:
    """The formula of an operation.

    Args:
        name: what the page calls it; "plain" for none.
        weights: the arrays in it, float32.
        settings: the other numbers in it.
    """

    name: str = "plain"
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def keras_class(operation: "keras.Operation") -> type:
    """Return the class of Keras that says what an operation computes; object for one that is a
    person's own. The subclasses that tfpipe has answer as those of Keras, and are only trained
    faster."""
    for kind in type(operation).__mro__:
        room = kind.__module__.partition(".")[0]
        if room == "keras":
            return kind
        if room != "tfpipe":
            break
    return object


def passes(operation: "keras.Operation") -> bool:
    """Return whether an operation gives what it gets when the model answers, such as dropout."""
    name = keras_class(operation).__name__
    linear = name == "Activation" and activation_name(operation) == "linear"
    return name in _PASSING or name.startswith(_PASSING_PREFIXES) or linear


def activation_name(layer: object) -> str:
    """Return what the activation inside a layer is called; "linear" for none."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return "linear"
    return str(getattr(activation, "__name__", type(activation).__name__))


def form_of(operation: "keras.Operation", inputs: list[Shape], output: Shape) -> Form:
    """Return the formula of an operation without the activation inside it.

    Args:
        operation: a layer, or an operation of keras.ops.
        inputs: the shapes of what it reads from one image, without the batch axis.
        output: the shape of what it gives.
    """
    find = _FORMS.get(keras_class(operation).__name__)
    if find is None:
        return Form()
    if getattr(operation, "data_format", "channels_last") != "channels_last":
        return Form()
    return find(operation, inputs, output)


def of_activation(name: str, layer: object, output: Shape) -> Form:
    """Return the formula of an activation.

    Args:
        name: the function's, such as "relu".
        layer: whose attributes may shape it: negative_slope, max_value and threshold.
        output: the shape of what it gives.
    """
    name = name.lower().replace("_", "")
    if name in ("relu", "relu6", "leakyrelu"):
        usual = {"relu6": 6.0}.get(name)
        limit = getattr(layer, "max_value", None)
        slope = float(getattr(layer, "negative_slope", 0.2 if name == "leakyrelu" else 0.0))
        threshold = float(getattr(layer, "threshold", 0.0) or 0.0)
        most = usual if limit is None else float(limit)
        return Form("relu", {}, {"slope": slope, "most": most, "threshold": threshold})
    if name == "softmax" and len(output) == 1:
        return Form("softmax")
    return Form("sigmoid" if name == "sigmoid" else "activation")


def _of(*kinds: str) -> Callable[[Find], Find]:
    """Say of which classes of Keras a function finds the formula."""

    def known(find: Find) -> Find:
        _FORMS.update(dict.fromkeys(kinds, find))
        return find

    return known


@_of(
    *("Activation", "ReLU", "LeakyReLU", "Softmax", "ELU", "PReLU"),
    # Of keras.ops, and of keras.activations called on a tensor.
    *("Relu", "Relu6", "LeakyRelu", "Sigmoid", "Tanh", "Silu", "Gelu", "Elu", "Selu"),
    *("HardSigmoid", "HardSilu"),
)
def _activation(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    kind = keras_class(layer).__name__
    return of_activation(activation_name(layer) if kind == "Activation" else kind, layer, output)


def _pair(value: int | tuple[int, ...]) -> list[int]:
    return [int(v) for v in (value if isinstance(value, tuple | list) else (value, value))]


def _window(layer: "keras.Layer", sides: int | tuple[int, ...], given: Shape) -> dict[str, Any]:
    """Where a window goes: its size, strides and dilation, and the rows and columns before it."""
    size, strides = _pair(sides), _pair(layer.strides)
    dilation = _pair(getattr(layer, "dilation_rate", 1))
    pads = [0, 0]
    if layer.padding == "same":
        for axis in range(2):
            places = -(-given[axis] // strides[axis])
            reach = (size[axis] - 1) * dilation[axis] + 1
            pads[axis] = max((places - 1) * strides[axis] + reach - given[axis], 0) // 2
    return {
        "size": size,
        "strides": strides,
        "dilation": dilation,
        "pads": pads,
        "padding": str(layer.padding),
    }


def _arrays(**variables: "keras.Variable") -> dict[str, np.ndarray]:
    return {name: np.asarray(v, np.float32) for name, v in variables.items() if v is not None}


@_of("Conv2D")
def _conv(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    settings = {**_window(layer, layer.kernel_size, inputs[0]), "groups": int(layer.groups)}
    return Form("conv", _arrays(kernel=layer.kernel, bias=layer.bias), settings)


@_of("DepthwiseConv2D")
def _depthwise(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    window = _window(layer, layer.kernel_size, inputs[0])
    settings = {**window, "multiplier": int(layer.depth_multiplier)}
    return Form("depthwise", _arrays(kernel=layer.kernel, bias=layer.bias), settings)


@_of("MaxPooling2D", "AveragePooling2D")
def _pool(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    name = "maxpool" if keras_class(layer).__name__ == "MaxPooling2D" else "avgpool"
    return Form(name, {}, _window(layer, layer.pool_size, inputs[0]))


@_of("Dense")
def _dense(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    if len(inputs[0]) != 1:
        return Form()
    return Form("dense", _arrays(kernel=layer.kernel, bias=layer.bias))


@_of("BatchNormalization")
def _batch_normalization(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    if layer.axis not in (-1, len(output)):
        return Form()
    weights = _arrays(
        gamma=layer.gamma,
        beta=layer.beta,
        mean=layer.moving_mean,
        variance=layer.moving_variance,
    )
    return Form("batchnorm", weights, {"epsilon": float(layer.epsilon)})


@_of("Rescaling")
def _rescaling(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        return Form()
    return Form("rescale", {}, {"scale": float(layer.scale), "offset": float(layer.offset)})


@_of("GlobalAveragePooling2D", "GlobalMaxPooling2D", "Flatten")
def _of_maps(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    if len(inputs[0]) != 3 or len(output) != 1:
        return Form()
    names = {"GlobalAveragePooling2D": "globalavg", "GlobalMaxPooling2D": "globalmax"}
    return Form(names.get(keras_class(layer).__name__, "flatten"))


@_of("Add")
def _add(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    return Form("add" if len(inputs) > 1 and {*inputs} == {output} else "plain")


@_of("Concatenate")
def _concatenate(layer: "keras.Layer", inputs: list[Shape], output: Shape) -> Form:
    last = {layer.axis} <= {-1, len(output)}
    return Form("concat" if last and len(output) == 3 and len(inputs) > 1 else "plain")
