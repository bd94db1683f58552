"""Saying translations: greedy and by beam search, beside a search of all of them by hand."""

from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.formats import BOS, EOS, PAD
from tfpipe.models.sequence.decoding import (
    EncoderDecoder,
    Speaker,
    WholeModel,
    speaker_of,
    translated,
)

VOCABULARY, LENGTH = 5, 3  # tokens 3 and 4 are words
ROWS = np.array([[3, 2, 0], [4, 3, 2]], np.int32)


class Chain(Speaker):
    """The next token follows from the one before it and the first of the sentence, as a table."""

    def __init__(self, seed: int) -> None:
        logits = np.random.default_rng(seed).normal(size=(VOCABULARY,) * 3) * 2
        self.logits = tf.constant(logits, tf.float32)

    def begin(self, sources: tf.Tensor) -> Any:
        return [sources[:, 0]], [tf.zeros_like(sources[:, 0])]

    def next(self, tokens: tf.Tensor, place: tf.Tensor, kept: Any, states: Any) -> Any:
        # The state counts what was read: it must follow the translation that it belongs to.
        last = tokens[:, place]
        return tf.gather_nd(self.logits, tf.stack([kept[0], last], 1)), [states[0] + last]


def by_hand(chain: Chain, source: int, penalty: float) -> list[tuple[float, list[int]]]:
    """All translations with their scores, best first."""
    logits = chain.logits.numpy()[source]
    logits[:, [PAD, BOS]] = -np.inf
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    found = []
    for length in range(1, LENGTH + 1):
        for words in product((3, 4), repeat=length - 1):
            for last in (EOS,) if length < LENGTH else (EOS, 3, 4):
                tokens = [*words, last]
                total = sum(logs[a, b] for a, b in zip([BOS, *tokens], tokens, strict=False))
                found.append((total / len(tokens) ** penalty, tokens))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("penalty", [0.0, 0.75, 1.0])
def test_a_wide_beam_finds_all_translations_in_order(seed: int, penalty: float) -> None:
    chain = Chain(seed)
    tokens, scores = translated(chain, tf.constant(ROWS), LENGTH, 20, penalty)
    assert tokens.shape == (2, 20, LENGTH)
    for row, source in enumerate((3, 4)):
        expected = by_hand(chain, source, penalty)
        assert len(expected) == 15 - 4 + 4  # 1 + 2 + 4 that end, and 8 that are cut
        count = len(expected)
        padded = [t + [PAD] * (LENGTH - len(t)) for _, t in expected]
        assert tokens[row, :count].numpy().tolist() == padded
        np.testing.assert_allclose(scores[row, :count], [s for s, _ in expected], rtol=1e-4)
        assert (scores[row, count:] == -np.inf).numpy().all()


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_takes_the_most_probable_token_each_time(seed: int) -> None:
    chain = Chain(seed)
    tokens, scores = translated(chain, tf.constant(ROWS), LENGTH)
    for row, source in enumerate((3, 4)):
        last, said, total = BOS, list[int](), 0.0
        logits = chain.logits.numpy()[source]
        logits[:, [PAD, BOS]] = -np.inf
        while len(said) < LENGTH and last != EOS:
            logs = logits[last] - np.log(np.exp(logits[last]).sum())
            last = int(logs.argmax())
            total += logs[last]
            said.append(last)
        assert tokens[row, 0].numpy().tolist() == said + [PAD] * (LENGTH - len(said))
        assert float(scores[row, 0]) == pytest.approx(total / len(said) ** 0.75, rel=1e-5)


def test_sentences_are_translated_alike_alone_and_together_and_in_a_graph() -> None:
    chain, rows = Chain(1), tf.constant(ROWS)
    together, scores = translated(chain, rows, LENGTH, 3)
    say = tf.function(lambda rows, beam: translated(chain, rows, LENGTH, beam), autograph=False)
    for row in (0, 1):
        alone, own = say(rows[row : row + 1], tf.constant(3))
        np.testing.assert_array_equal(alone[0], together[row])
        np.testing.assert_allclose(own[0], scores[row], rtol=1e-5)
    none, _ = translated(chain, rows[:0], LENGTH, 2)
    assert none.shape == (0, 2, LENGTH)


@pytest.mark.parametrize("name", ["gru", "gru with attention", "lstm", "transformer"])
def test_reading_once_says_what_reading_everything_again_says(
    name: str, translators: Any, sentences: Any, sentence_spec: Any
) -> None:
    keras.utils.set_random_seed(3)
    model = translators[name].build(sentence_spec())
    model.set_weights([3 * w for w in model.get_weights()])  # so that answers differ
    speaker = speaker_of(model, ("source", "target"))
    assert isinstance(speaker, EncoderDecoder)
    whole, rows = WholeModel(model, ("source", "target")), tf.constant(sentences[0]["source"])
    for beam in (1, 3):
        once, scores = translated(speaker, rows, 8, beam)
        again, others = translated(whole, rows, 8, beam)
        np.testing.assert_allclose(scores, others, rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(once[:, 0], again[:, 0])
    shorter, own = translated(speaker, rows[:, :5], 8, 3)
    np.testing.assert_allclose(own, scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(shorter[:, 0], once[:, 0])


def test_any_other_model_reads_everything_again() -> None:
    source, target = (keras.Input((None,), dtype="int32", name=n) for n in ("source", "target"))
    x = keras.ops.one_hot(target, VOCABULARY) + keras.ops.one_hot(source[:, :1], VOCABULARY)
    logits = keras.layers.Dense(VOCABULARY)(x)
    found = []
    for probabilities in (False, True):
        last = keras.layers.Softmax()(logits) if probabilities else logits
        model = keras.Model({"source": source, "target": target}, last)
        speaker = speaker_of(model, ("source", "target"), probabilities)
        assert isinstance(speaker, WholeModel)
        found.append(translated(speaker, tf.constant(ROWS), LENGTH, 2))
    (tokens, scores), (others, values) = found
    np.testing.assert_array_equal(tokens, others)
    np.testing.assert_allclose(scores, values, rtol=1e-4)
