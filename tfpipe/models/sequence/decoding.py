"""Saying translations: the most probable tokens one after the other, by beam search.

Everything is TensorFlow's own operations on a batch of sentences, so that the same code runs in a
process with the trained model and inside an export, where it says the same. A beam of 1 is greedy.
"""

from typing import Any, Protocol

import keras
import tensorflow as tf

from tfpipe.declare.formats import BOS, EOS, PAD

# Tensors: what a model knows of the tokens that were said.
States = list[tf.Tensor]

# Of a translation's length: what its log-probability is divided by, to this power. 0 prefers short
# translations, 1 takes the mean of the tokens; 0.75 is usual (Dive into Deep Learning, 10.8).
LENGTH_PENALTY = 0.75


class Speaker(Protocol):
    """Says which token may be next, for some translations at once."""

    def begin(self, sources: tf.Tensor) -> tuple[States, States]:
        """Return what stays of [sentences, tokens], and what changes while tokens are said."""

    def next(
        self, tokens: tf.Tensor, place: tf.Tensor, kept: States, states: States
    ) -> tuple[tf.Tensor, States]:
        """Return [rows, vocabulary] logits of the token behind a place, and what changed.

        Args:
            tokens: [rows, length] the tokens so far, the beginning first; padding behind `place`.
            place: of the last of them.
            kept: what stays, for these rows.
            states: what changes, for these rows.
        """


class EncoderDecoder:
    """A model of an encoder and a decoder, which reads each sentence once.

    Args:
        model: as `tfpipe.models.sequence.sentences` puts it together.
    """

    def __init__(self, model: Any) -> None:
        self._encoder, self.decoder = model.get_layer("encoder"), model.get_layer("decoder")
        self._states = len(self.decoder.outputs) - 1

    def begin(self, sources: tf.Tensor) -> tuple[States, States]:
        """See `Speaker`."""
        known = tf.nest.flatten(self._encoder(sources, training=False))
        count = len(known) - self._states
        return known[:count], known[count:]

    def next(
        self, tokens: tf.Tensor, place: tf.Tensor, kept: States, states: States
    ) -> tuple[tf.Tensor, States]:
        """See `Speaker`."""
        read = tokens[:, place : place + 1] if states else tokens
        found = self.decoder([read, *kept, *states], training=False)
        logits, *after = tf.nest.flatten(found)
        return tf.cast(logits[:, 0 if states else place], tf.float32), after


class WholeModel:
    """Any other model of two inputs, which reads everything again for each token.

    Args:
        model: of a sentence and the tokens of its translation, the logits at each place.
        names: of its inputs, in this order.
        probabilities: whether it gives these, and no logits.
    """

    def __init__(self, model: Any, names: tuple[str, str], probabilities: bool = False) -> None:
        self._model, self._names, self._probabilities = model, names, probabilities

    def begin(self, sources: tf.Tensor) -> tuple[States, States]:
        """See `Speaker`."""
        return [sources], []

    def next(
        self, tokens: tf.Tensor, place: tf.Tensor, kept: States, states: States
    ) -> tuple[tf.Tensor, States]:
        """See `Speaker`."""
        read = dict(zip(self._names, (kept[0], tokens), strict=True))
        logits = tf.cast(self._model(read, training=False)[:, place], tf.float32)
        return tf.math.log(logits) if self._probabilities else logits, states


def speaker_of(model: Any, names: tuple[str, str], probabilities: bool = False) -> Speaker:
    """Return what says translations with a model.

    Args:
        model: a keras.Model of sentences and their translations.
        names: of its inputs, in this order.
        probabilities: whether the model gives these, and no logits.
    """
    parts = {layer.name: layer for layer in model.layers}
    encoder, decoder = parts.get("encoder"), parts.get("decoder")
    if (
        isinstance(encoder, keras.Model)
        and isinstance(decoder, keras.Model)
        and len(decoder.inputs) == 1 + len(encoder.outputs)
    ):
        return EncoderDecoder(model)
    return WholeModel(model, names, probabilities)


