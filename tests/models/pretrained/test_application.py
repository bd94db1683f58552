"""Application: its base and head, what is trained, its weights, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfpipe
from tfpipe import Pipeline, hp
from tfpipe.data import Arrays
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import Application
from tfpipe.models.base import base_of
from tfpipe.models.pretrained.contracts import CONTRACTS

MakeSpec = Callable[..., ElementSpec]

SMALL = Application("MobileNet", weights=None, alpha=0.25)
RNG = np.random.default_rng(0)
# More red than blue, as photographs have.
PIXELS = np.clip(RNG.normal((140, 125, 110), 60, (8, 32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the weights of Keras."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def build(spec_of: MakeSpec, builder: Application = SMALL, **changes: Any) -> keras.Model:
    shape = changes.pop("shape", (32, 32, 3))
    label = changes.pop("label", 3)
    return builder.replace(**changes).build(spec_of(shape, label=label))


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def norms_of(base: keras.Model) -> list[Any]:
    return [x for x in base.layers if isinstance(x, keras.layers.BatchNormalization)]


def refused(builder: Application, spec: ElementSpec) -> str:
    with pytest.raises(ModelError) as caught:
        builder.check(spec)
    return str(caught.value)


# The base


def test_the_base_is_one_nested_model(spec_of: MakeSpec) -> None:
    model = build(spec_of)
    assert kinds(model) == [
        "InputLayer",
        "Rescaling",
        "Functional",
        "Dense",
    ]
    assert base_of(model) is model.layers[2]
    assert model.name == "application_mobilenet"


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_raw_images_reach_the_base_as_keras_prepares_them(
    spec_of: MakeSpec, own: Path, channels: str
) -> None:
    model = build(spec_of, weights=str(own), channels=channels)
    prepared = keras.applications.mobilenet.preprocess_input(PIXELS.astype(np.float32))
    expected = np.asarray(model.get_layer("logits")(base_of(model)(prepared)))
    assert expected.std(axis=0).min() > 0.1
    given = PIXELS[..., ::-1] if channels == "bgr" else PIXELS
    # 27 normalisations make more of the rounding.
    np.testing.assert_allclose(model(given), expected, atol=2e-3)


def test_a_network_that_scales_itself_gets_raw_values(spec_of: MakeSpec) -> None:
    model = build(spec_of, Application("MobileNetV3Small", weights=None))
    assert kinds(model)[:2] == ["InputLayer", "Functional"]
    assert isinstance(base_of(model).layers[1], keras.layers.Rescaling)


def test_the_network_sees_the_declared_size(spec_of: MakeSpec) -> None:
    assert base_of(build(spec_of, shape=(40, 36, 3))).input_shape == (None, 40, 36, 3)
    model = build(spec_of, shape=(20, 60, 1), size=(32, 48))
    assert base_of(model).input_shape == (None, 32, 48, 3)
    assert model.input_shape == (None, 20, 60, 1)


def test_the_export_is_told_what_the_network_expects(spec_of: MakeSpec) -> None:
    model = build(spec_of, Application("MobileNet", weights=None, alpha=0.25, channels="bgr"))
    told = json.loads(json.dumps(model.input_contract))
    assert told == {
        "network": "MobileNet",
        "family": "MobileNet",
        "size": [32, 32],
        "resize": "bilinear, antialiased where it shrinks, not rounded",
        "data": {"black": 0.0, "white": 255.0, "channels": "bgr"},
        "expects": {
            "black": [-1.0, -1.0, -1.0],
            "white": [1.0, 1.0, 1.0],
            "channels": "rgb",
            "in_words": "-1..1",
        },
    }


# The head


@pytest.mark.parametrize(("pooling", "width"), [("average", 256), ("max", 256), ("flatten", 1024)])
def test_pooling(spec_of: MakeSpec, pooling: str, width: int) -> None:
    model = build(spec_of, shape=(64, 64, 3), pooling=pooling)
    assert model.get_layer("logits").kernel.shape == (width, 3)


def test_hidden_layers_with_dropout_and_a_penalty(spec_of: MakeSpec) -> None:
    model = build(spec_of, head=(16, 8), dropout=0.5, l2=0.01, activation="elu", label=5)
    assert kinds(model)[3:] == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [16, 8, 5]
    assert [layer.activation.__name__ for layer in dense] == ["elu", "elu", "linear"]
    assert [float(layer.kernel_regularizer.l2) for layer in dense] == [0.01] * 3
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {
        0.5
    }


def test_dropout_without_hidden_layers_is_before_the_last(spec_of: MakeSpec) -> None:
    model = build(spec_of, dropout=0.5)
    assert kinds(model)[3:] == ["Dropout", "Dense"]
    assert model.layers[-1].kernel_regularizer is None


def test_its_own_head_gives_the_logits_of_imagenet(spec_of: MakeSpec) -> None:
    model = build(spec_of, head="imagenet", size=(32, 32), shape=(50, 40, 3), label=1000)
    base = base_of(model)
    assert model.output_shape == (None, 1000)
    base.get_layer("conv_preds").bias.assign([-3.0] * 1000)
    assert (np.asarray(model(np.zeros((1, 50, 40, 3), np.uint8))) < 0).all()  # no probabilities
    assert not model.trainable_weights


def test_its_own_head_sees_the_size_it_was_trained_on(spec_of: MakeSpec) -> None:
    model = build(spec_of, head="imagenet", label=1000)
    assert base_of(model).input_shape == (None, 224, 224, 3)
    assert CONTRACTS["InceptionV3"].size == 299


# What is trained


def statistics(model: keras.Model) -> list[np.ndarray]:
    return [np.array(w) for w in model.weights if "moving" in w.path]


def moved(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    assert before
    return any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("options", "convolutions_move", "statistics_move"),
    [
        ({"trainable": False, "batch_norm": "trained"}, False, False),
        ({"trainable": True}, True, False),
        ({"trainable": True, "batch_norm": "trained"}, True, True),
    ],
    ids=["frozen", "fine-tuned", "trained with batch norm"],
)
def test_statistics_of_batch_norm_move_only_where_asked(
    spec_of: MakeSpec, own: Path, options: Any, convolutions_move: bool, statistics_move: bool
) -> None:
    model = build(spec_of, weights=str(own), **options)
    first = base_of(model).get_layer("conv1")
    kernel, before = np.array(first.kernel), statistics(model)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True), jit_compile=False)
    model.fit(PIXELS, np.arange(8) % 3, batch_size=8, verbose=0)
    assert moved([kernel], [np.array(first.kernel)]) is convolutions_move
    assert moved(before, statistics(model)) is statistics_move


@pytest.mark.parametrize(
    ("weights", "batch_norm", "scales_move", "statistics_move"),
    [
        ("own", "auto", True, False),
        ("own", "inference", True, False),
        ("own", "frozen", False, False),
        (None, "auto", True, True),
    ],
)
def test_batch_norm_is_trained_from_scratch_and_keeps_its_statistics_when_pretrained(
    spec_of: MakeSpec,
    own: Path,
    weights: str | None,
    batch_norm: str,
    scales_move: bool,
    statistics_move: bool,
) -> None:
    path = str(own) if weights else None
    model = build(spec_of, weights=path, batch_norm=batch_norm, trainable=True)
    base = base_of(model)
    assert len(norms_of(base)) == 27
    scales = [w for w in base.trainable_weights if "gamma" in w.path]
    assert len(scales) == (27 if scales_move else 0)
    before = statistics(model)
    model(PIXELS, training=True)
    assert moved(before, statistics(model)) is statistics_move
    assert base.get_layer("conv1").trainable


def test_a_base_is_frozen_unless_asked(spec_of: MakeSpec) -> None:
    model = build(spec_of)
    assert not base_of(model).trainable_weights
    assert not any(layer.trainable for layer in base_of(model)._flatten_layers())
    assert {w.path for w in model.trainable_weights} == {"logits/kernel", "logits/bias"}


# Weights


@pytest.fixture(scope="module")
def own(spec_of: MakeSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights for SMALL, random but for batch normalisation, which lets signals through.

    As it starts, what comes out of so deep a network is next to nothing, whatever goes in.
    """
    keras.utils.set_random_seed(5)
    path = tmp_path_factory.mktemp("weights") / "own.weights.h5"
    base = base_of(build(spec_of, trainable=True))
    for layer in norms_of(base):
        layer.momentum = 0.0
    base(keras.applications.mobilenet.preprocess_input(PIXELS.astype(np.float32)), training=True)
    base.save_weights(path)
    return path


