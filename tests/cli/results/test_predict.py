"""`tfpipe predict`: what is in pictures, by a pretrained network or by a run's model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data.images import imagenet
from tfpipe.data.images.decoding import decode
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import DataError
from tfpipe.jobs.predict.answering import TrainedModel
from tfpipe.jobs.predict.images import check_images
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.tasks import task_for
from tfpipe.verbs.predict import predict

INCEPTION = Path(__file__).parents[3] / "pipelines" / "inception_predict.py"
# The shipped declaration with a network small enough for a test, at its own size.
SMALL = ("model=MobileNet(head='imagenet', alpha=0.25, size=(32, 32))", "data=ImageFiles((32, 32))")
PIXELS = (32, 32, 3)


def picture(seed: int, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    """Noise of a few colours, in which no two pictures are alike."""
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.integers(0, 256, (2, 3)), axis=0)
    return rng.integers(low, high + 1, (*size, 3)).astype(np.uint8)


def write(path: Path, seed: int, size: tuple[int, int] = (32, 32)) -> Path:
    """A picture as a file, PNG or JPEG by its name."""
    encode = tf.io.encode_png if path.suffix == ".png" else tf.io.encode_jpeg
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(picture(seed, size)).numpy())
    return path


@pytest.fixture(scope="module")
def network() -> Any:
    """A MobileNet with its top and random weights, by which pictures differ in their classes."""
    keras.utils.set_random_seed(5)
    model = keras.applications.MobileNet(PIXELS, 0.25, weights=None, classifier_activation=None)
    images = np.float32([picture(seed) for seed in range(8)])
    logits = np.asarray(model(keras.applications.mobilenet.preprocess_input(images)))
    # Around their mean, and so far apart that some classes are likely.
    factor = 4.0 / logits.std(axis=0).mean()
    top = model.get_layer("conv_preds")
    top.kernel.assign(top.kernel * factor)
    top.bias.assign(-factor * logits.mean(axis=0))
    return model


@pytest.fixture(scope="module")
def weights(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network's weights as a file."""
    path = tmp_path_factory.mktemp("weights") / "m.weights.h5"
    network.save_weights(path)
    return path


@pytest.fixture
def ask(tfpipe: Any, weights: Path) -> Callable[..., Any]:
    """Calls `tfpipe predict` with the small network."""

    def call(*words: Any) -> Any:
        return tfpipe("predict", INCEPTION, *SMALL, f"model.weights={weights}", *words)

    return call


