"""Training on features computed once is training through the frozen base."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfpipe
from tfpipe.data import disk
from tfpipe.declare.loading import Loaded, load
from tfpipe.errors import CheckFailed, ModelError
from tfpipe.jobs.features import Extracted, assemble, extract, why_not
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
def loaded(file: Path) -> Loaded:
    return load(f"{file}::Whole")


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int]]:
    """How far the features were, each time that was said."""
    return []


@pytest.fixture(scope="module")
def extracted(loaded: Loaded, file: Path, told: list[tuple[int, int]]) -> Extracted:
    disk.folder.set(file.parent / "runs" / ".cache")
    return extract(loaded, None, Silent(), lambda *far: told.append(far))


@pytest.fixture(scope="module")
def through(loaded: Loaded, file: Path) -> Any:
    """The run through the base."""
    return tfpipe.run(loaded, root=file.parent / "through", test=False, export=False, quiet=True)


@pytest.fixture(scope="module")
def head(extracted: Extracted, file: Path) -> Any:
    """The run of the head on the features."""
    return tfpipe.run(extracted.loaded, root=file.parent, test=False, export=False, quiet=True)


def test_the_same_is_learnt_as_through_the_base(through: Any, head: Any) -> None:
    assert head.history == through.history
    assert head.history["val_accuracy"][-1] > 0.6, "it has learnt"
    for one, other in zip(
        head.model.trainable_weights, through.model.trainable_weights, strict=True
    ):
        assert np.allclose(one, other, atol=1e-6)


def test_base_and_head_together_are_the_model_that_was_trained_through_the_base(
    loaded: Loaded, extracted: Extracted, through: Any, head: Any, file: Path
) -> None:
    import keras

    whole = head.directory / "checkpoints" / "whole.keras"
    assemble(loaded, None, extracted.loaded, whole.with_name("best.keras"), whole)
    images = loaded.pipeline.data.load()[0].astype("float32")  # type: ignore[union-attr]
    best = keras.models.load_model(through.directory / "checkpoints" / "best.keras", compile=False)
    answers = keras.models.load_model(whole)(images)
    assert np.allclose(answers, best(images), atol=1e-4)
    assert not list(whole.parent.glob(".*keras")), "nothing half written is left"


def test_what_was_measured(extracted: Extracted, told: list[tuple[int, int]]) -> None:
    assert (extracted.parameters, extracted.trainable) == (220_627, 2_083)
    assert extracted.images == 57 + 15
    assert extracted.batch_seconds is not None
    assert 0 < extracted.batch_seconds < extracted.seconds
    assert told[0] == (8, 72)
    assert told[-1] == (72, 72)


def test_the_test_split_is_left_alone(extracted: Extracted) -> None:
    assert extracted.loaded.pipeline.spec().splits == {"train": 57, "validation": 15}


def test_features_are_used_again_and_made_anew_for_another_base(
    extracted: Extracted, file: Path
) -> None:
    def files(*overrides: str) -> tuple[dict[str, str], int]:
        told: list[int] = []
        found = extract(
            load(f"{file}::Whole", overrides), None, Silent(), lambda done, _: told.append(done)
        )
        return found.loaded.pipeline.data.files, len(told)  # type: ignore[union-attr]

    before = extracted.loaded.pipeline.data.files  # type: ignore[union-attr]
    # What comes after the base draws no random numbers before it.
    assert files("model.head=(16,)", "model.dropout=0.1") == (before, 0)
    other, computed = files("model.pooling=max")
    assert computed == 10
    assert not set(other.values()) & set(before.values())


def test_a_run_on_features_goes_on_exactly(extracted: Extracted, head: Any, file: Path) -> None:
    import keras

    class Killed(BaseException):
        """Stands for SIGKILL."""

    class Killer(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise Killed

    root = file.parent / "killed"
    with pytest.raises(Killed):
        tfpipe.run(
            extracted.loaded, root=root, test=False, export=False, quiet=True, extra=[Killer()]
        )
    (file.parent / "runs" / ".cache").rename(root / "runs" / ".cache")
    # From what its directory says alone, as a person would.
    resumed = tfpipe.resume("last", root=root, test=False, export=False, quiet=True)
    (root / "runs" / ".cache").rename(file.parent / "runs" / ".cache")
    assert resumed.history == head.history
    for one, other in zip(resumed.model.weights, head.model.weights, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_a_head_that_belongs_to_another_base_is_noticed(
    extracted: Extracted, head: Any, file: Path
) -> None:
    disk.folder.set(file.parent / "runs" / ".cache")
    other = load(f"{file}::Whole", ["seed=1"])
    best = head.directory / "checkpoints" / "best.keras"
    with pytest.raises(CheckFailed) as failed:
        assemble(other, None, extracted.loaded, best, file.parent / "wrong.keras")
    assert str(failed.value).startswith(
        "The base and its trained head together answer otherwise than the head alone: logits "
        "differ by "
    )
    assert str(failed.value).endswith("The base, or the data, is no longer what it was.")
    assert not (file.parent / "wrong.keras").exists()


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
    assert why_not(load(f"{file}::{name}").pipeline) == REASONS[name]


def test_real_samples_are_looked_at_first(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfpipe.models import Application

    def refuse(self: Any, model: Any, spec: Any, features: Any) -> None:
        raise ModelError(f"{features.shape[0]} samples, the largest value {int(np.max(features))}")

    monkeypatch.setattr(Application, "check_samples", refuse)
    with pytest.raises(ModelError, match=r"^57 samples, the largest value 199$"):
        extract(loaded, None, Silent(), lambda *_: None)
