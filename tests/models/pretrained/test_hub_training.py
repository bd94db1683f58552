"""Modules of TF-Hub through whole runs: fine-tuned, killed and resumed, saved and exported."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hub_modules
import keras
import numpy as np
import pytest
import tensorflow as tf
from killing import KillAt, assert_equal, killed, outcome, resumed, run, weights
from PIL import Image

import tfpipe
from tfpipe import FineTune, Phase, Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.evaluation.predict import answers
from tfpipe.exports.saved_model import Served
from tfpipe.models import Hub
from tfpipe.models.base import base_of
from tfpipe.models.pretrained import hub_handle

CLASSES = ("dark", "grey", "bright")


def images() -> Any:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.integers(0, 120, (60, 12, 12, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y


def texts() -> Any:
    y = np.arange(40) % 2
    return np.array(["a bad film", "a good film"])[y], y


class Tuned(Pipeline):
    """The head first, then the module too: 4 steps an epoch, with states in between."""

    data = Arrays(images, validation=0.2, test=0.2, classes=CLASSES)
    augment = (augment.flip(),)
    optimizer = tfpipe.keras.optimizers.SGD(learning_rate=0.03, momentum=0.9)
    fine_tune = FineTune(phases=(Phase(1), Phase(2, unfreeze="all")))
    batch_size = 10
    checkpoint_every = 2


class Texts(Pipeline):
    data = Arrays(texts, validation=0.2, test=0.2, classes=("bad", "good"))
    optimizer = tfpipe.keras.optimizers.Adam(learning_rate=0.1)
    batch_size = 8
    epochs = 4


class Run:
    """A finished run on an archive, whose module is gone since."""

    def __init__(self, folder: Path) -> None:
        module = hub_modules.images(folder / "module")
        archive = hub_modules.packed(module, folder / "module.tar.gz")
        self.before = tf.saved_model.load(str(module))
        self.done = tfpipe.run(
            Tuned(model=Hub(str(archive), head=(8,), dropout=0.2)), root=folder, quiet=True
        )
        self.best = keras.models.load_model(self.done.directory / "checkpoints" / "best.keras")
        self.done.model.save(folder / "last.keras")
        self.last = keras.models.load_model(folder / "last.keras")
        for path in (module, folder / "cache"):
            shutil.rmtree(path)
        archive.unlink()


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFHUB_CACHE_DIR", str(folder / "cache"))
        yield Run(folder)


def test_an_archive_is_fine_tuned_in_phases(tuned: Run) -> None:
    kernel, mean = base_of(tuned.done.model).get_weights()
    assert np.abs(kernel - tuned.before.kernel.numpy()).max() > 1e-3
    assert np.abs(mean - tuned.before.mean.numpy()).max() > 1e-3
    alone, first, second = tuned.done.history["loss"]  # the head's, and the whole model's
    assert (second < first, np.isfinite(alone)) == (True, True)


def test_a_saved_model_answers_as_the_trained_one(tuned: Run) -> None:
    x = images()[0]
    np.testing.assert_array_equal(tuned.last(x), tuned.done.model(x))
    assert [w.path for w in tuned.best.weights] == [w.path for w in tuned.done.model.weights]
    logits = tuned.done.evaluate("validation")  # the run's own, of its last epoch
    assert logits["loss"] == pytest.approx(tuned.done.history["val_loss"][-1], rel=1e-5)


def asked(folder: Path, name: str, samples: Any) -> np.ndarray:
    """The probabilities that an export gives."""
    loaded = tf.saved_model.load(str(folder))
    found = loaded.signatures["serving_default"](**{name: tf.constant(samples)})
    return np.asarray(found["probabilities"])


def test_the_export_needs_no_module(tuned: Run) -> None:
    x = images()[0][:4]
    found = asked(tuned.done.exported[0], "image", x)
    head = tuned.done._prepared.compiled.task
    np.testing.assert_allclose(found, answers(tuned.done.model, head, x), atol=1e-6)


def test_the_export_says_what_the_module_expects(tuned: Run) -> None:
    told = json.loads((tuned.done.exported[0] / "assets" / "contract.json").read_text())
    handle = tuned.done._prepared.pipeline.model.handle
    assert told["pretrained"] == {
        "network": handle,
        "family": "TF-Hub",
        "size": [8, 8],
        "resize": "bilinear, antialiased where it shrinks, not rounded",
        "data": {"black": 0.0, "white": 255.0},
        "expects": {"black": 0.0, "white": 1.0, "in_words": "0..1"},
    }


def test_texts_are_learnt_and_an_export_brings_the_modules_words_along(tmp_path: Path) -> None:
    module = hub_modules.texts(tmp_path / "module")
    done = run(Texts(model=Hub(str(module), trainable=True)), tmp_path / "root")
    assert done.metrics["test"]["accuracy"] == 1.0
    prepared = done._prepared
    served = Served(done.model, prepared.compiled.task, prepared.spec)
    tf.saved_model.save(served, str(tmp_path / "export"), signatures=served.signatures())
    shutil.rmtree(module)
    (tmp_path / "module_words.txt").unlink()
    asked_of = np.array(["a bad film", "a good film"])
    found = asked(tmp_path / "export", "text", asked_of)
    np.testing.assert_allclose(
        found[:, 1:], answers(done.model, prepared.compiled.task, tf.constant(asked_of)), atol=1e-6
    )
    assert found.argmax(-1).tolist() == [0, 1]


def test_killed_inside_the_phase_that_trains_it_ends_as_the_straight_run(tmp_path: Path) -> None:
    module = hub_modules.images(tmp_path / "module")
    pipeline = Tuned(model=Hub(str(module), dropout=0.2))
    straight = run(pipeline, tmp_path / "straight")
    killed(pipeline, tmp_path / "killed", KillAt(1, 3))
    result = resumed(pipeline, tmp_path / "killed")
    assert_equal(result.directory, outcome(straight.directory))
    assert weights(result) == weights(straight)
    plain = tf.saved_model.load(str(module))
    assert not np.array_equal(base_of(result.model).get_weights()[0], plain.kernel.numpy())


TESTS = Path(__file__).parents[2]
MOBILENET = TESTS.parent / "pipelines" / "mobilenet_hub.py"


def test_a_classifier_names_what_is_in_pictures_without_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tfpipe: Callable[..., Any]
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    module = hub_modules.classifier(tmp_path / "module")
    archive = hub_modules.packed(module, tmp_path / "module.tar.gz")
    for name, shade in (("black", 0), ("white", 255)):
        Image.new("RGB", (30, 40), (shade,) * 3).save(tmp_path / f"{name}.png")
    pictures = (tmp_path / "black.png", tmp_path / "white.png")
    answer = tfpipe("predict", MOBILENET, f"model.handle={archive}", *pictures, "--json")
    assert answer.code == 0, answer.err
    best = [found["classes"][0] for found in json.loads(answer.out)]
    assert [found["class"] for found in best] == ["background", "toilet tissue"]
    assert all(0.3 < found["probability"] <= 1.0 for found in best)


def test_a_module_that_cannot_be_fetched_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tfpipe: Callable[..., Any]
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(hub_handle, "_unreachable", lambda address: "no answer within 12 s")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    answer = tfpipe("predict", MOBILENET, tmp_path / "photo.png")
    handle = "https://tfhub.dev/google/tf2-preview/mobilenet_v2/classification/4"
    archive = tmp_path / "cache" / "426589ad685896ab7954855255a52db3442cb38d.tar.gz"
    assert answer.code == 2
    assert answer.err == (
        f"Error: The TF-Hub module {handle} is not in {tmp_path / 'cache'}, and could not be "
        f"fetched: no answer within 12 s.\nFetch {handle}?tf-hub-format=compressed, on another "
        f"machine if need be, and save it as {archive}. Or give its path, or that of its unpacked "
        "folder, as the handle.\n"
    )


class Spread(Tuned):
    """What two devices can share exactly: nothing is dropped, and each half is a whole one."""

    augment = ()
    fine_tune = None
    batch_size = 12
    drop_remainder = True
    epochs = 1


def spread(handle: str, device: str, root: str) -> list[Any]:
    """The weights after training on a device."""
    pipeline = Spread(model=Hub(handle, trainable=True), device=device)
    done = tfpipe.run(pipeline, root=root, quiet=True, export=False)
    return [weight.tolist() for weight in done.model.get_weights()]


ON_TWO = """
import json, sys
root, still, moving, *folders = sys.argv[1:]
sys.path[:0] = folders
from test_hub_training import spread
from tfpipe.errors import ModelError

found = {"weights": spread(still, "cpu:2", root)}
try:
    spread(moving, "cpu:2", root)
except ModelError as error:
    found["error"] = str(error)
print(json.dumps(found))
"""


@pytest.mark.slow
def test_two_replicas_train_as_one_does_or_say_why_not(
    tmp_path: Path, python: Callable[..., Any]
) -> None:
    still = hub_modules.images(tmp_path / "still", moves=False)
    moving = hub_modules.images(tmp_path / "moving")
    here = Path(__file__).parent
    answer = python("-c", ON_TWO, tmp_path / "two", still, moving, here, TESTS).end()
    assert answer.code == 0, answer.err
    two = json.loads(answer.out)
    one = spread(str(still), "cpu", str(tmp_path / "one"))
    for a, b in zip(one, two["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert two["error"] == (
        f"{moving} moves statistics while it is trained, such as those of batch normalisation, and "
        "each of the 2 replicas would keep its own. Train it on one device, or freeze it with "
        "trainable=False."
    )
