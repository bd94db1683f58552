"""Loading weights into a network: every kind of file both ways, and what is said of misfits."""

import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.errors import ModelError
from tfpipe.models.pretrained.weights import load

PIXELS = (32, 32, 3)


@cache
def network(top: bool, alpha: float = 0.25, channels: int = 3, copy: int = 0) -> Any:
    """A MobileNet with its own random weights, built once; `copy` for another one."""
    return keras.applications.MobileNet(
        (32, 32, channels), alpha, include_top=top, weights=None, name=f"copy_{copy}"
    )


def scrambled(model: Any, seed: int = 0) -> Any:
    """The model with other values in all of its weights, those of batch normalisation included."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(rng.uniform(0.1, 1.0, variable.shape))
    return model


def legacy(model: Any, path: Path) -> None:
    """As the ImageNet files of keras.applications are: layers by name, below the root."""
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)


def inside(base: Any) -> Any:
    """A model with a base in it, as tfpipe builds them."""
    inputs = keras.Input(PIXELS)
    x = base(keras.layers.Rescaling(1 / 127.5, -1)(inputs))
    x = keras.layers.Dense(8, "relu")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(5)(x))


def flat(base: Any) -> Any:
    """A model that goes on where the base ends, with no model inside of it."""
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, keras.layers.Dense(5)(x))


Save = Callable[[Any, Path], None]
KINDS: dict[str, tuple[str, Save]] = {
    "as keras.applications publishes it": ("old.h5", legacy),
    "a whole model of old": ("model.h5", lambda model, path: model.save(path)),
    "the weights alone": ("w.weights.h5", lambda model, path: model.save_weights(path)),
    "a whole model": ("model.keras", lambda model, path: model.save(path)),
}
AROUND: dict[str, tuple[str, Save]] = {
    "a model around it": ("around.keras", lambda base, path: inside(base).save(path)),
    "the weights of a model around it": (
        "around.weights.h5",
        lambda base, path: inside(base).save_weights(path),
    ),
    "in Sequential": (
        "sequential.keras",
        lambda base, path: keras.Sequential(
            [base, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5)]
        ).save(path),
    ),
    "with a head of another kind": ("flat.weights.h5", lambda b, path: flat(b).save_weights(path)),
}
EVERY = {**KINDS, **AROUND}
TWO = ("as keras.applications publishes it", "a whole model")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")


@pytest.fixture(scope="module")
def sources() -> dict[bool, Any]:
    """A network with known weights, with and without its top."""
    return {top: scrambled(network(top), int(top)) for top in (True, False)}


@pytest.fixture(scope="module")
def saved(
    sources: dict[bool, Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, bool], Path]:
    """The file of a kind with the weights of a source, written once."""

    @cache
    def write(kind: str, top: bool) -> Path:
        name, save = EVERY[kind]
        path = tmp_path_factory.mktemp("weights") / name
        save(sources[top], path)
        return path

    return write


def target(top: bool, alpha: float = 0.25, channels: int = 3) -> Any:
    """A network to load into, with other weights than any source."""
    return scrambled(network(top, alpha, channels, copy=1), 99)


def agree(model: Any, source: Any) -> bool:
    """Whether the first weights of two models are equal, as many as both have."""
    pairs = zip(model.get_weights(), source.get_weights(), strict=False)
    return all(np.array_equal(a, b) for a, b in pairs)


Saved = Callable[[str, bool], Path]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("top", "into"), [(True, True), (True, False), (False, False)])
def test_each_kind_of_file_is_loaded(
    sources: dict[bool, Any], saved: Saved, kind: str, top: bool, into: bool
) -> None:
    base = target(into)
    assert not agree(base, sources[top])
    load(base, saved(kind, top))
    assert agree(base, sources[top])


@pytest.mark.parametrize("kind", AROUND)
def test_a_network_is_found_inside_of_a_model(
    sources: dict[bool, Any], saved: Saved, kind: str
) -> None:
    base = target(False)
    load(base, saved(kind, False))
    assert agree(base, sources[False])


@pytest.mark.parametrize("kind", EVERY)
def test_a_file_without_top_is_refused_for_a_network_with_one(saved: Saved, kind: str) -> None:
    file = saved(kind, False)
    assert refusal(target(True), file) == (
        f"{file} does not fit copy_1: it has no weights for the layer 'conv_preds', "
        "(1, 1, 256, 1000), (1000). The file was saved without the top, the layers that give the "
        "classes, and the network has one."
    )


def test_the_answers_are_those_of_the_saved_network(sources: dict[bool, Any], saved: Saved) -> None:
    base = target(True)
    load(base, saved(TWO[0], True))
    x = tf.random.stateless_uniform([2, *PIXELS], [1, 2])
    assert np.array_equal(base(x), sources[True](x))


def test_keras_itself_loads_the_same(saved: Saved) -> None:
    ours = target(False)
    load(ours, saved(TWO[0], False))
    loaded = ours.get_weights()
    theirs = target(False)
    theirs.load_weights(saved(TWO[0], False))
    assert all(np.array_equal(a, b) for a, b in zip(loaded, theirs.get_weights(), strict=True))


def test_layers_with_a_slash_in_their_names_are_found(tmp_path: Path) -> None:
    """As DenseNet's published files have them."""
    import h5py

    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = ["input_1", "conv1/conv"]
        file.create_group("input_1").attrs["weight_names"] = np.zeros(0, "S1")
        file.create_group("conv1/conv").attrs["weight_names"] = [b"conv1/conv/kernel:0"]
        file["conv1/conv/conv1/conv/kernel:0"] = np.full((1, 1, 3, 2), 7.0)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 1, use_bias=False)])
    load(model, tmp_path / "w.h5")
    assert np.array_equal(model.get_weights()[0], np.full((1, 1, 3, 2), 7.0))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_in_layers_and_learnt_statistics_are_loaded(tmp_path: Path, kind: str) -> None:
    """ConvNeXt has Sequential models inside; a Normalization computes with what it has learnt."""

    def build() -> Any:
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.Normalization(name="statistics")(inputs)
        inner = [keras.layers.Conv2D(4, 2), keras.layers.LayerNormalization()]
        x = keras.Sequential([keras.Input((8, 8, 3)), *inner], name="stem")(x)
        x = keras.layers.Dropout(0.5, seed=1)(keras.layers.Conv2D(4, 1)(x))
        return keras.Model(inputs, keras.layers.SeparableConv2D(2, 3)(x))

    source = scrambled(build())
    source.get_layer("statistics").finalize_state()
    name, save = KINDS[kind]
    save(source, tmp_path / name)
    model = build()
    load(model, tmp_path / name)
    x = tf.random.stateless_uniform([2, 8, 8, 3], [1, 2])
    assert np.array_equal(model(x), source(x))


