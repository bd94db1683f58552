"""TextClassifier: the published size, what is learnt of texts, and each body."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe import hp
from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import TextClassifier
from tfpipe.models.text_vectorization import spaced, standardized

MakeSpec = Callable[..., ElementSpec]
MakeTraining = Callable[..., Training]
Reload = Callable[[keras.Model], keras.Model]

# As data sources give them: objects that hold the bytes of UTF-8.
REVIEWS = np.array(
    [
        text.encode()
        for text in (
            "The movie was great!<br /><br />Great, really.",
            "Really BAD. The movie was bad",
            "",
            "...?!",
            "Été à la plage: the film",
            "well " * 1000,
        )
    ],
    object,
)
SMALL = TextClassifier(vocabulary=50, length=8, embedding=4)
BODIES = [
    SMALL,
    SMALL.replace(body="lstm", width=3),
    SMALL.replace(body="gru", width=3, bidirectional=True, units=(5,)),
    SMALL.replace(body="conv", width=3, kernel=9, batch_norm=True, units=(5,)),
]


@pytest.fixture
def spec(table_of: MakeSpec) -> ElementSpec:
    return table_of(review="text", label="binary")


def words_of(model: keras.Model) -> list[str]:
    """The words that a model knows, the most frequent first."""
    return [str(word) for word in model.get_layer("review_words").get_vocabulary()]


def numbers_of(model: keras.Model, *texts: str | bytes) -> list[list[int]]:
    layer = model.get_layer("review_words")
    return np.asarray(layer(tf.constant(texts))).tolist()


def test_the_published_size(spec: ElementSpec, training: MakeTraining) -> None:
    for train in (None, training(REVIEWS)):
        assert TextClassifier().build(spec, "auto", train).count_params() == 160_033


def test_the_layers_in_order(spec: ElementSpec) -> None:
    kinds = [type(layer).__name__ for layer in TextClassifier().build(spec).layers]
    assert kinds == [
        "InputLayer",
        "TextVectorization",
        "Embedding",
        "Dropout",
        "GlobalAveragePooling1D",
        "Dropout",
        "Dense",
    ]


# Words


def test_words_are_learnt_in_order_of_their_frequency(
    spec: ElementSpec, training: MakeTraining
) -> None:
    model = SMALL.build(spec, "auto", training(REVIEWS))
    assert words_of(model)[:4] == ["", "[UNK]", "well", "the"]
    assert set(words_of(model)[4:]) == {
        *("movie", "was", "great", "really", "bad"),
        *("été", "à", "la", "plage", "film"),
    }
    few = SMALL.replace(vocabulary=4).build(spec, "auto", training(REVIEWS))
    assert words_of(few) == ["", "[UNK]", "well", "the"]


def test_case_punctuation_and_html_do_not_count(spec: ElementSpec, training: MakeTraining) -> None:
    model = SMALL.build(spec, "auto", training(np.array([b"great film bad \xc3\xa9t\xc3\xa9"])))
    plain, *others = numbers_of(
        model,
        "great film bad",
        "GREAT, film: (bad)!",
        "great<br />film<br><BR/>bad",
        "<p>great</p><p class='x'>film</p>\n\tbad",
        "great\u2028film\u00a0bad",
        "“great” film—  bad…",
    )
    assert plain[3:] == [0] * 5
    assert others == [plain] * 5
    assert numbers_of(model, "ÉTÉ") == numbers_of(model, "été")
    assert numbers_of(model, "été")[0][0] > 1


def test_comparisons_are_no_html(spec: ElementSpec, training: MakeTraining) -> None:
    model = SMALL.build(spec, "auto", training(np.array([b"if a < b and c > d"])))
    assert set(words_of(model)[2:]) == {"if", "a", "b", "and", "c", "d"}


def test_texts_may_stay_as_they_are(spec: ElementSpec, training: MakeTraining) -> None:
    builder = SMALL.replace(standardize=False)
    model = builder.build(spec, "auto", training(np.array(["Great! <br />\x85 film\r\n"], object)))
    assert set(words_of(model)[2:]) == {"Great!", "<br", "/>", "film"}


def test_texts_of_any_kind(spec: ElementSpec, training: MakeTraining) -> None:
    model = SMALL.build(spec, "auto", training(REVIEWS))
    well = words_of(model).index("well")
    found = numbers_of(model, "", "...?!", "well " * 10_000, b"caf\xe9 well", "\x00", "😀 дом 家")
    assert found[:3] == [[0] * 8, [0] * 8, [well] * 8]
    assert found[3][:3] == [1, well, 0]  # an unknown word, though it is no UTF-8
    assert found[4:] == [[0] * 8, [1, 1, 1, 0, 0, 0, 0, 0]]


def test_texts_without_words_give_a_model_that_knows_none(
    spec: ElementSpec, training: MakeTraining, reload: Reload
) -> None:
    model = SMALL.build(spec, "auto", training(np.array([b"", b"?!"], object)))
    assert numbers_of(model, "any word", " ") == [[1, 1, 0, 0, 0, 0, 0, 0], [0] * 8]
    assert numbers_of(reload(model), "any word") == [[1, 1, 0, 0, 0, 0, 0, 0]]


# Bodies


@pytest.mark.parametrize(
    ("builder", "parameters"),
    [
        (BODIES[0], 51 * 4 + 5),
        (BODIES[1], 51 * 4 + 4 * (4 * 3 + 3 * 3 + 3) + 4),
        (BODIES[2], 51 * 4 + 2 * 3 * (4 * 3 + 3 * 3 + 2 * 3) + (6 * 5 + 5) + 6),
        (BODIES[3], 51 * 4 + (9 * 4 * 3 + 3) + (3 * 5 + 5) + 4 * 5 + 6),
    ],
    ids=["pool", "lstm", "gru", "conv"],
)
def test_parameters(
    spec: ElementSpec, training: MakeTraining, builder: TextClassifier, parameters: int
) -> None:
    for train in (None, training(REVIEWS)):
        assert builder.build(spec, "auto", train).count_params() == parameters


@pytest.mark.parametrize("builder", BODIES, ids=lambda b: b.body)
def test_a_model_answers_every_text_before_and_after_it_is_saved(
    spec: ElementSpec, training: MakeTraining, reload: Reload, builder: TextClassifier
) -> None:
    keras.utils.set_random_seed(0)
    model = builder.build(spec, "auto", training(REVIEWS))
    answers = np.asarray(model(tf.constant(REVIEWS)))
    assert answers.shape == (6, 1)
    assert np.isfinite(answers).all()
    assert answers[0] != answers[1]
    assert answers[2] == answers[3]
    np.testing.assert_array_equal(answers, reload(model)(tf.constant(REVIEWS)))


@pytest.mark.parametrize("builder", BODIES[1:3], ids=lambda b: b.body)
def test_a_recurrent_layer_does_not_see_the_padding(
    spec: ElementSpec, training: MakeTraining, builder: TextClassifier
) -> None:
    def answer(length: int) -> np.ndarray:
        keras.utils.set_random_seed(0)
        model = builder.replace(length=length).build(spec, "auto", training(REVIEWS))
        return np.asarray(model(tf.constant(["the movie was bad"])))

    np.testing.assert_allclose(answer(8), answer(40), atol=1e-6)


def test_it_learns_which_words_matter(spec: ElementSpec, training: MakeTraining) -> None:
    keras.utils.set_random_seed(0)
    texts = np.array([b"a good film", b"a bad film", b"good", b"so bad"] * 8, object)
    labels = np.array([1, 0, 1, 0] * 8)
    model = SMALL.build(spec, "auto", training(texts))
    model.compile(keras.optimizers.Adam(0.1), keras.losses.BinaryCrossentropy(from_logits=True))
    batches = tf.data.Dataset.from_tensor_slices((texts, labels)).batch(8)
    model.fit(batches, epochs=5, shuffle=False, verbose=0)
    good, bad = np.ravel(model(tf.constant(["A GOOD story!", "a bad story"])))
    assert good > 1
    assert bad < -1


def test_fields(spec: ElementSpec) -> None:
    builder = SMALL.replace(
        body="conv", units=(6,), activation="tanh", dropout=0.3, l2=1e-3, initializer="he_uniform"
    )
    model = builder.build(spec)
    (convolution,) = (i for i in model.layers if isinstance(i, keras.layers.Conv1D))
    hidden, _ = (i for i in model.layers if isinstance(i, keras.layers.Dense))
    for layer in (convolution, hidden):
        assert layer.activation.__name__ == "tanh"
        assert type(layer.kernel_initializer).__name__ == "HeUniform"
    assert (convolution.filters, convolution.kernel_size) == (32, (5,))
    assert round(float(hidden.kernel_regularizer.l2), 6) == 1e-3
    rates = [i.rate for i in model.layers if isinstance(i, keras.layers.Dropout)]
    assert rates == [0.3, 0.3, 0.3]


# Where it is used


@pytest.mark.parametrize("builder", BODIES[:2], ids=lambda b: b.body)
def test_a_saved_model_takes_raw_texts(
    spec: ElementSpec, training: MakeTraining, tmp_path: Path, builder: TextClassifier
) -> None:
    model = builder.build(spec, "auto", training(REVIEWS))
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda texts: model(texts, training=False),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    texts = tf.constant(REVIEWS)
    np.testing.assert_allclose(served.serve(texts), model(texts), atol=1e-6)


def test_what_is_saved_is_found_by_its_registered_name(spec: ElementSpec) -> None:
    """A program that loads a model imports the module of these functions, and nothing else."""
    for builder, function in ((SMALL, standardized), (SMALL.replace(standardize=False), spaced)):
        layer = builder.build(spec).get_layer("review_words")
        saved = keras.saving.serialize_keras_object(layer)["config"]["standardize"]
        assert saved["config"] == f"tfpipe>{function.__name__}"
        assert keras.saving.get_registered_object(saved["config"]) is function


# What is refused


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"age": "number", "town": "category"},
            "TextClassifier reads one text; 'age' is a column of a table. Leave it out, declare it "
            "as a text, or use MLP or Linear.",
        ),
        (
            {"review": "text", "age": "number"},
            "TextClassifier reads one text; 'age' is a column of a table. Leave it out, declare it "
            "as a text, or use MLP or Linear.",
        ),
    ],
)
def test_columns_of_a_table_are_refused(
    table_of: MakeSpec, columns: dict[str, Any], message: str
) -> None:
    for refuse in (SMALL.check, SMALL.build):
        with pytest.raises(ModelError) as caught:
            refuse(table_of(**columns))
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("shape", "instead"),
    [
        ((16, 16, 3), "is an image. Use CNN_2_4_6, ConvNet or LeNet."),
        ((64,), "holds numbers of shape (64,). Use MLP or Linear."),
    ],
)
def test_what_is_no_text_is_refused(
    spec_of: MakeSpec, shape: tuple[int, ...], instead: str
) -> None:
    with pytest.raises(ModelError) as caught:
        SMALL.check(spec_of(shape))
    assert str(caught.value) == f"TextClassifier reads one text; 'input' {instead}"


def test_several_texts_are_refused(table_of: MakeSpec) -> None:
    with pytest.raises(ConfigError) as caught:
        SMALL.check(table_of(title="text", body="text"))
    assert str(caught.value) == "One input was expected, the data has 2: title, body."


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"body": "pool", "bidirectional": True},
            "TextClassifier.bidirectional is for body='lstm' or 'gru', got body='pool'.",
        ),
        (
            {"body": "cnn"},
            "TextClassifier.body takes one of 'pool', 'lstm', 'gru', 'conv', got 'cnn' (str).",
        ),
        (
            {"vocabulary": 2},
            "TextClassifier.vocabulary takes a whole number of at least 3, got 2 (int).",
        ),
        ({"vocab": 9}, "TextClassifier has no field 'vocab'. Did you mean 'vocabulary'?"),
    ],
)
def test_wrong_values_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TextClassifier(**fields)
    assert str(caught.value) == message


def test_ranges_may_stand_for_values() -> None:
    TextClassifier(body=hp.Choice("lstm", ("lstm", "gru")), bidirectional=hp.Bool(True))
    with pytest.raises(ConfigError, match="got body='pool'"):
        TextClassifier(body=hp.Choice("pool", ("pool", "gru")), bidirectional=True)