def test_ones_own_weights_are_loaded(spec_of: MakeSpec, own: Path) -> None:
    first = base_of(build(spec_of, weights=str(own)))
    second = base_of(build(spec_of, weights=str(own), head=(4,), shape=(40, 40, 3)))
    random = base_of(build(spec_of))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert moved(first.get_weights(), random.get_weights())


def test_weights_that_are_not_there_are_found_out_before_anything_is_built(
    spec_of: MakeSpec, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.weights.h5"
    assert refused(SMALL.replace(weights=str(gone)), spec_of((32, 32, 3))).startswith(
        f"weights={gone}: there is no such file."
    )


@pytest.mark.parametrize("builder", [Application("VGG16"), Application("MobileNet", size=(96, 96))])
def test_weights_that_are_not_there_are_found_out_before_tensorflow_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch, builder: Application
) -> None:
    def not_yet() -> None:
        raise AssertionError("TensorFlow is started first")

    def refused(file: Any) -> None:
        raise ModelError("no network")

    monkeypatch.setattr("tfpipe.jobs.prepare.start_tensorflow", not_yet)
    monkeypatch.setattr("tfpipe.models.pretrained.weights.fetch", refused)

    class Job(Pipeline):
        data = Arrays(lambda: None)
        model = builder

    with pytest.raises(ModelError, match=f"The ImageNet weights of {builder.name} are not in"):
        tfpipe.run(Job(), root=home, quiet=True)