def by_keras(network: Any, path: Path, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    """The probabilities of a picture as plain Keras gives them."""
    image = tf.io.decode_image(path.read_bytes())
    scaled = keras.applications.mobilenet.preprocess_input(np.float32(image)[None])
    return np.asarray(tf.nn.softmax(network(scaled)))[0]


def test_the_answers_are_those_of_plain_keras(ask: Any, network: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", 1)
    (answer,) = json.loads(ask(path, "--json").out)
    expected = by_keras(network, path)
    best = np.argsort(expected)[::-1][:5]
    assert answer["file"] == str(path)
    assert [c["class"] for c in answer["classes"]] == [imagenet.classes()[i] for i in best]
    found = [c["probability"] for c in answer["classes"]]
    assert np.allclose(found, expected[best], rtol=1e-4)
    assert found[0] > 2 / 1000  # not what chance gives


def test_pictures_of_other_sizes_are_resized_to_cover_and_cut(
    ask: Any, network: Any, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", 2, (50, 90))
    (answer,) = json.loads(ask(path, "--json", "data.resize=(40, 40)", "--top", "1").out)
    feature = Feature("image", PIXELS, "uint8", "image", kept=(40, 40), resize=(40, 40))
    cut = write(tmp_path / "cut.png", 0)
    cut.write_bytes(tf.io.encode_png(decode(tf.constant(path.read_bytes()), feature)).numpy())
    expected = by_keras(network, cut)
    assert answer["classes"][0]["class"] == imagenet.classes()[int(np.argmax(expected))]
    assert answer["classes"][0]["probability"] == pytest.approx(float(expected.max()), rel=1e-4)


def test_published_weights_are_used_from_the_folder_of_keras(
    tfpipe: Any, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    published = tmp_path / "keras" / "models" / "mobilenet_2_5_224_tf.h5"
    published.write_bytes(weights.read_bytes())
    path = write(tmp_path / "a.png", 1)
    found = tfpipe("predict", INCEPTION, path, *SMALL, "--json")
    assert (found.code, found.err) == (0, "")
    own = tfpipe("predict", INCEPTION, path, *SMALL, f"model.weights={weights}", "--json")
    assert found.out == own.out


def test_files_and_folders_are_read_in_order(ask: Any, tmp_path: Path) -> None:
    write(tmp_path / "b" / "2.jpg", 1)
    write(tmp_path / "b" / "10.png", 2)
    write(tmp_path / "b" / "deep" / "1.png", 3)
    write(tmp_path / "b" / ".hidden.png", 4)
    (tmp_path / "b" / "notes.txt").write_text("no image")
    write(tmp_path / "z.png", 5)
    answer = ask("z.png", "b", "--json")
    assert [a["file"] for a in json.loads(answer.out)] == [
        "z.png",
        "b/2.jpg",
        "b/10.png",
        "b/deep/1.png",
    ]
    assert answer.err == "b: 2 files that are hidden or no images left out.\n"


def test_it_is_readable(ask: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.png", 1)
    write(tmp_path / "b.png", 2)
    answer = ask("a.png", "b.png", "--top", "2")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert [lines[0], lines[3], lines[4]] == ["a.png", "", "b.png"]
    assert len(lines) == 7
    for line in (*lines[1:3], *lines[5:7]):
        share, name = line[:8], line[10:]
        assert 0 < float(share.strip().removesuffix("%")) <= 100
        assert name in imagenet.classes()


def test_a_file_that_cannot_be_read_is_told_and_the_others_go_on(ask: Any, tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jpg", 1, (64, 64))
    (tmp_path / "b.jpg").write_bytes(whole.read_bytes()[:200])
    (tmp_path / "c.png").write_text("no picture")
    (tmp_path / "d.png").touch()
    write(tmp_path / "e.png", 2)
    answer = ask("a.jpg", "b.jpg", "c.png", "d.png", "e.png", "--json")
    assert answer.code == 1
    found = json.loads(answer.out)
    assert [a.get("error") for a in found] == [
        None,
        "is truncated or damaged (JPEG)",
        "is no JPEG, PNG, GIF, BMP, WebP, TIFF or AVIF image",
        "is empty",
        None,
    ]
    assert "3 of 5 files could not be read." in answer.err
    assert (
        "c.png  is no JPEG, PNG, GIF, BMP, WebP, TIFF or AVIF image\n" in ask("a.jpg", "c.png").out
    )


def test_any_number_of_files_is_read_in_parts(
    weights: Path, network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfpipe.jobs.predict.images._BATCH", 3)
    paths = [write(tmp_path / f"{i}.png", i) for i in range(8)]
    given = [*SMALL, f"model.weights={weights}"]
    found = predict(str(INCEPTION), [str(tmp_path)], overrides=given, top=1)
    assert [a.file for a in found] == [str(p) for p in paths]
    best = [imagenet.classes()[int(np.argmax(by_keras(network, p)))] for p in paths]
    assert len(set(best)) > 3
    assert [a.values[0][0] for a in found] == best


# What is refused


def test_overrides_and_paths_are_told_apart(ask: Any, tmp_path: Path) -> None:
    write(tmp_path / "epochs=3.png", 1)
    answer = ask("epochs=3.png", "--json")
    assert answer.code == 0
    assert [a["file"] for a in json.loads(answer.out)] == ["epochs=3.png"]
    assert ask("model.alhpa=3", "epochs=3.png").err == (
        "Error: model.alhpa=3: MobileNet has no field 'alhpa'. Did you mean 'alpha'?\n"
    )


def test_a_path_without_pictures_is_told_and_the_others_go_on(ask: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.png", 1)
    (tmp_path / "empty").mkdir()
    answer = ask("a.jpg", "empty", "b*.png", "a.png", "--json")
    assert answer.code == 1
    *wrong, right = json.loads(answer.out)
    assert wrong == [
        {"file": "a.jpg", "error": "is no file or folder. Did you mean 'a.png'?"},
        {
            "file": "empty",
            "error": "has no image in it; looked for jpg, jpeg, jpe, jfif, png, gif, bmp, webp, "
            "tif, tiff, avif.",
        },
        {"file": "b*.png", "error": "matches no file."},
    ]
    assert right["file"] == "a.png"


def test_where_nothing_is_there_no_model_is_loaded(
    ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "model", property(lambda self: pytest.fail("It is loaded.")))
    write(tmp_path / "a.png", 1)
    answer = ask("a.jpg")
    assert (answer.code, answer.err) == (1, "")
    assert answer.out == (
        "a.jpg  is no file or folder. Did you mean 'a.png'?\n1 of 1 files could not be read.\n"
    )


def test_overrides_alone_are_no_pictures(tfpipe: Any) -> None:
    answer = tfpipe("predict", INCEPTION, "batch_size=3")
    assert answer.code == 2
    assert (
        "Error: Give at least one file, folder, pattern, or - for standard input; or --prompt "
        "TEXT.\n" in answer.err
    )


def test_a_picture_in_place_of_the_model_is_told(tfpipe: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.png", 1)
    assert tfpipe("predict", "a.png", "a.png").err == (
        "Error: a.png is no pipeline file, run or SavedModel. Expected is tfpipe predict "
        "FILE|RUN|MODEL PATH..., such as tfpipe predict last a.png\n"
    )


RANDOM = """
from tfpipe import Pipeline
from tfpipe.data import ImageFiles
from tfpipe.models import MLP, MobileNet

class Random(Pipeline):
    data = ImageFiles(size=(32, 32))
    model = MobileNet(weights=None, head="imagenet", alpha=0.25, size=(32, 32))

class Headless(Random):
    model = MobileNet(weights=None, alpha=0.25)

class Untrained(Random):
    model = MLP()
"""


@pytest.fixture
def random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of declarations that would answer at random, beside a picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text(RANDOM)
    write(tmp_path / "a.png", 1)
    return Path("random.py")


@pytest.mark.parametrize("name", ["Headless", "Untrained"])
def test_a_model_that_must_be_trained_is_refused(tfpipe: Any, random: Path, name: str) -> None:
    answer = tfpipe("predict", f"{random}::{name}", "a.png")
    assert (answer.code, answer.err) == (
        2,
        "Error: random.py declares a model that must be trained first: now its answers would be "
        "random. Train it with tfpipe run random.py, then use tfpipe predict last PATH... A "
        "network that answers without training is declared with head='imagenet'.\n",
    )


def test_random_weights_are_refused_unless_a_person_asks_for_them(
    tfpipe: Any, random: Path
) -> None:
    answer = tfpipe("predict", f"{random}::Random", "a.png")
    assert (answer.code, answer.err) == (
        2,
        "Error: random.py declares weights=None, so its answers would be random. Declare "
        "weights='imagenet' or weights=PATH.\n",
    )
    answer = tfpipe("predict", f"{random}::Random", "a.png", "model.weights=None")
    assert answer.code == 0
    assert answer.out.startswith(
        "weights=None: the network is random, and these answers mean nothing.\na.png\n"
    )


def test_values_that_files_do_not_have_are_refused(ask: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.png", 1)
    answer = ask("a.png", "model.values=(0, 1)")
    assert answer.code == 2
    assert "MobileNet (family MobileNet) expects values of" in answer.err


@pytest.mark.parametrize("verb", ["run", "check"])
def test_there_is_nothing_to_train(tfpipe: Any, verb: str) -> None:
    answer = tfpipe(verb, INCEPTION)
    assert answer.code == 2
    assert "ImageFiles holds nothing to train on: its declaration only predicts. Use tfpipe " in (
        answer.err
    )


# Runs


@pytest.fixture
def trained(tfpipe: Any, small: Path, tmp_path: Path) -> Path:
    """A run on dark, grey and bright pictures, and a picture of each."""
    assert tfpipe("run", small, "epochs=4", "--no-export").code == 0
    for number, name in enumerate(("dark", "grey", "bright")):
        low = 60 * number
        pixels = np.random.default_rng(9).integers(low, low + 80, (8, 8, 3)).astype("uint8")
        (tmp_path / f"{name}.png").write_bytes(tf.io.encode_png(pixels).numpy())
    return small


def test_the_best_model_of_a_run_answers_with_its_own_classes(
    tfpipe: Any, trained: Path, tmp_path: Path
) -> None:
    answer = tfpipe("predict", "last", "dark.png", "bright.png", "--json")
    assert answer.code == 0
    (path,) = Path("runs").glob("*/*/checkpoints/best.keras")
    model = keras.models.load_model(path)
    for found in json.loads(answer.out):
        image = tf.io.decode_png((tmp_path / found["file"]).read_bytes())[None]
        expected = np.asarray(tf.nn.softmax(model(image, training=False)))[0]
        by_name = {c["class"]: c["probability"] for c in found["classes"]}
        assert set(by_name) == {"dark", "grey", "bright"}
        assert np.allclose([by_name[n] for n in ("dark", "grey", "bright")], expected, atol=1e-6)
        assert found["classes"][0]["probability"] == max(by_name.values())
    assert tfpipe("predict", "last", "dark.png", "epochs=3").err == (
        "Error: epochs=3: a trained model has its values already. Leave it out, or name a "
        "pipeline file.\n"
    )
    path.unlink()
    assert tfpipe("predict", "small", "dark.png").err == (
        f"Error: {path.parts[1]}/{path.parts[2]} has lost its best model: {path} is gone. Bring it "
        f"back from a backup, or train on with tfpipe resume {path.parts[1]}/{path.parts[2]}\n"
    )


OWN_LAYER = """
import keras as K

class Twice(K.layers.Layer):
    def call(self, x):
        return x * 2

class Own(Small):
    model = None

    def build_model(self):
        inputs = K.Input((8, 8, 3))
        x = K.layers.Flatten()(Twice()(K.layers.Rescaling(1 / 255)(inputs)))
        return K.Model(inputs, K.layers.Dense(3)(x))
"""


def test_a_model_with_layers_of_the_file_itself_is_loaded_with_them(
    tfpipe: Any, small: Path, tmp_path: Path
) -> None:
    small.write_text(small.read_text() + OWN_LAYER)
    assert tfpipe("run", f"{small}::Own", "epochs=1", "--no-export").code == 0
    write(tmp_path / "a.png", 1)
    answer = tfpipe("predict", "last", "a.png", "--json")
    assert answer.code == 0, answer.err
    small.write_text(small.read_text().replace("Twice", "Thrice"))
    answer = tfpipe("predict", "last", "a.png")
    assert answer.code == 2
    assert "best.keras cannot be loaded: " in answer.err
    assert answer.err.endswith(
        "\nDefine its layers in the pipeline's file, or in a module that it imports with "
        "@keras.saving.register_keras_serializable().\n"
    )


def test_a_run_on_generated_data_says_so(tfpipe: Any, small: Path, tmp_path: Path) -> None:
    assert tfpipe("run", small, "--sample", "64", "epochs=1", "--no-export").code == 0
    write(tmp_path / "a.png", 1)
    out = tfpipe("predict", "last", "a.png").out
    assert "was trained on generated data, and these answers mean nothing.\na.png\n" in out


def test_what_reads_no_picture_is_refused() -> None:
    columns = (Feature("x", (), "float32", "number"), Feature("y", (), "float32", "number"))
    with pytest.raises(DataError) as error:
        check_images(ElementSpec(columns, (Label("z", "real"),)), "linear/20261120-101502")
    assert str(error.value) == (
        "linear/20261120-101502 reads x (number, float32), y (number, float32); tfpipe predict "
        "gives it image files, or rows of CSV files."
    )


def ready(model: keras.Model, spec: ElementSpec) -> Predictor:
    task = task_for(spec)
    return Predictor("cats", lambda: TrainedModel(model, task, spec), task, spec)


def test_real_numbers_are_given_as_they_are(tmp_path: Path) -> None:
    image = Feature("image", (8, 8, 3), "uint8", "image")
    spec = ElementSpec((image,), (Label("weight", "real"),))
    inputs = keras.Input((8, 8, 3))
    layers = keras.layers
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling2D()(inputs)))
    found = ready(model, spec)
    path = write(tmp_path / "a.png", 1, (8, 8))
    (answer,) = found.answers([str(path)])
    expected = float(model(picture(1, (8, 8))[None])[0, 0])
    assert not found.has_probabilities
    assert answer.values == (("weight", pytest.approx(expected, rel=1e-5)),)


def test_two_classes_share_one(tmp_path: Path) -> None:
    image = Feature("image", (8, 8, 3), "uint8", "image")
    spec = ElementSpec((image,), (Label("animal", "class", (), ("cat", "dog")),))
    inputs = keras.Input((8, 8, 3))
    layers = keras.layers
    x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(x))
    found = ready(model, spec)
    (answer,) = found.answers([str(write(tmp_path / "a.png", 1, (8, 8)))])
    dog = 1 / (1 + np.exp(-picture(1, (8, 8)).mean(axis=(0, 1)).sum() / 255))
    assert answer.values == (
        ("dog", pytest.approx(dog, rel=1e-5)),
        ("cat", pytest.approx(1 - dog, rel=1e-5)),
    )
