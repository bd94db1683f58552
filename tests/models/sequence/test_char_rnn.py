"""CharRNN: exact parameter counts, the state that it carries, and what it refuses."""

import logging
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ModelError
from tfpipe.models import CharRNN
from tfpipe.models.parameter_count import parameters, trainable_parameters
from tfpipe.models.sequence.carried import Carried, begin_training, carried_layers, carried_over

TOKENS = tf.random.stateless_uniform((4, 12), (1, 2), maxval=28, dtype=tf.int32)


@pytest.mark.parametrize(
    ("builder", "count"),
    [
        (CharRNN("rnn", 512), 291_356),
        (CharRNN("rnn", 256), 80_156),
        (CharRNN("gru", 256), 226_844),
        (CharRNN("lstm", 256), 299_036),
        (CharRNN("lstm", 256, layers=2), 824_348),
        (CharRNN("lstm", 256, layers=2, bidirectional=True), 2_172_956),
    ],
)
@pytest.mark.parametrize("carried", [False, True])
def test_published_counts(
    tokens_of: Any, windows: Any, builder: CharRNN, count: int, carried: bool
) -> None:
    model = builder.build(tokens_of(carried=carried), "auto", windows(32, 35))
    assert parameters(model) == trainable_parameters(model) == count
    assert model.output_shape == (None, None, 28)
    assert bool(carried_layers(model)) == (carried and not builder.bidirectional)


def test_an_embedding_and_dropout(tokens_of: Any) -> None:
    model = CharRNN(units=8, embedding=5, dropout=0.5).build(tokens_of(28))
    assert parameters(model) == 28 * 5 + (5 + 8 + 1) * 8 + 9 * 28
    assert any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_state_goes_on_from_batch_to_batch(tokens_of: Any, windows: Any, cell: Any) -> None:
    keras.utils.set_random_seed(0)
    builder = CharRNN(cell, 6, layers=2)
    model = builder.build(tokens_of(carried=True), "auto", windows(4, 4))
    plain = builder.build(tokens_of())
    plain.set_weights([w.numpy() for w in model.trainable_weights])
    whole = plain(TOKENS).numpy()
    parts = [TOKENS[:, :4], TOKENS[:, 4:8], TOKENS[:2, 8:]]  # the last one has fewer rows

    def joined(**options: Any) -> Any:
        return [model(part, **options).numpy() for part in parts]

    def carried(found: Any) -> bool:
        wholes = [whole[:, :4], whole[:, 4:8], whole[:2, 8:]]
        return all(np.allclose(a, b, atol=1e-5) for a, b in zip(found, wholes, strict=True))

    assert carried(joined(training=True))
    assert not carried(joined(training=True))  # it has gone on
    state = [v.numpy() for layer in carried_layers(model) for v in layer.training_state]
    with carried_over(model):
        assert carried(joined(training=False))
    assert not carried(joined(training=False))
    assert np.allclose(model(TOKENS, training=False), whole, atol=1e-5)  # and any number of rows
    kept = [v.numpy() for layer in carried_layers(model) for v in layer.training_state]
    assert all((a == b).all() for a, b in zip(state, kept, strict=True))
    begin_training(carried_layers(model))
    assert carried(joined(training=True))


def test_it_is_saved_and_loaded_with_its_state(tokens_of: Any, windows: Any, reload: Any) -> None:
    model = CharRNN("lstm", 6).build(tokens_of(carried=True), "auto", windows(4, 4))
    model(TOKENS[:, :4], training=True)
    again = reload(model)
    (layer,) = carried_layers(again)
    assert isinstance(layer, Carried)
    assert layer.rows == 4
    assert [w.numpy().tobytes() for w in again.weights] == [
        w.numpy().tobytes() for w in model.weights
    ]
    assert np.array_equal(again(TOKENS), model(TOKENS))


def test_in_both_directions_it_says_that_it_sees_the_answer(
    tokens_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tfpipe.models"):
        CharRNN(units=4, bidirectional=True).build(tokens_of())
    assert caplog.messages == [
        "CharRNN(bidirectional=True) reads the text backwards, too: at each place it sees the "
        "token that it should predict. Its perplexity says nothing, and it cannot continue a text."
    ]


def test_refused_data() -> None:
    text = Feature("review", (), "string", "text")
    spec = ElementSpec((text,), (Label("label", "class", (), ("a", "b")),))
    with pytest.raises(ModelError) as caught:
        CharRNN().check(spec)
    assert str(caught.value) == (
        "CharRNN reads the tokens of a text; 'review' is of kind 'text'. Use Text for the data, or "
        "another model."
    )


def test_several_replicas_cannot_carry_a_state(tokens_of: Any, windows: Any) -> None:
    with (
        tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope(),
        pytest.raises(ModelError) as caught,
    ):
        CharRNN().build(tokens_of(carried=True), "auto", windows(4, 4))
    assert str(caught.value) == (
        'Text(order="sequential") carries the state of each row from batch to batch, which works '
        'on one device; here are 2 replicas. Choose one with device=, or use order="random".'
    )
