"""Networks that translate: their counts, and that padding changes nothing."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import Seq2Seq, Transformer
from tfpipe.models.parameter_count import parameters
from tfpipe.tasks import task_for

NAMES = ("gru", "gru with attention", "lstm", "transformer")


@pytest.fixture(params=NAMES)
def builder(request: pytest.FixtureRequest, translators: Any) -> Any:
    return translators[request.param]


@pytest.fixture
def model(builder: Any, sentence_spec: Any) -> Any:
    keras.utils.set_random_seed(0)
    return builder.build(sentence_spec())


def test_padding_changes_no_answer_and_no_gradient(
    model: Any, sentences: Any, sentence_spec: Any
) -> None:
    (x, labels), loss = sentences, task_for(sentence_spec()).loss_for()

    def learnt(length: int) -> tuple[np.ndarray, list[Any]]:
        with tf.GradientTape() as tape:
            logits = model({n: rows[:, :length] for n, rows in x.items()}, training=False)
            value = loss(labels[:, :length], logits)
        return np.asarray(logits), tape.gradient(value, model.trainable_variables)

    (short, of_short), (long, of_long) = learnt(5), learnt(8)
    assert (long.shape, long.dtype) == ((3, 8, 16), np.float32)
    np.testing.assert_allclose(long[:, :5], short, atol=2e-6)
    for one, other in zip(of_short, of_long, strict=True):
        one, other = map(tf.convert_to_tensor, (one, other))
        size = min(one.shape[0], other.shape[0])
        np.testing.assert_allclose(one[:size], other[:size], atol=2e-6)


def test_no_place_sees_those_behind_it(model: Any, sentences: Any, sentence_spec: Any) -> None:
    x, _ = sentences
    changed = {**x, "target": x["target"].copy()}
    changed["target"][:, 3:] = 7
    before, after = (np.asarray(model(x)) for x in (x, changed))
    np.testing.assert_allclose(before[:, :3], after[:, :3], atol=2e-6)
    assert np.abs(before[:, 3:] - after[:, 3:]).max() > 1e-3


def test_it_saves_and_loads_as_plain_keras(model: Any, sentences: Any, reload: Any) -> None:
    (x, _), loaded = sentences, reload(model)
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    np.testing.assert_array_equal(model(x), loaded(x))
    assert parameters(model) == model.count_params()


def test_json_gives_it_back_and_other_data_is_refused(builder: Any, sentence_spec: Any) -> None:
    assert from_json(to_json(builder)) == builder
    assert builder.contract
    name, other = type(builder).__name__, Label("y", "real")
    with pytest.raises(ModelError) as caught:
        builder.build(ElementSpec((Feature("x", (3,), "float32", "vector"),), (other,)))
    assert str(caught.value) == (
        f"{name} translates sentences; the data has 'x' of kind 'vector', and labels of kind "
        "'real'. Use Pairs for the data, or another model."
    )
    with pytest.raises(ConfigError, match="task='language' does not fit the labels, which are "):
        builder.build(sentence_spec(), "language")


def gru(inputs: int, units: int) -> int:
    return 3 * (inputs * units + units * units + 2 * units)


def test_the_published_network_has_its_parameters(sentence_spec: Any) -> None:
    """2 x 32 units, embedding 32; the decoder also reads the encoder's last state at each step."""
    read, said = 184, 201
    encoder = read * 32 + gru(32, 32) + gru(32, 32)
    decoder = said * 32 + gru(64, 32) + gru(32, 32) + 33 * said
    model = Seq2Seq().build(sentence_spec(read, said, 10))
    assert model.count_params() == encoder + decoder == 47_369
    # With attention: a learnt product, a tanh layer, and no state beside the token.
    attentive = Seq2Seq(attention=True).build(sentence_spec(read, said, 10))
    assert attentive.count_params() == encoder + decoder - 3 * 32 * 32 + 32 * 32 + 65 * 32


def test_heads_divide_the_width() -> None:
    with pytest.raises(ConfigError) as caught:
        Transformer(heads=3, width=64)
    assert str(caught.value) == (
        "Transformer.width=64 cannot be divided among heads=3: use a multiple of it, such as "
        "width=63."
    )


def test_attention_looks_at_no_padding(
    translators: Any, sentences: Any, sentence_spec: Any
) -> None:
    x, _ = sentences
    for name in ("gru with attention", "transformer"):
        model = translators[name].build(sentence_spec())
        encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
        looked = keras.Model(decoder.inputs, decoder.get_layer("attention").output[1])
        known = map(tf.identity, encoder(tf.constant(x["source"])))
        weights = np.asarray(looked([tf.constant(x["target"]), *known]))
        weights = weights.mean(axis=1) if weights.ndim == 4 else weights
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        for row, length in enumerate((5, 2, 1)):
            assert not weights[row, :, length:].any()
            assert (weights[row, :, :length] > 0).all()


@pytest.mark.parametrize("name", ["gru with attention", "transformer"])
def test_xla_compiles_its_steps_to_the_same(
    name: str, translators: Any, sentences: Any, sentence_spec: Any
) -> None:
    x, labels = sentences

    def step(jit: bool) -> tuple[float, list[np.ndarray]]:
        keras.utils.set_random_seed(0)
        model = translators[name].replace(dropout=0.0).build(sentence_spec())
        task = task_for(sentence_spec())
        model.compile(keras.optimizers.SGD(0.1), task.loss_for())
        model.optimizer.build(model.trainable_variables)
        # Keras itself leaves XLA out where operations are deterministic, as another test may ask.
        logs = tf.function(model.train_step, jit_compile=jit)((x, labels))
        return float(logs["loss"]), model.get_weights()

    (plain, weights), (compiled, others) = step(False), step(True)
    assert compiled == pytest.approx(plain, rel=1e-5)
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
