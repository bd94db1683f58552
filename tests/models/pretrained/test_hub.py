"""Hub: modules of images and of texts, classifiers, and what a wrong module is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hub_modules
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import Hub
from tfpipe.models.base import base_of, unfreeze
from tfpipe.models.pretrained.hub_module import HubModule
from tfpipe.training import checkpoint

MakeSpec = Callable[..., ElementSpec]
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
TEXT = Feature("text", (), "string", "text")


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module of each kind."""
    folder = tmp_path_factory.mktemp("modules")
    hub_modules.images(folder / "images")
    hub_modules.images(folder / "any_size", side=None, width=4)
    hub_modules.texts(folder / "texts")
    hub_modules.classifier(folder / "classifier", classes=5)
    hub_modules.classifier(folder / "probabilities", classes=5, probabilities=True)
    return folder


@pytest.fixture
def text_spec() -> ElementSpec:
    return ElementSpec((TEXT,), (Label("label", "class", (), tuple("abc")),))


def layer_of(model: keras.Model) -> Any:
    return next(layer for layer in model.layers if isinstance(layer, HubModule))


def error(builder: Hub, spec: ElementSpec) -> str:
    with pytest.raises(ModelError) as caught:
        builder.build(spec)
    return str(caught.value)


# What a module gives


def test_raw_images_become_what_the_module_takes(modules: Path, spec_of: MakeSpec) -> None:
    model = Hub(str(modules / "images"), head=None).build(spec_of((8, 8, 3), label=6))
    loaded = tf.saved_model.load(str(modules / "images"))
    wanted = loaded(PIXELS.astype("float32") / 255, training=False)
    np.testing.assert_allclose(model(PIXELS), wanted, atol=1e-6)


def test_other_sizes_are_resized_and_grey_becomes_colour(modules: Path, spec_of: MakeSpec) -> None:
    model = Hub(str(modules / "images"), head=None).build(spec_of((20, 10, 1), label=6))
    grey = np.random.default_rng(1).integers(0, 256, (2, 20, 10, 1), np.uint8)
    resized = tf.image.resize(np.repeat(grey, 3, -1), (8, 8), antialias=True)
    wanted = tf.saved_model.load(str(modules / "images"))(resized / 255, training=False)
    np.testing.assert_allclose(model(grey), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("declared", "seen"), [(None, (20, 10)), ((16, 12), (16, 12))], ids=["the data's", "declared"]
)
def test_a_module_of_any_size_sees(
    modules: Path, spec_of: MakeSpec, declared: Any, seen: tuple[int, int]
) -> None:
    model = Hub(str(modules / "any_size"), size=declared).build(spec_of((20, 10, 3)))
    assert layer_of(model).input.shape == (None, *seen, 3)


def test_declared_values_are_scaled_to_0_1(modules: Path, spec_of: MakeSpec) -> None:
    spec = spec_of((8, 8, 3), "float32", 6)
    model = Hub(str(modules / "images"), head=None, values=(-1.0, 1.0)).build(spec)
    scaled = PIXELS.astype("float32") / 255
    for_bytes = Hub(str(modules / "images"), head=None).build(spec_of((8, 8, 3), label=6))
    np.testing.assert_allclose(model(2 * scaled - 1), for_bytes(PIXELS), atol=1e-5)


def test_texts_go_in_as_they_are(modules: Path, text_spec: ElementSpec, reload: Any) -> None:
    model = Hub(str(modules / "texts"), head=(3,), trainable=True).build(text_spec)
    assert model.input.dtype == "string"
    assert [layer.output.shape for layer in model.layers[1:]] == [(None, 4), (None, 3), (None, 3)]
    texts = tf.constant(["good film", "unheard", ""])
    np.testing.assert_array_equal(reload(model)(texts), model(texts))


def test_a_signature_is_called_where_it_is_asked_for(modules: Path, spec_of: MakeSpec) -> None:
    handle, spec = str(modules / "images"), spec_of((8, 8, 3), label=6)
    called = Hub(handle, head=None).build(spec)
    named = Hub(handle, head=None, signature="serving_default").build(spec)
    np.testing.assert_allclose(named(PIXELS), called(PIXELS), atol=1e-6)
    assert layer_of(named).output_key == "default"