def test_the_values_of_a_bfloat16_network_are_read(tmp_path: Path) -> None:
    source = scrambled(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="bfloat16")])
    )
    source.save_weights(tmp_path / "w.weights.h5")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    load(model, tmp_path / "w.weights.h5")
    assert np.array_equal(model.get_weights()[0], np.float32(source.get_weights()[0]))


# What does not fit


def refusal(base: Any, file: Path) -> str:
    """What is said of a file that does not fit; the network must be as it was."""
    before = base.get_weights()
    with pytest.raises(ModelError) as error:
        load(base, file)
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))
    return str(error.value)


@pytest.mark.parametrize("kind", [*TWO, "a model around it"])
def test_another_alpha_is_recognised(saved: Saved, kind: str) -> None:
    mobilenet = keras.Model(
        network(False, 0.5, copy=1).inputs, network(False, 0.5, copy=1).outputs, name="mobilenet_5"
    )
    file = saved(kind, False)
    assert refusal(mobilenet, file) == (
        f"{file} does not fit mobilenet_5: the layer 'conv1' has the shape (3, 3, 3, 8) in the "
        "file and (3, 3, 3, 16) in the network. The file is probably of the same network with "
        "another alpha."
    )


@pytest.mark.parametrize("kind", TWO)
def test_other_channels_are_recognised(saved: Saved, kind: str) -> None:
    file = saved(kind, False)
    assert refusal(target(False, channels=1), file) == (
        f"{file} does not fit copy_1: the layer 'conv1' has the shape (3, 3, 3, 8) in the file and "
        "(3, 3, 1, 8) in the network. The file is for images of 3 channel(s), the network for "
        "those of 1."
    )


