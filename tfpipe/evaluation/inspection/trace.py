"""Every step of a functional model for one image, nested models and inner activations apart."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.errors import ModelError
from tfpipe.evaluation.inspection.forms import (
    Form,
    Shape,
    activation_name,
    form_of,
    of_activation,
    passes,
)
from tfpipe.evaluation.inspection.step import Step
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from keras.src.ops.node import Node

# Forms of layers that may have an activation inside.
_WITH_ACTIVATION = ("conv", "depthwise", "dense")


@dataclass(frozen=True)
class _Value:
    """A tensor of a batch of one, and the step that it is the answer of."""

    tensor: "tf.Tensor"
    step: int

    @property
    def shape(self) -> Shape:
        return tuple(self.tensor.shape[1:])


def trace(model: "keras.Model", task: Task, image: np.ndarray) -> list[Step]:
    """Return what each operation of a model makes of an image, in the order of computation.

    The last step is the probabilities, by the task where the model gives logits.

    Args:
        model: a functional or sequential model of one image.
        task: what its outputs mean.
        image: [height, width, channels] as the model takes it.

    Raises:
        ModelError: for a model that is a subclass, inside which nothing is seen.
    """
    import keras

    graph = _graph(model)
    if graph is None:
        raise ModelError(
            f"The model is a {type(model).__name__}, a subclass of keras.Model with a call() of "
            "its own, inside which no layer is seen. Build it as keras.Model(inputs, outputs), or "
            "from one of the builders that tfpipe models lists."
        )
    steps = _Steps()
    given = keras.ops.convert_to_tensor(image[None])
    first = steps.add("input", "Input", Form("input"), given, ())
    (answer,) = steps.of_graph(graph, [_Value(given, first)], "")
    if not task.probabilities:
        form = of_activation(task.activations[0], None, answer.shape)
        kind = task.activations[0].capitalize()
        steps.add("probabilities", kind, form, task.answers(answer.tensor), (answer.step,))
    return steps.found


def _graph(model: "keras.Operation") -> "keras.Model | None":
    """The function inside a functional or sequential model, or a nested one; None for others."""
    inside = getattr(model, "_functional", model)
    if not hasattr(inside, "_nodes_by_depth"):
        return None
    own = type(inside).call.__module__.partition(".")[0] != "keras"
    return None if own else inside


class _Steps:
    """The steps so far."""

    def __init__(self) -> None:
        self.found: list[Step] = []
        self._names: Counter[str] = Counter()

    def add(
        self, name: str, kind: str, form: Form, tensor: "tf.Tensor", inputs: tuple[int, ...]
    ) -> int:
        self._names[name] += 1
        again = self._names[name]
        self.found.append(
            Step(
                name if again == 1 else f"{name} ({again})",
                kind,
                form.name,
                _values(tensor),
                inputs,
                form.weights,
                form.settings,
                int(tensor.shape[0]),
            )
        )
        return len(self.found) - 1

    def of_graph(self, graph: "keras.Model", values: Sequence[_Value], prefix: str) -> list[_Value]:
        """Run a graph of operations one by one; see keras.Function."""
        import keras

        known: dict[int, _Value] = {}
        for symbol, value in zip(graph.inputs, values, strict=True):
            cast = keras.ops.cast(value.tensor, symbol.dtype)
            known[id(symbol)] = _Value(cast, value.step)
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                outputs = self._of_node(node, known, prefix)
                known |= zip(map(id, node.outputs), outputs, strict=True)
        return [known[id(symbol)] for symbol in graph.outputs]

    def _of_node(self, node: "Node", known: dict[int, _Value], prefix: str) -> list[_Value]:
        """Run one operation of a graph; the answers to it."""
        import keras

        operation, name = node.operation, prefix + node.operation.name
        inputs = [known[id(tensor)] for tensor in node.input_tensors]
        nested = _graph(operation)
        if nested is not None:
            return self.of_graph(nested, inputs, f"{name}/")
        args, kwargs = node.arguments.fill_in({key: v.tensor for key, v in known.items()})
        if passes(operation):
            self.found[inputs[0].step].followed_by.append(name)
            return [_Value(operation(*args, **kwargs), inputs[0].step)]
        before = tuple(value.step for value in inputs)
        inner, kind = activation_name(operation), type(operation).__name__
        shape = tuple(node.outputs[0].shape[1:])
        form = form_of(operation, [v.shape for v in inputs], shape)
        if form.name in _WITH_ACTIVATION and inner != "linear":
            with _without_activation(operation) as activation:
                output = operation(*args, **kwargs)
            before = (self.add(name, kind, form, output, before),)
            form, answer = of_activation(inner, activation, shape), activation(output)
            return [_Value(answer, self.add(f"{name}/{inner}", inner, form, answer, before))]
        kind = inner if kind == "Activation" else kind
        outputs = keras.tree.flatten(operation(*args, **kwargs))
        return [_Value(o, self.add(name, kind, form, o, before)) for o in outputs]


@contextmanager
def _without_activation(layer: "keras.Layer") -> Iterator[Any]:
    """Take the activation out of a layer; give it."""
    import keras

    activation = layer.activation
    # By its dictionary: what is set in another way is tracked by Keras, where it is a layer.
    vars(layer)["activation"] = keras.activations.linear
    try:
        yield activation
    finally:
        vars(layer)["activation"] = activation


def _values(tensor: "tf.Tensor") -> np.ndarray:
    """A tensor of a batch of one as [height, width, channels] or [units] float32."""
    import keras

    values = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))[0]
    if values.ndim == 2:
        return values[..., None]
    return values if values.ndim in (1, 3) else values.reshape(-1)
