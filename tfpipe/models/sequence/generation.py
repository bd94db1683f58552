"""Continuing a text: the next token again and again, from a model of any kind.

A network of recurrent layers keeps their states and reads each token once; any other model reads
the last tokens again. Everything is TensorFlow's own operations on one text, so that the same code
runs while a person waits and inside an export, where it gives the same tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import tensorflow as tf

from tfpipe.models.sequence.carried import Carried

# Tensors, or lists of them: what a model knows of the tokens that it has read.
State = Any
_PLAIN = (keras.layers.InputLayer, keras.layers.Embedding, keras.layers.Dropout, keras.layers.Dense)


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen; numbers, or scalar tensors inside an export.

    Args:
        temperature: 0 takes the most probable token; else logits are divided by it before one is
            drawn.
        top_k: how many of the most probable tokens are drawn from; 0 for all.
        top_p: of the most probable tokens, only as many as have this share of the probability.
        seed: decides what is drawn.
        never: a token that is not chosen, such as that for what is unknown; -1 for none.
    """

    temperature: "float | tf.Tensor" = 0.0
    top_k: "int | tf.Tensor" = 0
    top_p: "float | tf.Tensor" = 1.0
    seed: "int | tf.Tensor" = 0
    never: int = -1

    def choose(self, logits: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        """Return the next token, int32.

        Args:
            logits: [1, vocabulary].
            place: how many tokens were chosen before, int32.
        """
        logits = tf.cast(logits[0], tf.float32)
        chosen_from = tf.not_equal(tf.range(tf.size(logits)), self.never)
        logits = tf.where(chosen_from, logits, -float("inf"))
        order = tf.argsort(logits, direction="DESCENDING", stable=True)
        temperature = tf.cast(self.temperature, tf.float32)
        scaled = tf.gather(logits, order) / tf.maximum(temperature, 1e-6)
        shares = tf.nn.softmax(scaled)
        top_k = tf.where(tf.equal(self.top_k, 0), tf.size(order), self.top_k)
        kept = tf.range(tf.size(order)) < top_k
        kept &= tf.cumsum(shares, exclusive=True) < tf.cast(self.top_p, tf.float32)
        seed = tf.stack([tf.cast(self.seed, tf.int32), place])
        drawn = tf.random.stateless_uniform(tf.shape(order), seed, 1e-20, 1.0)
        noisy = tf.where(kept, scaled - tf.math.log(-tf.math.log(drawn)), -float("inf"))
        rank = tf.where(temperature > 0, tf.argmax(noisy, output_type=tf.int32), 0)
        return order[rank]


class Reader(Protocol):
    """Reads tokens, and says which may be next."""

    def begin(self, tokens: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Return [1, vocabulary] logits after [tokens] of a prompt, and what is known by then."""

    def read(self, token: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Return the logits after one more token, and what is known by then."""

    def shapes(self, state: State) -> State:
        """Return the shapes that what is known keeps while more is read."""


class RecurrentReader:
    """A network of recurrent layers, which read each token once.

    Args:
        layers: recurrent ones, in order.
        embedding: gives a token's row of numbers; None for its one-hot row.
        last: gives the logits.
    """

    def __init__(
        self,
        layers: list[keras.layers.RNN],
        embedding: keras.layers.Embedding | None,
        last: keras.layers.Dense,
    ) -> None:
        self._cells = [layer.cell for layer in layers]
        self._embedding, self._last = embedding, last

    def begin(self, tokens: tf.Tensor) -> tuple[tf.Tensor, State]:
        """See `Reader`."""
        state = [_states(cell.get_initial_state(1)) for cell in self._cells]
        nothing = tf.zeros([1, self._last.units], tf.float32)
        _, logits, state = tf.while_loop(
            lambda place, *_: place < tf.size(tokens),
            lambda place, _, state: (place + 1, *self.read(tokens[place], state)),
            [tf.constant(0), nothing, state],
        )
        return logits, state

    def read(self, token: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """See `Reader`."""
        if self._embedding is None:
            x = tf.one_hot(token[None], self._last.units)
        else:
            x = self._embedding(token[None])
        after = []
        for cell, before in zip(self._cells, state, strict=True):
            x, following = cell(x, before, training=False)
            after.append(_states(following))
        return tf.cast(self._last(x), tf.float32), after

    def shapes(self, state: State) -> State:
        """See `Reader`."""
        return tf.nest.map_structure(lambda tensor: tensor.shape, state)


class WindowReader:
    """Any model, which reads the last tokens again for each that it says.

    Args:
        model: gives logits, or probabilities, at each place.
        window: how many tokens it reads at the most.
        probabilities: whether it gives these.
    """

    def __init__(self, model: keras.Model, window: int, probabilities: bool = False) -> None:
        self._model, self._window, self._probabilities = model, window, probabilities

    def begin(self, tokens: tf.Tensor) -> tuple[tf.Tensor, State]:
        """See `Reader`."""
        window = tokens[None, -self._window :]
        logits = tf.cast(self._model(window, training=False)[:, -1], tf.float32)
        return tf.math.log(logits) if self._probabilities else logits, window

    def read(self, token: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """See `Reader`."""
        return self.begin(tf.concat([state[0], token[None]], 0))

    def shapes(self, state: State) -> State:
        """See `Reader`."""
        return tf.TensorShape([1, None])


def reader_of(model: keras.Model, window: int, probabilities: bool = False) -> Reader:
    """Return what reads with a model.

    Args:
        model: a keras.Model over windows of tokens.
        window: their length.
        probabilities: whether the model gives these, and no logits.
    """
    recurrent, others = list[keras.layers.RNN](), list[Any]()
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, Carried) else layer
        (recurrent if isinstance(inner, keras.layers.RNN) else others).append(inner)
    dense = [layer for layer in others if isinstance(layer, keras.layers.Dense)]
    known = model.name.startswith("char_") and all(isinstance(o, _PLAIN) for o in others)
    if not recurrent or not known or len(dense) != 1:
        return WindowReader(model, window, probabilities)
    embeddings = [layer for layer in others if isinstance(layer, keras.layers.Embedding)]
    return RecurrentReader(recurrent, next(iter(embeddings), None), dense[0])


def continued(
    reader: Reader, prompt: tf.Tensor, length: "int | tf.Tensor", sampling: Sampling
) -> tf.Tensor:
    """Return [length] the tokens that follow a prompt, int32, as TensorFlow's operations.

    Args:
        reader: the model.
        prompt: [tokens], at least one.
        length: how many tokens to say.
        sampling: how each is chosen.
    """
    logits, state = reader.begin(prompt)

    def say(
        place: tf.Tensor, logits: tf.Tensor, state: State, said: tf.TensorArray
    ) -> tuple[Any, ...]:
        token = sampling.choose(logits, place)
        return place + 1, *reader.read(token, state), said.write(place, token)

    said = tf.TensorArray(tf.int32, length, element_shape=[])
    *_, said = tf.while_loop(
        lambda place, *_: place < length,
        say,
        [tf.constant(0), logits, state, said],
        shape_invariants=[
            tf.TensorShape([]),
            logits.shape,
            reader.shapes(state),
            tf.TensorShape(None),
        ],
    )
    return said.stack()


def one_by_one(reader: Reader, prompt: list[int], length: int, sampling: Sampling) -> Iterator[int]:
    """Yield the tokens that follow a prompt, as soon as each is known; see `continued`."""
    begin = tf.function(reader.begin, [tf.TensorSpec([None], tf.int32)], autograph=False)
    logits, state = begin(tf.constant(prompt, tf.int32))

    @tf.function(reduce_retracing=True, autograph=False)
    def say(place: tf.Tensor, logits: tf.Tensor, state: State) -> tuple[Any, ...]:
        token = sampling.choose(logits, place)
        return token, *reader.read(token, state)

    for place in range(length):
        token, logits, state = say(tf.constant(place), logits, state)
        yield int(token)


def _states(states: State) -> list[Any]:
    """The states of a cell, of which Keras gives an only one as it is."""
    return [*states] if isinstance(states, (list, tuple)) else [states]
