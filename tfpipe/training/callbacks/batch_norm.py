"""Batch normalisation's averages, computed over training batches while steps are too few for them.

In training a batch normalisation uses the mean and variance of the batch, for prediction averages
that follow them slowly: with a momentum of 0.99 it takes about a thousand steps until they tell of
the data and the weights as they are. Before that a network that has learnt answers at random. What
is done here is what Wu and Johnson, 2021, arXiv:2105.07576, section 3, call precise statistics.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Of the weight with which what an average began with still counts, 4.5e-5 is left after so many.
_SETTLED = 10.0  # times 1 / (1 - momentum) steps
_MOST_BATCHES = 100


class BatchNormStatistics(keras.callbacks.Callback):
    """Computes the averages at the end of each epoch, before it is judged, while steps are few.

    Training itself is the same with and without: it does not read the averages. Random numbers
    that dropout draws meanwhile are drawn again.

    Args:
        batches: gives training batches of an epoch, as they are trained on.
    """

    def __init__(self, batches: Callable[[int], tf.data.Dataset]) -> None:
        super().__init__()
        self.used, self.steps = False, 0  # in the epoch that was trained last, and after so many
        self._batches = batches
        self._epoch = 0
        self._computed_after = -1
        self._traced: dict[tuple[int, ...], Any] = {}  # by the layers that learn: phases differ

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self._computed_after = epoch, -1

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._compute()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._compute()

    def _compute(self) -> None:
        steps, layers = (
            int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)),
            [*learning_layers(self.model)],
        )
        if self._computed_after == steps:
            return
        self._computed_after = self.steps = steps
        self.used = any(steps * (1 - layer.momentum) < _SETTLED for layer in layers)
        if self.used:
            learning = tuple(map(id, layers))
            if learning not in self._traced:
                model = self.model
                self._traced[learning] = tf.function(lambda x: model(x, training=True))
            batches = self._batches(self._epoch).take(_MOST_BATCHES)
            compute_statistics(self.model, layers, batches, self._traced[learning])


def learning_layers(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    """Yield the batch normalisations that learn averages, and do not keep those they have."""
    for layer in model._flatten_layers():
        learns = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        if learns and "call" not in vars(layer):  # as tfpipe.models.base has it for kept statistics
            yield layer


def compute_statistics(
    model: keras.Model,
    layers: list[keras.layers.BatchNormalization],
    batches: tf.data.Dataset,
    forward: Callable[[tf.Tensor], tf.Tensor],
) -> None:
    """Set the averages of batch normalisations to the means over some batches.

    Args:
        model: the model; nothing else of it changes.
        layers: its batch normalisations.
        batches: training batches.
        forward: calls the model in training; traced here, where it is called first.
    """
    averages = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    own = {id(variable) for variable in averages}
    others = [v for v in model.non_trainable_variables if id(v) not in own]
    before = [np.array(v.numpy()) for v in others]
    momenta = [(layer.momentum, layer.synchronized) for layer in layers]
    sums, count = [np.zeros(v.shape) for v in averages], 0
    try:
        for layer in layers:
            layer.momentum = 0.0  # so that each holds the last batch's alone
            layer.synchronized = False  # this is no step of several replicas
        for batch in batches:
            forward(batch[0])
            sums = [total + v.numpy() for total, v in zip(sums, averages, strict=True)]
            count += 1
    finally:
        for layer, (momentum, synchronized) in zip(layers, momenta, strict=True):
            layer.momentum, layer.synchronized = momentum, synchronized
    with model.distribute_strategy.scope():
        for variable, value in zip(others, before, strict=True):
            variable.assign(value)
        for variable, total in zip(averages, sums, strict=True):
            variable.assign(total / max(count, 1))