def test_random_weights_stand_in_offline_unless_the_file_is_there(home: Path, own: Path) -> None:
    builder, note = Application("MobileNetV2", size=(96, 96)).offline()
    assert builder == Application("MobileNetV2", weights=None, size=(96, 96))
    assert note == (
        "Random weights stood in for MobileNetV2's ImageNet weights, which are not on this "
        "machine: what was learnt says nothing about the network."
    )
    for here in (SMALL, SMALL.replace(weights=str(own))):
        assert here.offline() == (here, "")
    file = home / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"
    file.parent.mkdir()
    file.touch()
    there = Application("MobileNetV2", size=(96, 96))
    assert there.offline() == (there, "")


# Real samples


@pytest.fixture(scope="module")
def model(spec_of: MakeSpec) -> keras.Model:
    return build(spec_of)


def test_raw_samples_pass(model: keras.Model, spec_of: MakeSpec) -> None:
    spec = spec_of((32, 32, 3))
    SMALL.check_samples(model, spec, PIXELS)
    SMALL.check_samples(model, spec, {"input": keras.ops.convert_to_tensor(PIXELS)})


def test_samples_are_looked_at_as_they_reach_the_base(
    model: keras.Model, spec_of: MakeSpec
) -> None:
    with pytest.raises(ModelError) as caught:
        SMALL.check_samples(model, spec_of((32, 32, 3), "float32"), PIXELS / np.float32(255))
    assert str(caught.value) == (
        "MobileNet (family MobileNet) expects values of -1..1, which it makes of 0..255; 8 "
        "training samples of 'input' lie in 0..1 and become -1..-0.9922. Probably they were "
        "already divided by 255. Leave that step out of input_fn, or declare model.values=(0, 1)."
    )
    declared = SMALL.replace(values=(0, 1))
    spec = spec_of((32, 32, 3), "float32")
    declared.check_samples(declared.build(spec), spec, PIXELS / np.float32(255))


def test_swapped_channels_are_refused_unless_declared(
    model: keras.Model, spec_of: MakeSpec
) -> None:
    spec, swapped = spec_of((32, 32, 3)), PIXELS[..., ::-1]
    with pytest.raises(ModelError, match=r"MobileNet takes red, green, blue; .* as OpenCV"):
        SMALL.check_samples(model, spec, swapped)
    for known in ("rgb", "bgr"):
        SMALL.replace(channels=known).check_samples(model, spec, swapped)


