"""What every network of tokens must do."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import GPT, CharRNN
from tfpipe.models.parameter_count import parameters

TOKENS = tf.random.stateless_uniform((3, 12), (1, 2), maxval=28, dtype=tf.int32)


@pytest.fixture(params=[CharRNN.example(), GPT.example()], ids=lambda b: type(b).__name__)
def builder(request: pytest.FixtureRequest) -> ModelBuilder:
    builder: ModelBuilder = request.param
    return builder


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_float32_logits_come_out_at_each_place(
    builder: ModelBuilder, tokens_of: Any, policy: str
) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = builder.build(tokens_of(windows=12))
    finally:
        keras.config.set_dtype_policy("float32")
    logits = np.asarray(model(TOKENS))
    assert (logits.shape, logits.dtype) == ((3, 12, 28), np.float32)
    assert np.isfinite(logits).all()
    assert (logits < 0).any()
    assert [(given.name, given.dtype) for given in model.inputs] == [("tokens", "int32")]
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert parameters(model) == model.count_params()


def test_the_same_seed_gives_the_same_weights(builder: ModelBuilder, tokens_of: Any) -> None:
    def weights(seed: int) -> list[bytes]:
        keras.utils.set_random_seed(seed)
        return [w.tobytes() for w in builder.build(tokens_of()).get_weights()]

    assert weights(1) == weights(1) != weights(2)


def test_it_saves_and_loads_as_plain_keras(
    builder: ModelBuilder, tokens_of: Any, reload: Any
) -> None:
    model = builder.build(tokens_of(windows=12))
    loaded = reload(model)
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    np.testing.assert_array_equal(model(TOKENS), loaded(TOKENS))


def test_json_gives_it_back_and_it_says_what_it_reads(builder: ModelBuilder) -> None:
    assert from_json(to_json(builder)) == builder
    assert builder.contract
    assert (type(builder).__doc__ or "").strip()


@pytest.mark.parametrize("kind", ["image", "text", "number"])
def test_other_data_and_other_tasks_are_refused(
    builder: ModelBuilder, tokens_of: Any, kind: Any
) -> None:
    other = ElementSpec((Feature("input", (), "string", kind),), (Label("label", "real"),))
    with pytest.raises(ModelError) as caught:
        builder.build(other)
    assert str(caught.value) == (
        f"{type(builder).__name__} reads the tokens of a text; 'input' is of kind {kind!r}. Use "
        "Text for the data, or another model."
    )
    with pytest.raises(ConfigError, match="task='binary' does not fit the labels, which are the "):
        builder.build(tokens_of(), "binary")
