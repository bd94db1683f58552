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


def measured_limit(
    strategy: tf.distribute.Strategy, kind: str, dtype: str, seconds: float
) -> float:
    """Return the floating-point operations a second of a large matrix product on all replicas.

    Args:
        strategy: what training runs under.
        kind: "cpu", "gpu" or "tpu": on how large matrices.
        dtype: the type of the arithmetic.
        seconds: how long to look; the fastest product counts.
    """

    @tf.function(autograph=False)
    def product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return strategy.run(lambda: tf.reduce_max(tf.linalg.matmul(a, b)))

    best, sides = 0.0, _SIDES[kind]
    for side in sides:
        a, b = (
            tf.cast(tf.random.stateless_uniform((side, side), (seed, 0)), dtype) for seed in (1, 2)
        )
        operations = 2.0 * side**3 * strategy.num_replicas_in_sync
        began, calls = time.perf_counter(), 0
        while calls < 2 or time.perf_counter() - began < seconds / len(sides):
            before = time.perf_counter()
            for value in strategy.experimental_local_results(product(a, b)):
                value.numpy()
            if calls:  # the first one compiles
                best = max(best, operations / (time.perf_counter() - before))
            calls += 1
    return best
