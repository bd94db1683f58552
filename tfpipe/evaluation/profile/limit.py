"""What a training step computes, and how fast the device multiplies matrices: measured."""

import time
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfpipe.evaluation.network import multiply_adds

_SIDES = {"cpu": (1024, 2048), "gpu": (2048, 4096, 8192), "tpu": (2048, 4096, 8192)}


def step_operations(model: keras.Model, batch_size: int) -> dict[str, float]:
    """Return how many floating-point operations each layer does in a training step.

    A multiplication and an addition are two; convolutions and products of matrices count. A layer
    computes its outputs, the gradients of its weights where they are trained, and those of its
    inputs where something before it is trained: three times the forward pass for most. What a layer
    does whose size is not known is 0.

    Args:
        model: a built model.
        batch_size: samples in a step.
    """
    operations, trained_before = {}, False
    for layer in _leaves(model):
        passes = 1 + bool(layer.trainable_weights) + trained_before
        operations[layer.name] = 2.0 * passes * multiply_adds(layer) * batch_size
        trained_before |= bool(layer.trainable_weights)
    return operations


def _leaves(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Yield the layers of a model and of those nested in it, in the order that they have there."""
    for inner in layer.layers:
        if isinstance(inner, keras.Model):
            yield from _leaves(inner)
        else:
            yield inner


class Limit:
    """The fastest large matrix product, on all replicas together.

    Args:
        strategy: what training runs under.
        kind: "cpu", "gpu" or "tpu": on how large matrices.
        dtype: the type of the arithmetic.
        fastest: floating-point operations a second.
    """

    def __init__(self, strategy: tf.distribute.Strategy, kind: str, dtype: str) -> None:
        self._strategy, self.fastest = strategy, 0.0
        self._matrices = [
            [
                tf.cast(tf.random.stateless_uniform((side, side), (seed, 0)), dtype)
                for seed in (1, 2)
            ]
            for side in _SIDES[kind]
        ]
        self._product = tf.function(
            lambda a, b: strategy.run(lambda: tf.reduce_max(tf.linalg.matmul(a, b))),
            autograph=False,
        )
        for a, b in self._matrices:
            self._product(a, b)

    def measure(self, seconds: float) -> None:
        """Multiply for some time, each size once at the least; the fastest product counts."""
        for a, b in self._matrices:
            operations = 2.0 * a.shape[0] ** 3 * self._strategy.num_replicas_in_sync
            began, taken = time.perf_counter(), 0.0
            while not taken or time.perf_counter() - began < seconds / len(self._matrices):
                before = time.perf_counter()
                for value in self._strategy.experimental_local_results(self._product(a, b)):
                    value.numpy()
                taken = time.perf_counter() - before
                self.fastest = max(self.fastest, operations / taken)
