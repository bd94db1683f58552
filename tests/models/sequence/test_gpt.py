"""GPT: its parameters, that no place sees what comes after it, and what it refuses."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import GPT
from tfpipe.models.parameter_count import parameters

TOKENS = tf.random.stateless_uniform((2, 8), (1, 2), maxval=11, dtype=tf.int32)


def test_its_parameters_are_those_of_the_parts(tokens_of: Any) -> None:
    model = GPT(layers=3, heads=2, width=8, context=16).build(tokens_of(11, windows=16))
    block = 2 * 8 + 4 * 8 * 8 + (8 * 32 + 32) + (32 * 8 + 8)
    assert parameters(model) == 11 * 8 + 16 * 8 + 3 * block + 8 + 8 * 11
    char = GPT(layers=4, heads=4, width=128, context=64).build(tokens_of(65, windows=64))
    assert parameters(char) == 814_976


def test_a_place_sees_what_is_before_it_and_where_it_is(tokens_of: Any) -> None:
    keras.utils.set_random_seed(0)
    model = GPT(layers=2, heads=2, width=8).build(tokens_of(11, windows=8))
    whole = model(TOKENS).numpy()
    for length in (1, 5):
        assert np.allclose(model(TOKENS[:, :length]), whole[:, :length], atol=1e-5)
    changed = tf.concat([TOKENS[:, :5], 10 - TOKENS[:, 5:]], 1)
    assert np.array_equal(model(changed).numpy()[:, :5], whole[:, :5])
    same = model(tf.zeros((1, 8), tf.int32)).numpy()[0]
    assert not np.allclose(same[0], same[1])


def test_dropout_acts_in_training_alone(tokens_of: Any) -> None:
    model = GPT(layers=1, heads=2, width=8, dropout=0.5).build(tokens_of(11, windows=8))
    assert np.array_equal(model(TOKENS), model(TOKENS, training=False))
    assert not np.allclose(model(TOKENS, training=True), model(TOKENS))


def test_it_is_saved_and_loaded(tokens_of: Any, reload: Any) -> None:
    model = GPT(layers=1, heads=2, width=8).build(tokens_of(11, windows=8))
    assert np.array_equal(reload(model)(TOKENS), model(TOKENS))


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (
            64,
            "GPT.context=64 is longer than the windows of 35 tokens that it would be trained on. "
            "Use context=35, or data.windows=64.",
        ),
        (
            16,
            "GPT.context=16 is shorter than the windows of 35 tokens. Use context=35, or "
            "data.windows=16.",
        ),
    ],
)
def test_refused_contexts(tokens_of: Any, context: int, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        GPT(context=context).check(tokens_of())
    assert str(caught.value) == message


def test_heads_divide_the_width() -> None:
    with pytest.raises(ConfigError) as caught:
        GPT(heads=3, width=128)
    assert str(caught.value) == (
        "GPT.width=128 cannot be divided among heads=3: use a multiple of it, such as width=129."
    )
