"""Continuing texts: what is chosen, that states give what whole texts give, and that all agree."""

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.models import GPT, CharRNN
from tfpipe.models.sequence.generation import (
    RecurrentReader,
    Sampling,
    WindowReader,
    continued,
    one_by_one,
    reader_of,
)

PROMPT = [3, 1, 4, 1, 5, 9]
BUILDERS = (
    CharRNN("rnn", 8),
    CharRNN("gru", 8, layers=2, dropout=0.1),
    CharRNN("lstm", 8, embedding=4),
    CharRNN("lstm", 8, bidirectional=True),
    GPT(layers=1, heads=2, width=8),
)


@pytest.fixture(params=BUILDERS, ids=repr)
def model(request: pytest.FixtureRequest, tokens_of: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    model: keras.Model = request.param.build(tokens_of(windows=10))
    for weight in model.trainable_weights:  # answers that are no tie
        weight.assign(3 * weight)
    return model


def whole(model: keras.Model, length: int, window: int | None) -> list[int]:
    """The greedy continuation by reading everything again for each token."""
    tokens = list(PROMPT)
    for _ in range(length):
        read = tf.constant([tokens if window is None else tokens[-window:]])
        tokens.append(int(tf.argmax(model(read, training=False)[0, -1])))
    return tokens[len(PROMPT) :]


def test_greedy_continuations_are_those_of_the_whole_text(model: keras.Model) -> None:
    reader = reader_of(model, 10)
    by_states = isinstance(reader, RecurrentReader)
    bidirectional = any(isinstance(x, keras.layers.Bidirectional) for x in model.layers)
    assert by_states == (model.name != "gpt" and not bidirectional)
    expected = whole(model, 15, None if by_states else 10)
    assert [*one_by_one(reader, PROMPT, 15, Sampling())] == expected
    inside = tf.function(lambda p, n: continued(reader, p, n, Sampling()), autograph=False)
    assert inside(tf.constant(PROMPT), tf.constant(15)).numpy().tolist() == expected


def test_a_token_may_be_ruled_out(model: keras.Model) -> None:
    reader = reader_of(model, 10)
    (first,) = one_by_one(reader, PROMPT, 1, Sampling())
    for sampling in (Sampling(never=first), Sampling(5.0, seed=1, never=first)):
        assert first not in [*one_by_one(reader, PROMPT, 60, sampling)]


def test_drawn_continuations_follow_the_seed(model: keras.Model) -> None:
    reader = reader_of(model, 10)
    drawn = [*one_by_one(reader, PROMPT, 20, Sampling(1.5, seed=3))]
    again = continued(reader, tf.constant(PROMPT), 20, Sampling(1.5, seed=3))
    other = continued(reader, tf.constant(PROMPT), 20, Sampling(1.5, seed=4))
    assert drawn == again.numpy().tolist() != other.numpy().tolist()


def test_a_carried_state_is_not_touched(tokens_of: Any, windows: Any) -> None:
    model = CharRNN("gru", 6).build(tokens_of(carried=True), "auto", windows(4, 4))
    before = [w.numpy() for w in model.weights]
    reader = reader_of(model, 10)
    assert isinstance(reader, RecurrentReader)
    assert [*one_by_one(reader, PROMPT, 8, Sampling())] == whole(model, 8, None)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.weights, strict=True))


def test_probabilities_serve_as_logits(tokens_of: Any) -> None:
    model = GPT(layers=1, heads=2, width=8).build(tokens_of(windows=10))
    shares = keras.Model(model.input, keras.ops.softmax(model.output))
    sampling = Sampling(0.7, top_k=5, seed=1)
    expected = [*one_by_one(WindowReader(model, 10), PROMPT, 12, sampling)]
    assert [*one_by_one(reader_of(shares, 10, True), PROMPT, 12, sampling)] == expected


LOGITS = tf.math.log([[0.1, 0.4, 0.2, 0.3]])


def counts(sampling: dict[str, Any]) -> Counter[int]:
    @tf.function
    def chosen() -> Any:
        return tf.map_fn(lambda place: Sampling(**sampling).choose(LOGITS, place), tf.range(2000))

    return Counter(chosen().numpy().tolist())


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [
        ({}, {1: 1.0}),
        ({"temperature": 1.0}, {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}),
        ({"temperature": 0.5}, {0: 1 / 30, 1: 16 / 30, 2: 4 / 30, 3: 9 / 30}),
        ({"temperature": 1.0, "top_k": 2}, {1: 4 / 7, 3: 3 / 7}),
        ({"temperature": 1.0, "top_k": 9}, {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}),
        ({"temperature": 1.0, "top_p": 0.6}, {1: 4 / 7, 3: 3 / 7}),
        ({"temperature": 1.0, "top_p": 0.4}, {1: 1.0}),
        ({"temperature": 1e-3, "seed": 5}, {1: 1.0}),
    ],
)
def test_tokens_are_drawn_as_often_as_is_right(
    sampling: dict[str, Any], shares: dict[int, float]
) -> None:
    found = counts(sampling)
    assert {*found} == {*shares}
    for token, share in shares.items():
        assert found[token] / 2000 == pytest.approx(share, abs=0.04)
