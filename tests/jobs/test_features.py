"""Training on features computed once is training through the frozen base."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfpipe
from tfpipe.declare.loading import load
from tfpipe.errors import ConfigError
from tfpipe.models.pretrained.split_model import why_not_cached
from tfpipe.terminal import Silent

FILE = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays, augment
from tfpipe.models import Application
from tfpipe.declare.fine_tune import FineTune, Phase


def images():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.integers(0, 80, (90, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y, rng.uniform(0.5, 2, 90).astype("float32")


class Whole(Pipeline):
    data = Arrays(images, validation=0.2, test=0.2, classes=("dark", "grey", "bright"))
    model = Application(
        "MobileNet", weights="WEIGHTS", size=(32, 32), alpha=0.25, head=(8,), dropout=0.3, l2=0.01
    )
    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    class_weights = {"dark": 2.0}
    batch_size = 8
    epochs = 3


class Augmented(Whole):
    augment = (augment.flip(),)


class Trained(Whole):
    model = Application("MobileNet", weights=None, trainable=True)


class Phased(Whole):
    fine_tune = FineTune(phases=(Phase(epochs=3),))


class OwnInput(Whole):
    def input_fn(self, split):
        return super().input_fn(split)


class OwnModel(Whole):
    def build_model(self):
        return super().build_model()
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    weights = settled_weights(folder / "base.weights.h5")
    (folder / "whole.py").write_text(FILE.replace("WEIGHTS", str(weights)))
    return folder / "whole.py"


def settled_weights(file: Path) -> Path:
    """Random weights whose batch normalisation fits them: else the base answers almost nothing."""
    import keras

    keras.utils.set_random_seed(0)
    shape = (32, 32, 3)
    base = keras.applications.MobileNet(shape, 0.25, include_top=False, weights=None)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    base(np.random.default_rng(0).uniform(-1, 1, (64, *shape)), training=True)
    base.save_weights(file)
    return file


@pytest.fixture(scope="module")
def through(file: Path) -> Any:
    """The run through the base."""
    loaded = load(f"{file}::Whole")
    return tfpipe.run(loaded, root=file.parent / "through", quiet=True)


@pytest.fixture(scope="module")
def cached(file: Path) -> Any:
    """The run of the head on the features."""
    loaded = load(f"{file}::Whole", ["cache_features=true"])
    return tfpipe.run(loaded, root=file.parent / "cached", quiet=True)


def test_the_same_is_learnt_as_through_the_base(through: Any, cached: Any, file: Path) -> None:
    assert cached.history == through.history
    assert cached.history["val_accuracy"][-1] > 0.6, "it has learnt"
    assert cached.metrics["test"] == pytest.approx(through.metrics["test"], rel=1e-5)
    for one, other in zip(cached.model.weights, through.model.weights, strict=True):
        assert np.allclose(one, other, atol=1e-6)


def test_the_best_model_and_the_export_are_whole(through: Any, cached: Any, file: Path) -> None:
    import keras
    import tensorflow as tf

    images = load(f"{file}::Whole").pipeline.data.load()[0]  # type: ignore[union-attr]
    best, expected = (
        keras.models.load_model(run.directory / "checkpoints" / "best.keras", compile=False)
        for run in (cached, through)
    )
    assert np.allclose(best(images.astype("f4")), expected(images.astype("f4")), atol=1e-4)
    folder = cached.directory / "checkpoints"
    assert not list(folder.glob(".*keras")), "nothing half written is left"
    one, other = (
        tf.saved_model.load(str(run.exported[0])).signatures["serving_default"](
            image=tf.constant(images)
        )["probabilities"]
        for run in (cached, through)
    )
    assert np.allclose(one, other, atol=1e-5)


def test_what_it_cost_is_recorded(cached: Any) -> None:
    cost = json.loads((cached.directory / "features.json").read_text())
    assert cost["samples"] == 57 + 15, "and none of the test split"
    assert 0 < cost["batch_seconds"] < cost["seconds"]
    status = json.loads((cached.directory / "status.json").read_text())
    assert status["parameters"] == 220_627
    config = json.loads((cached.directory / "config.json").read_text())
    assert config["fields"]["cache_features"]["value"] is True


def test_features_are_used_again_and_made_anew_for_another_base(cached: Any, file: Path) -> None:
    told: list[int] = []

    class Counting(Silent):
        def features(self, done: int, total: int) -> None:
            told.append(done)

    def computed(*overrides: str) -> int:
        told.clear()
        words = ["cache_features=true", "epochs=1", *overrides]
        tfpipe.run(
            load(f"{file}::Whole", words),
            root=file.parent / "cached",
            test=False,
            export=False,
            terminal=Counting(),
        )
        return len(told)

    # What comes after the base draws no random numbers before it.
    assert computed("model.head=(16,)", "model.dropout=0.1") == 0
    assert computed("model.pooling=max") == 10
    assert told[-1] == 57 + 15


def test_a_run_on_features_goes_on_exactly(cached: Any, file: Path) -> None:
    import keras

    class Killed(BaseException):
        """Stands for SIGKILL."""

    class Killer(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise Killed

    root, words = file.parent / "killed", ["cache_features=true"]
    with pytest.raises(Killed):
        tfpipe.run(
            load(f"{file}::Whole", words),
            root=root,
            test=False,
            export=False,
            quiet=True,
            extra=[Killer()],
        )
    # From what its directory says alone, as a person would.
    resumed = tfpipe.resume("last", root=root, test=False, export=False, quiet=True)
    assert resumed.history == cached.history
    for one, other in zip(resumed.model.weights, cached.model.weights, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


REASONS = {
    "Whole": "",
    "Augmented": "augment changes the images of every epoch",
    "Trained": "the base is trained (model.trainable=true)",
    "Phased": "fine_tune has phases, which may train the base",
    "OwnInput": "input_fn makes the batches, and may make others every epoch",
    "OwnModel": "build_model makes the model",
}


@pytest.mark.parametrize("name", REASONS)
def test_when_features_cannot_be_computed_once(file: Path, name: str) -> None:
    loaded = load(f"{file}::{name}")
    assert why_not_cached(loaded.pipeline) == REASONS[name]
    if REASONS[name]:
        with pytest.raises(ConfigError) as refused:
            tfpipe.check(load(f"{file}::{name}", ["cache_features=true"]))
        assert str(refused.value) == (
            "cache_features=true computes once what the frozen base answers, and "
            f"{REASONS[name]}. Leave it out."
        )