@pytest.mark.parametrize("kind", TWO)
def test_another_network_is_recognised(saved: Saved, kind: str) -> None:
    layers = keras.layers
    inputs = keras.Input(PIXELS)
    x = layers.Conv2D(64, 3, name="block1_conv1")(inputs)
    vgg = keras.Model(inputs, layers.Conv2D(64, 3, name="block1_conv2")(x), name="vgg")
    file = saved(kind, False)
    assert refusal(vgg, file) == (
        f"{file} does not fit vgg: the layer 'block1_conv1' ('conv1' in the file) has the shape "
        "(3, 3, 3, 8) in the file and (3, 3, 3, 64), (64) in the network. The file has 54 layers "
        "with weights, the network 2: it is probably of another network."
    )


def test_a_top_of_other_classes_is_recognised(sources: dict[bool, Any], tmp_path: Path) -> None:
    base, layers = sources[False], keras.layers
    x = layers.GlobalAveragePooling2D(keepdims=True)(base.output)
    ten = keras.Model(base.input, layers.Conv2D(10, 1, name="conv_preds")(x))
    ten.save_weights(tmp_path / "w.weights.h5")
    assert refusal(target(True), tmp_path / "w.weights.h5") == (
        f"{tmp_path}/w.weights.h5 does not fit copy_1: the layer 'conv_preds' has the shape "
        "(1, 1, 256, 10), (10) in the file and (1, 1, 256, 1000), (1000) in the network. The "
        "file's top gives 10 classes, the network's 1,000."
    )


@pytest.mark.parametrize("kind", TWO)
def test_a_network_is_not_loaded_with_the_first_layers_of_a_deeper_one(
    saved: Saved, kind: str
) -> None:
    whole = target(False)
    part = keras.Model(whole.input, whole.get_layer("conv_pw_11_relu").output, name="part")
    file = saved(kind, False)
    assert refusal(part, file).startswith(
        f"{file} does not fit part: it has 8 layers with weights more than the network's 46, such "
        "as 'conv_"
    )


def test_a_file_of_numbers_that_are_no_layers_is_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["numbers"] = np.zeros(3)
    assert refusal(target(False), tmp_path / "w.h5") == (
        f"{tmp_path}/w.h5 does not fit copy_1: it holds no weights of layers."
    )


def test_a_file_that_broke_off_is_refused(sources: dict[bool, Any], tmp_path: Path) -> None:
    file = tmp_path / "w.weights.h5"
    sources[False].save_weights(file)
    file.write_bytes(file.read_bytes()[:100_000])
    assert refusal(target(False), file).startswith(f"{file} cannot be read: ")


def test_an_archive_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert refusal(target(False), tmp_path / "w.keras") == (
        f"{tmp_path}/w.keras is no .keras file: there is no model.weights.h5 in it."
    )


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(1_000_000))
    assert refusal(target(False), tmp_path / "w.keras") == (
        f"{tmp_path}/w.keras is no .keras file: its weights are compressed."
    )


def test_links_to_other_files_are_not_followed(sources: dict[bool, Any], tmp_path: Path) -> None:
    import h5py

    legacy(sources[False], tmp_path / "other.h5")
    sources[False].save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5", "r+") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = h5py.ExternalLink("other.h5", "/conv1/conv1/kernel")
    assert "it has no weights for the layer 'conv1'" in refusal(
        target(False), tmp_path / "w.weights.h5"
    )


def test_nothing_in_a_saved_model_is_run(tmp_path: Path) -> None:
    """A model with Python code in it, which Keras refuses to load, is only read for its numbers."""
    base = scrambled(network(False))
    inputs = keras.Input(PIXELS)
    outputs = keras.layers.Lambda(lambda x: x * 2, output_shape=(1, 1, 256))(base(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "w.keras")
    with pytest.raises(ValueError, match="unsafe"):
        keras.models.load_model(tmp_path / "w.keras")
    found = target(False)
    load(found, tmp_path / "w.keras")
    assert agree(found, base)