def test_the_head_is_what_was_declared(modules: Path, spec_of: MakeSpec) -> None:
    builder = Hub(str(modules / "images"), head=(7, 5), dropout=0.5, l2=0.1, activation="tanh")
    layers = builder.build(spec_of((8, 8, 3), label=4)).layers
    kinds = [type(layer).__name__ for layer in layers[3:]]
    assert kinds == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [7, 5, 4]
    assert [layer.activation.__name__ for layer in dense] == ["tanh", "tanh", "linear"]
    assert [float(layer.kernel_regularizer.l2) for layer in dense] == pytest.approx([0.1] * 3)
    alone = Hub(str(modules / "images"), dropout=0.5).build(spec_of((8, 8, 3))).layers
    assert [type(layer).__name__ for layer in alone[3:]] == ["Dropout", "Dense"]


def test_the_module_computes_in_float32_whatever_the_precision(
    modules: Path, spec_of: MakeSpec
) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = Hub(str(modules / "images"), head=(5,)).build(spec_of((8, 8, 3)))
        assert (layer_of(model).output.dtype, model.output.dtype) == ("float32", "float32")
        assert model.layers[-2].compute_dtype == "bfloat16"
        assert np.isfinite(np.asarray(model(PIXELS))).all()
    finally:
        keras.config.set_dtype_policy("float32")


# Its variables


def test_each_variable_is_one_weight_and_no_copy(modules: Path, spec_of: MakeSpec) -> None:
    model = Hub(str(modules / "images"), trainable=True).build(spec_of((8, 8, 3)))
    layer = layer_of(model)
    assert [(w.path, w.trainable) for w in layer.weights] == [
        ("module/dense_kernel", True),
        ("module/norm_mean", False),
    ]
    layer.weights[1].assign([-0.5] * 6)  # is subtracted by the module
    np.testing.assert_allclose(layer(tf.zeros([1, 8, 8, 3])), np.tanh([[0.5] * 6]), atol=1e-6)
    model.compile("sgd", "mse")
    held = [v.path for v in checkpoint.groups(model)["model"]]
    assert sorted(held) == sorted({v.path for v in model.variables})
    assert len(held) == 4


def test_two_models_of_one_module_share_nothing(modules: Path, spec_of: MakeSpec) -> None:
    one, other = (Hub(str(modules / "images")).build(spec_of((8, 8, 3))) for _ in range(2))
    layer_of(one).weights[0].assign(np.zeros((6, 6)))
    assert np.abs(layer_of(other).get_weights()[0]).max() > 0


@pytest.fixture(params=[False, True], ids=["frozen", "trained"])
def stepped(request: pytest.FixtureRequest, modules: Path, spec_of: MakeSpec) -> Any:
    """Whether it was trained; its weights before a step, and after it."""
    model = Hub(str(modules / "images"), trainable=request.param).build(spec_of((8, 8, 3), label=3))
    layer = layer_of(model)
    before = layer.get_weights()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(PIXELS, np.arange(6) % 3, verbose=0)
    model.evaluate(PIXELS, np.arange(6) % 3, verbose=0)
    return request.param, before, layer.get_weights()


def test_a_step_moves_weights_and_statistics_of_a_trained_module_alone(stepped: Any) -> None:
    trained, before, after = stepped
    moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert moved == [trained, trained]
    if trained:  # the mean moved once, by the step, and not by evaluate
        loaded = np.concatenate([PIXELS.mean((1, 2)), PIXELS.max((1, 2))], 1) / 255 @ before[0]
        np.testing.assert_allclose(after[1], 0.1 * loaded.mean(0), rtol=1e-4)


def test_it_is_told_of_training_only_while_it_is_trained(modules: Path, spec_of: MakeSpec) -> None:
    model = Hub(str(modules / "images"), head=None).build(spec_of((8, 8, 3), label=6))
    base, x = base_of(model), PIXELS / np.float32(255)
    assert base is layer_of(model)
    plain = np.asarray(base(x))
    np.testing.assert_array_equal(base(x, training=True), plain)
    assert base.losses == []
    unfreeze(base, "all")
    assert [w.path for w in base.trainable_weights] == ["module/dense_kernel"]
    np.testing.assert_array_equal(base(x), plain)
    dropped = np.asarray(base(x, training=True))[:, ::2]
    assert (np.ptp(dropped, 0).max(), np.ptp(plain[:, ::2], 0).max() > 0) == (0, True)
    (penalty,) = base.losses
    np.testing.assert_allclose(penalty, 0.01 * np.sum(base.get_weights()[0] ** 2), rtol=1e-5)
    unfreeze(base, None)
    assert base.trainable_weights == []


