"""The parts of a compiled training step: each is compiled by itself, and all are timed in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

TURNS = 5
_WARM_UP = 3  # calls; the first ones compile


@dataclass(frozen=True)
class PieceTimes:
    """What the parts of a step take on a batch that is in memory, in seconds.

    Args:
        call: starting a compiled function that computes nothing.
        forward: the forward pass in training mode with the loss; None with the two others for a
            model that has a training step of its own.
        backward: the gradients.
        update: the optimizer and the metrics.
        whole: the step.
    """

    call: float
    forward: float | None
    backward: float | None
    update: float | None
    whole: float


class Piece:
    """A part of a training step, compiled as steps are, on every replica.

    Args:
        model: the compiled model.
        part: takes a batch, as the model's `train_step` does.
        element_spec: what the data says of its batches, for which steps are compiled.
    """

    def __init__(self, model: keras.Model, part: Callable[[Any], Any], element_spec: Any) -> None:
        self._strategy = strategy = model.distribute_strategy
        self._function = tf.function(
            lambda batch: strategy.run(part, args=(batch,)),
            input_signature=[element_spec],
            jit_compile=model.jit_compile,
            autograph=False,
        )

    def __call__(self, batch: Any) -> None:
        """Compute it, and have its results as the loop over an epoch does."""
        for output in tf.nest.flatten(self._function(batch)):
            for value in self._strategy.experimental_local_results(output):
                value.numpy()

    @property
    def graph(self) -> tf.Graph:
        """What is computed; it is traced now where it has not been called."""
        return self._function.get_concrete_function().graph


def pieces_of(model: keras.Model, element_spec: Any) -> dict[str, Piece]:
    """Return the pieces "call", "forward", "backward" with the forward pass, and "step" with all.

    A model with a training step of its own has no "forward" and "backward".

    Args:
        model: a compiled model whose variables are made.
        element_spec: what the data says of its batches.
    """
    parts: dict[str, Callable[[Any], Any]] = {"call": lambda batch: tf.zeros(())}
    if type(model).train_step is keras.Model.train_step:
        parts |= {"forward": _forward(model), "backward": _backward(model)}
    parts["step"] = model.train_step
    return {name: Piece(model, part, element_spec) for name, part in parts.items()}


def step_times(times: Mapping[str, float]) -> PieceTimes:
    """Return the parts of a step from what the pieces of `pieces_of` took."""
    call, whole = times["call"], times["step"]
    if "forward" not in times:
        return PieceTimes(call, None, None, None, whole)
    # What is left of noise is not less than nothing.
    forward = max(times["forward"] - call, 0.0)
    backward = max(times["backward"] - times["forward"], 0.0)
    return PieceTimes(call, forward, backward, max(whole - times["backward"], 0.0), whole)


class Turns:
    """Times some pieces one after the other, again and again, so that all have the same luck.

    Args:
        pieces: what to call.
        seconds: how long to look at each, in `TURNS` turns together.
    """

    def __init__(self, pieces: Mapping[str, Callable[[], None]], seconds: float) -> None:
        self._pieces = pieces
        self._counts: dict[str, int] = {}
        self.seconds: dict[str, list[float]] = {name: [] for name in pieces}
        for name, piece in pieces.items():
            for _ in range(_WARM_UP):
                piece()
            began = time.perf_counter()
            piece()
            once = max(time.perf_counter() - began, 1e-6)
            self._counts[name] = max(round(seconds / TURNS / once), 1)

    def turn(self) -> None:
        """Call each piece for some time."""
        for name, piece in self._pieces.items():
            began = time.perf_counter()
            for _ in range(self._counts[name]):
                piece()
            self.seconds[name].append((time.perf_counter() - began) / self._counts[name])

    def medians(self) -> dict[str, float]:
        """The seconds of a call of each piece."""
        return {name: statistics.median(turns) for name, turns in self.seconds.items()}


def timed(pieces: Mapping[str, Callable[[], None]], seconds: float) -> dict[str, float]:
    """Return the seconds of a call of each piece: the median of some turns.

    Args:
        pieces: what to call.
        seconds: how long to look at each, in all turns together.
    """
    turns = Turns(pieces, seconds)
    for _ in range(TURNS):
        turns.turn()
    return turns.medians()


def _forward(model: keras.Model) -> Callable[[Any], Any]:
    def forward(batch: Any) -> Any:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        outputs = model(x, training=True) if model._call_has_training_arg else model(x)
        return model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weights, training=True)

    return forward


def _backward(model: keras.Model) -> Callable[[Any], Any]:
    forward = _forward(model)

    def backward(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = model.optimizer.scale_loss(forward(batch))
        weights = model.trainable_weights
        gradients = [g for g in tape.gradient(loss, weights) if g is not None]
        values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
        # What nobody has a number of is not computed.
        return loss, tf.stack([tf.cast(tf.reshape(v, [-1])[0], tf.float32) for v in values])

    return backward
