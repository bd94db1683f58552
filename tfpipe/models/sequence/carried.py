"""A recurrent layer whose state goes on from batch to batch.

In training a batch begins with the state in which the batch before ended; gradients end at the
batch. What is held out has a state of its own, which is carried while `carrying` is set; otherwise
each sample begins with zeros, as in prediction and export.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfpipe")
class Carried(keras.layers.Layer):
    """A recurrent layer, and the states of so many rows.

    Args:
        layer: gives its outputs at all steps and, behind them, its last states.
        rows: of a training batch; the last one of a pass may have fewer.
        options: further arguments of keras.layers.Layer.
    """

    carrying = False  # whether held-out batches go on from each other, too

    def __init__(self, layer: keras.layers.RNN, rows: int, **options: Any) -> None:
        super().__init__(**options)
        self.layer, self.rows = layer, rows

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the layer's weights, and zeros for the states."""
        self.layer.build(input_shape)
        size = self.layer.cell.state_size
        sizes = size if isinstance(size, (list, tuple)) else [size]
        self.training_state, self.held_out_state = (
            [
                self.add_weight((self.rows, n), "zeros", trainable=False, name=f"{name}_{i}")
                for i, n in enumerate(sizes)
            ]
            for name in ("training_state", "held_out_state")
        )

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return [rows, steps, units] for [rows, steps, numbers]."""
        if not (training or self.carrying):
            return self.layer(inputs, training=training)[0]
        held = self.training_state if training else self.held_out_state
        rows = ops.shape(inputs)[0]
        before = [ops.cast(state[:rows], self.compute_dtype) for state in held]
        outputs, *after = self.layer(inputs, initial_state=before, training=training)
        for state, new in zip(held, after, strict=True):
            new = ops.cast(ops.stop_gradient(new), state.dtype)
            state.assign(ops.concatenate([new, state[rows:]]))
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the outputs."""
        return (*input_shape[:-1], self.layer.units)

    @property
    def state(self) -> list[Any]:
        """The variables that are no parameters."""
        return [*self.training_state, *self.held_out_state]

    def get_config(self) -> dict[str, Any]:
        """Return what a copy is made of."""
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer, "rows": self.rows}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Carried":
        """Return the layer of a saved model."""
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def carried_layers(model: Any) -> list[Carried]:
    """Return the layers of a model whose states are carried; none for what is no Keras model."""
    if not isinstance(model, keras.Model):
        return []
    return [layer for layer in model._flatten_layers() if isinstance(layer, Carried)]


def begin_training(layers: list[Carried]) -> None:
    """Let the next training batch begin with zeros."""
    for layer in layers:
        _clear(layer.training_state)


@contextmanager
def carried_over(model: Any) -> Iterator[None]:
    """Carry the state over held-out batches, from zeros on, as they come in the order of the text.

    What TensorFlow traces meanwhile carries it also later.
    """
    layers = carried_layers(model)
    begin_held_out(layers)
    try:
        yield
    finally:
        end_held_out(layers)


def begin_held_out(layers: list[Carried]) -> None:
    """Let held-out batches go on from each other, from zeros on."""
    for layer in layers:
        _clear(layer.held_out_state)
        layer.carrying = True


def end_held_out(layers: list[Carried]) -> None:
    """Let each sample begin with zeros again."""
    for layer in layers:
        layer.carrying = False


def _clear(state: list[Any]) -> None:
    for variable in state:
        variable.assign(ops.zeros_like(variable))