def translated(
    speaker: Speaker,
    sources: tf.Tensor,
    length: int,
    beam: "int | tf.Tensor" = 1,
    penalty: float = LENGTH_PENALTY,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return translations and their scores, the best first, as TensorFlow's operations.

    At each place the `beam` best translations so far are kept; those that have ended stay among
    them as they are. A score is the log-probability of the tokens, the end among them, divided by
    their number to the power of `penalty`.

    Args:
        speaker: the model.
        sources: [sentences, tokens].
        length: how many tokens a translation has at the most.
        beam: how many translations to keep; a number or a scalar int32 tensor.
        penalty: see above.

    Returns:
        [sentences, beam, length] tokens, padding behind the end, and [sentences, beam] scores;
        minus infinity where there are fewer translations.
    """
    beam, size = tf.convert_to_tensor(beam, tf.int32), tf.shape(sources)[0]
    rows = size * beam
    kept, states = speaker.begin(sources)
    kept, states = ([tf.repeat(t, beam, 0) for t in part] for part in (kept, states))
    tokens = tf.concat([tf.fill([rows, 1], BOS), tf.fill([rows, length - 1], PAD)], 1)
    said = tf.fill([size, beam, length], PAD)
    sums = tf.tile(tf.where(tf.range(beam) == 0, 0.0, -float("inf"))[None], [size, 1])
    counts = tf.zeros([size, beam])
    ended = tf.zeros([size, beam], tf.bool)

    def say(place: tf.Tensor, *known: Any) -> tuple[Any, ...]:
        tokens, said, sums, counts, ended, states = known
        logits, states = speaker.next(tokens, place, kept, states)
        vocabulary = tf.shape(logits)[-1]
        numbers = tf.range(vocabulary)
        words = (numbers != PAD) & (numbers != BOS)
        logs = tf.nn.log_softmax(tf.where(words, logits, -float("inf")))
        nothing = tf.where(numbers == PAD, 0.0, -float("inf"))
        logs = tf.reshape(logs, [size, beam, vocabulary])
        logs = tf.where(ended[..., None], nothing, logs)
        longer = counts + tf.cast(~ended, tf.float32)
        divided = (sums[..., None] + logs) / (longer**penalty)[..., None]
        _, best = tf.math.top_k(tf.reshape(divided, [size, beam * vocabulary]), beam)
        parent, token = best // vocabulary, best % vocabulary
        sums = tf.gather(sums, parent, batch_dims=1)
        chosen = tf.gather(tf.reshape(logs, [size, beam * vocabulary]), best, batch_dims=1)
        said = tf.gather(said, parent, batch_dims=1)
        now = tf.range(length) == place
        said = tf.where(now, token[..., None], said)
        ended = tf.gather(ended, parent, batch_dims=1) | (token == EOS)
        begun = tf.fill([size, beam, 1], BOS)
        tokens = tf.reshape(tf.concat([begun, said[..., :-1]], 2), [rows, length])
        from_rows = tf.reshape(tf.range(size)[:, None] * beam + parent, [rows])
        states = [tf.gather(state, from_rows) for state in states]
        counts = tf.gather(longer, parent, batch_dims=1)
        return place + 1, tokens, said, sums + chosen, counts, ended, states

    _, _, said, sums, counts, _, _ = tf.while_loop(
        lambda place, *known: (place < length) & ~tf.reduce_all(known[4]),
        say,
        [tf.constant(0), tokens, said, sums, counts, ended, states],
        shape_invariants=[
            tf.TensorShape([]),
            tf.TensorShape([None, length]),
            tf.TensorShape([None, None, length]),
            *[tf.TensorShape([None, None])] * 3,
            [tf.TensorShape([None, *state.shape[1:]]) for state in states],
        ],
    )
    return said, sums / counts**penalty