def test_the_penalty_of_a_trained_module_is_part_of_the_loss(
    modules: Path, spec_of: MakeSpec
) -> None:
    def loss(trainable: bool) -> tuple[float, float]:
        model = Hub(str(modules / "images"), trainable=trainable).build(spec_of((8, 8, 3), label=3))
        model.layers[-1].set_weights([np.zeros((6, 3)), np.zeros(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        found = model.evaluate(PIXELS, np.arange(6) % 3, verbose=0)
        return found, float(np.sum(layer_of(model).get_weights()[0] ** 2))

    assert loss(False)[0] == pytest.approx(np.log(3), rel=1e-5)
    with_penalty, squares = loss(True)
    assert with_penalty == pytest.approx(np.log(3) + 0.01 * squares, rel=1e-5)


# Saved and loaded


def test_a_saved_model_brings_its_own_weights(
    modules: Path, tmp_path: Path, spec_of: MakeSpec, reload: Any
) -> None:
    hub_modules.images(tmp_path / "module", seed=1)
    model = Hub(str(tmp_path / "module"), trainable=True).build(spec_of((8, 8, 3)))
    layer_of(model).weights[1].assign(np.arange(6.0))
    hub_modules.images(tmp_path / "module", seed=2)  # other values in the same place
    loaded = reload(model)
    np.testing.assert_array_equal(loaded(PIXELS), model(PIXELS))
    assert layer_of(loaded).trainable
    assert layer_of(loaded).get_config() == layer_of(model).get_config()


def test_a_saved_model_without_its_module_says_what_is_missing(
    tmp_path: Path, spec_of: MakeSpec, reload: Any
) -> None:
    hub_modules.images(tmp_path / "module")
    model = Hub(str(tmp_path / "module")).build(spec_of((8, 8, 3)))
    (tmp_path / "module").rename(tmp_path / "gone")
    with pytest.raises(ModelError, match=r"handle='.*/module': there is no such folder"):
        reload(model)


def test_a_saved_model_fetches_nothing(
    tmp_path: Path, spec_of: MakeSpec, reload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    hub_modules.images(tmp_path / "module")
    model = Hub(str(tmp_path / "module")).build(spec_of((8, 8, 3)))
    layer_of(model).handle = "https://tfhub.dev/google/mobilenet/4"
    with pytest.raises(ModelError, match=r"is not in .*/cache\.\nFetch https://tfhub.dev/"):
        reload(model)


def test_an_archive_is_a_module_too(
    modules: Path, tmp_path: Path, spec_of: MakeSpec, monkeypatch: pytest.MonkeyPatch, reload: Any
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    archive = hub_modules.packed(modules / "texts", tmp_path / "texts.tar.gz")
    spec = ElementSpec((TEXT,), (Label("label", "class", (), tuple("abcd")),))
    model = Hub(str(archive), head=None).build(spec)
    folder = Hub(str(modules / "texts"), head=None).build(spec)
    texts = tf.constant(["good film", "bad"])
    np.testing.assert_array_equal(model(texts), folder(texts))
    np.testing.assert_array_equal(reload(model)(texts), folder(texts))


# Classifiers


def test_a_classifier_answers_for_its_own_classes(modules: Path, spec_of: MakeSpec) -> None:
    model = Hub(str(modules / "classifier"), head=None).build(spec_of((16, 16, 3), label=5))
    shades = np.stack([np.full((16, 16, 3), 255 * i // 4, np.uint8) for i in range(5)])
    assert np.argmax(model(shades), -1).tolist() == [0, 1, 2, 3, 4]


def test_other_classes_than_the_datas_are_refused(tmp_path: Path, spec_of: MakeSpec) -> None:
    handle = str(hub_modules.classifier(tmp_path / "module"))
    assert error(Hub(handle, head=None), spec_of(label=10)) == (
        f"{handle} gives 1,001 number(s) a sample, the first of which is 'background'; the task, "
        "classification, needs 10. head=None takes them as they are: give head=() for a last layer "
        "of this data's own, or data with the classes that the module was trained on."
    )
    assert Hub(handle, head=None).build(spec_of(label=1001)).output_shape == (None, 1001)


def test_probabilities_are_refused(modules: Path, spec_of: MakeSpec) -> None:
    spec = spec_of((16, 16, 3), label=5)
    builder = Hub(str(modules / "probabilities"), head=None)
    pictures = np.resize(PIXELS, (4, 16, 16, 3))
    with pytest.raises(ModelError) as caught:
        builder.check_samples(builder.build(spec), spec, pictures)
    assert str(caught.value) == (
        "The module gives probabilities, and models give logits here. Use its version that gives "
        "logits, or its feature vector with head=()."
    )
    logits = Hub(str(modules / "classifier"), head=None)
    logits.check_samples(logits.build(spec), spec, pictures)


# Values that were scaled before


@pytest.mark.parametrize(
    ("values", "low", "high"), [((0.0, 255.0), 0.0, 1.0), ((0.0, 1.0), 0.0, 255.0)]
)
def test_values_that_are_not_those_declared_are_refused(
    modules: Path, spec_of: MakeSpec, values: Any, low: float, high: float
) -> None:
    spec, handle = spec_of((8, 8, 3), "float32", 3), str(modules / "images")
    pictures = low + (high - low) * PIXELS.astype("float32") / 255
    pictures.flat[:2] = low, high
    builder = Hub(handle, values=values)
    with pytest.raises(ModelError) as caught:
        builder.check_samples(builder.build(spec), spec, pictures)
    assert str(caught.value).startswith(  # the rest is tested with the other pretrained networks
        f"{handle} (family TF-Hub) expects values of 0..1, which it makes of 0..{values[1]:g}; "
        f"6 training samples of 'input' lie in 0..{high:g} and become 0.."
    )
    right = builder.replace(values=(low, high))
    right.check_samples(right.build(spec), spec, pictures)


# What is refused


def test_a_wrong_signature_or_output_says_what_the_module_offers(
    modules: Path, spec_of: MakeSpec
) -> None:
    handle, spec = str(modules / "images"), spec_of((8, 8, 3))
    takes = "takes inputs float32 [batch, 8, 8, 3] and gives"
    offers = (
        f"It offers: a call {takes} float32 [batch, 6]; signature='serving_default' {takes} default"
        " float32 [batch, 6]. It has 2 variable(s), 1 of them trainable."
    )
    assert error(Hub(handle, signature="serving_defalt"), spec) == (
        f"{handle} has no signature 'serving_defalt'. Did you mean 'serving_default'? {offers}"
    )
    wrong = Hub(handle, signature="serving_default", output_key="logits")
    assert error(wrong, spec) == (f"{handle} has no output 'logits'. There is: default. {offers}")
    assert error(Hub(handle, output_key="default"), spec) == (
        f"{handle} gives one output, which has no key: leave output_key='default' out."
    )
    assert error(Hub(handle, output_dim=7), spec) == (
        f"output_dim=7: {handle} gives 6 numbers a sample. Leave output_dim out, or say 6."
    )
    assert error(Hub(handle, size=(9, 9)), spec) == (
        f"Hub.size=(9, 9): {handle} takes images of 8x8 alone, to which they are resized. Leave "
        "size out."
    )


def test_a_module_of_the_other_kind_is_refused(
    modules: Path, spec_of: MakeSpec, text_spec: ElementSpec
) -> None:
    images, texts = str(modules / "images"), str(modules / "texts")
    assert error(Hub(images), text_spec).startswith(
        f"Hub reads no texts with {images}, and 'text' is a text. Use a module that takes string "
        "[batch]. It offers: a call takes inputs float32 [batch, 8, 8, 3]"
    )
    assert error(Hub(texts), spec_of()) == (
        f"Hub reads no images with {texts}, and 'input' is an image. Use a module that takes "
        "float32 [batch, height, width, channels]. It offers: a call takes texts string [batch] "
        "and gives float32 [batch, 4]; signature='serving_default' takes texts string [batch] and "
        "gives output_0 float32 [batch, 4]. It has 1 variable(s), 1 of them trainable."
    )


class Plain(tf.Module):
    """No module: it cannot be called."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)


class Pair(tf.Module):
    """Two outputs, both wider than they say."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "x")])
    def __call__(self, x: Any) -> Any:
        flat = tf.reshape(x, [tf.shape(x)[0], -1])
        return {"maps": x, "wide": tf.ensure_shape(flat, [None, None]), "all": [x, flat]}


def test_what_cannot_be_called_is_refused(tmp_path: Path, spec_of: MakeSpec) -> None:
    handle = str(hub_modules.save(Plain(), tmp_path / "plain"))
    assert error(Hub(handle), spec_of()) == (
        f"{handle} cannot be called, as it has no call that takes one tensor. Name a signature "
        "where it has one. It offers: nothing that takes one tensor. It has 0 variable(s), 0 of "
        "them trainable."
    )


class Lists(tf.Module):
    """No output by itself."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "x")])
    def __call__(self, x: Any) -> Any:
        return [x, x]


def test_a_module_of_lists_is_refused(tmp_path: Path, spec_of: MakeSpec) -> None:
    signature = {"serving_default": tf.function(lambda x: {"x": x}, [tf.TensorSpec([2], name="x")])}
    handle = str(hub_modules.save(Lists(), tmp_path / "lists", **signature))
    assert error(Hub(handle), spec_of((8, 8, 3))) == (
        f"{handle} gives no tensor, alone or by a key. It offers: a call takes x float32 [batch, "
        "8, 8, 3] and gives lists; signature='serving_default' takes x float32 [2] and gives x "
        "float32 [2]. It has 0 variable(s), 0 of them trainable."
    )


def test_several_outputs_and_widths_that_are_not_said(tmp_path: Path, spec_of: MakeSpec) -> None:
    handle, spec = str(hub_modules.save(Pair(), tmp_path / "pair")), spec_of((8, 8, 3))
    assert error(Hub(handle), spec) == (
        f"{handle} gives several outputs: maps, wide. Choose one with output_key."
    )
    assert error(Hub(handle, output_key="wide"), spec) == (
        f"{handle} does not say how wide its output is, float32 [batch, ?]. Say it with output_dim."
    )
    assert error(Hub(handle, output_key="maps"), spec).startswith(
        f"{handle} gives float32 [batch, 8, 8, 3], and [batch, numbers] is needed: one row of "
        "numbers for each sample"
    )
    model = Hub(handle, output_key="wide", output_dim=192).build(spec)
    assert layer_of(model).output.shape == (None, 192)
    assert error(Hub(handle, True, 192, output_key="wide"), spec).startswith(
        f"{handle} has nothing to train: leave trainable=True out. It offers: a call takes x"
    )


def test_the_format_of_tensorflow_1_is_refused(tmp_path: Path, spec_of: MakeSpec) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3])
        signature = tf.compat.v1.saved_model.predict_signature_def({"images": x}, {"default": x})
        builder = tf.compat.v1.saved_model.Builder(str(tmp_path / "old"))
        builder.add_meta_graph_and_variables(session, [], {"image_feature_vector": signature})
        builder.save()
    (tmp_path / "old" / "tfhub_module.pb").write_bytes(b"\x08\x03")
    assert error(Hub(str(tmp_path / "old")), spec_of()) == (
        f"{tmp_path / 'old'} is a module in the TF1 Hub format, which TensorFlow 2 cannot train. "
        "Its signatures: image_feature_vector. Take the module's version for TensorFlow 2, whose "
        "address mostly ends in a higher number."
    )


def test_a_broken_module_is_refused(tmp_path: Path, spec_of: MakeSpec) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"nonsense")
    assert error(Hub(str(tmp_path)), spec_of()).startswith(f"{tmp_path} does not load: ")


def test_fields_that_would_do_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^Hub.dropout is for the head, and head=None has none."):
        Hub("module", head=None, dropout=0.5)
    with pytest.raises(ConfigError, match=r"^Hub.values=\(1.0, 0.0\): what white is has to"):
        Hub("module", values=(1.0, 0.0))


# Generated data


def test_what_would_be_fetched_has_a_stand_in_on_generated_data(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec_of: MakeSpec, reload: Any
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    here = Hub(str(modules / "images"))
    assert here.offline() == (here, "")
    far = Hub("https://tfhub.dev/google/nnlm/2", head=(8,))
    builder, note = far.offline()
    assert note == (
        "A small network stood in for the TF-Hub module https://tfhub.dev/google/nnlm/2, which was "
        "not fetched: the parameters, the memory and the time of a step are not the module's."
    )
    texts = ElementSpec((TEXT,), (Label("label", "class", (), tuple("abc")),))
    for spec, data in ((texts, tf.constant(["a", "b"])), (spec_of((8, 8, 3), label=3), PIXELS)):
        model = builder.build(spec)
        np.testing.assert_array_equal(reload(model)(data), model(data))
        assert model.output_shape == (None, 3)
        base = base_of(model)
        assert not base.trainable_weights
        unfreeze(base, "all")  # as the phases of FineTune do
        assert len(base.trainable_weights) == 2
    assert far.replace(head=None).offline()[0].build(spec_of(label=7)).output_shape == (None, 7)