# What is refused


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"name": "MobileNetV5"},
            "keras.applications has no network 'MobileNetV5'. Did you mean 'MobileNetV2', "
            "'MobileNet' or 'MobileNetV3Small'?",
        ),
        (
            {"name": hp.Choice("MobileNetV2", values=("MobileNetV2", "Resnet50"))},
            "keras.applications has no network 'Resnet50'. Did you mean 'ResNet50', 'ResNet50V2' "
            "or 'ResNet152'?",
        ),
        (
            {"name": "VGG16", "alpha": 0.5},
            "Application.alpha is for MobileNet, MobileNetV2, MobileNetV3Small, MobileNetV3Large; "
            "VGG16 has one width. Leave it out.",
        ),
        (
            {"name": "VGG16", "values": (1, 1)},
            "Application.values=(1.0, 1.0): black and white must differ, as in (0, 255).",
        ),
        (
            {"name": "VGG16", "head": "imagenet", "dropout": 0.5},
            "Application.dropout is for a head of the task's own; head='imagenet' is the "
            "network's. Leave one of them out.",
        ),
        (
            {"name": "MobileNetV3Small", "minimalistic": True},
            "Application has no field 'minimalistic'. There is: activation, alpha, batch_norm, "
            "batch_norm_momentum, channels, dropout, head, l2, name, pooling, size, trainable and "
            "2 more.",
        ),
    ],
)
def test_a_wrong_declaration_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Application(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("builder", "shape", "message"),
    [
        (
            SMALL,
            (28, 28, 1),
            "MobileNet needs at least 32x32 pixels; 'input' has images of 28x28. Declare "
            "model.size=(32, 32) or larger, to which images are resized inside the model; it was "
            "trained on 224x224.",
        ),
        (
            Application("Xception", weights=None, size=(32, 96)),
            (299, 299, 3),
            "Xception needs at least 71x71 pixels; model.size is 32x96. Declare "
            "model.size=(71, 71) or larger, to which images are resized inside the model; it was "
            "trained on 299x299.",
        ),
        (
            SMALL,
            (3, 224, 224),
            "Application reads images of shape (height, width, channels); 'input' has shape (3, "
            "224, 224), channels first. Transpose it to (224, 224, 3).",
        ),
        (
            SMALL,
            (64, 64, 4),
            "Application reads images of 1 or 3 channels; 'input' has 4. Leave out the last one, "
            "which is transparency.",
        ),
        (
            SMALL,
            (64, 64, 12),
            "Application reads images of 1 or 3 channels; 'input' has 12. Select 1 or 3.",
        ),
        (
            SMALL.replace(head="imagenet"),
            (64, 64, 3),
            "head='imagenet' gives MobileNet's own 1,000 classes; the data has 10. Leave it out "
            "for a head for the data's classes.",
        ),
    ],
    ids=["small", "size", "channels first", "transparent", "spectral", "classes"],
)
def test_data_that_does_not_fit_is_refused(
    builder: Application, shape: tuple[int, ...], message: str, spec_of: MakeSpec
) -> None:
    spec = spec_of(shape)
    assert refused(builder, spec) == message
    with pytest.raises(ModelError):
        builder.build(spec)


# Elsewhere

RELOAD = """
import sys
sys.modules |= dict.fromkeys(("tfpipe", "matplotlib", "pandas", "scipy", "sklearn"))
import keras, numpy as np
held = np.load("held.npz")
model = keras.models.load_model("model.keras")
np.testing.assert_array_equal(model(held["given"]), held["answers"])
print(model.name)
"""


def test_a_saved_model_needs_no_tfpipe(
    spec_of: MakeSpec, own: Path, tmp_path: Path, python: Any
) -> None:
    builder = SMALL.replace(weights=str(own), channels="bgr", values=(0.0, 1.0))
    model = build(spec_of, builder, shape=(40, 30, 3), size=(32, 32))
    given = RNG.random((2, 40, 30, 3), np.float32)
    assert np.ptp(model(given), axis=0).min() > 1e-3
    np.savez(tmp_path / "held.npz", given=given, answers=model(given))
    model.save(tmp_path / "model.keras")
    answer = python("-c", RELOAD, cwd=tmp_path).end()
    assert answer.out.strip() == "application_mobilenet", answer.err


def test_a_pipeline_trains_and_exports_it(
    tfpipe: Any, small: Path, own: Path, tmp_path: Path
) -> None:
    line = "    model = CNN_2_4_6(convs=2, dropout=0.2, batch_norm=True, units=8)\n"
    assert line in small.read_text()
    model = f"    model = Application('MobileNet', {str(own)!r}, (32, 32), alpha=0.25)\n"
    text = small.read_text().replace(line, model)
    small.write_text(text.replace("import CNN_2_4_6, MLP", "import Application"))
    answer = tfpipe("run", small, "epochs=1", "augment=()")
    assert answer.code == 0, answer.err
    told = json.loads((tmp_path / "saved_models/small/1/assets/contract.json").read_text())
    assert told["pretrained"]["network"] == "MobileNet"
    assert told["pretrained"]["size"] == [32, 32]
    assert told["inputs"][0]["shape"] == [8, 8, 3]
