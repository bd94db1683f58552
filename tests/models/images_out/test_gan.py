"""Two networks that are trained against each other."""

import io
import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfpipe as tfp
from tfpipe import FineTune, Phase, Pipeline, deferred
from tfpipe import keras as keras_
from tfpipe.data import ImagePairs
from tfpipe.data.sources.images.image_pairs import sample_image_pairs_of
from tfpipe.errors import ConfigError, ModelError, TrainingError
from tfpipe.models import GAN, MLP, Discriminator, FeatureExtractor, SRResNet
from tfpipe.verbs.predict import predict

losses = deferred("tfpipe.losses")
optimizers = deferred("tfpipe.optimizers")


class Rivals(Pipeline):
    data = sample_image_pairs_of(ImagePairs("photos", shrink=2, crop=16, crops=2), 12, 0)
    model = GAN(SRResNet(scale=2, blocks=1, filters=8), Discriminator((8, 16), dense=8))
    optimizer = keras_.optimizers.Adam(1e-3)
    fine_tune = FineTune(
        phases=(
            Phase(epochs=1, loss="mse", pretrain=True),
            Phase(
                epochs=2,
                optimizer=keras_.optimizers.Adam(1e-4),
                loss=losses.Perceptual(FeatureExtractor("VGG16", ("block1_conv2",), None)),
            ),
        )
    )
    batch_size = 4
    steps_per_epoch = 3


def watched(callback: keras.callbacks.Callback) -> Pipeline:
    """The same with a callback of one's own, and a state after each step."""

    class Watched(Rivals):
        def build_callbacks(self) -> list[keras.callbacks.Callback]:
            return [*super().build_callbacks(), callback]

    return Watched(checkpoint_every=1)


def state_of(run: Path) -> dict[str, np.ndarray]:
    state = sorted((run / "checkpoints").glob("state-*"))[-1]
    named = json.loads((state / "state.json").read_text())["variables"]
    arrays = np.load(io.BytesIO((state / "arrays.npz").read_bytes()))
    return {f"{int(n)} {named[int(n)]['path']}": arrays[n] for n in arrays}


def test_the_published_discriminator_has_23_569_217_parameters() -> None:
    assert Discriminator().build(96, 3).count_params() == 23_569_217


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    root = tmp_path_factory.mktemp("gan")
    return tfp.run(Rivals(), root=root, quiet=True), root


def test_both_are_trained_and_the_generator_is_exported(trained: Any) -> None:
    run, root = trained
    rows = [line.split(",") for line in (run.directory / "metrics.csv").read_text().splitlines()]
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["discriminator_loss"] == "" for row in table] == [True, False, False]
    for name in ("adversarial_loss", "discriminator_loss", "loss"):
        assert table[1][name] != table[2][name]
    assert not any(name.startswith("val_disc") for name in rows[0])
    assert run.model.layers[0].name == "image"
    best = keras.models.load_model(run.directory / "checkpoints" / "best.keras")
    assert best.count_params() == run.model.count_params() < 10_000
    images = [np.zeros((1, 8, 9, 3), np.uint8)]
    assert best(images[0]).shape == (1, 16, 18, 3)
    assert len(run.exported) == 1
    # Of both phases the epoch with the least loss is one of the first, which is another loss.
    report = json.loads((run.directory / "report" / "report.json").read_text())
    assert "discriminator" not in json.dumps(report["network"])
    photo = root / "photo.png"
    keras.utils.save_img(photo, np.zeros((9, 8, 3)), scale=False)
    (answer,) = predict(run.name, [str(photo)], root=root)
    assert answer.answer.shape == (18, 16, 3)


def test_it_is_resumed_bit_for_bit_from_either_phase(trained: Any, tmp_path: Path) -> None:
    whole, _ = trained
    for place, (epochs, steps) in enumerate(((0, 2), (1, 2))):

        class Stop(keras.callbacks.Callback):
            def __init__(self, epoch: int, step: int) -> None:
                super().__init__()
                self._at, self._epoch = (epoch, step), -1

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self._epoch = epoch

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                if (self._epoch, batch) == self._at:
                    raise RuntimeError("stopped here")

        root = tmp_path / str(place)
        stopped = watched(Stop(epochs, steps - 1))
        with pytest.raises(Exception, match="stopped here"):
            tfp.run(stopped, root=root, quiet=True)
        run = tfp.resume("last", pipeline=Rivals(), root=root, quiet=True, export=False)
        first, second = state_of(whole.directory), state_of(run.directory)
        assert first.keys() == second.keys()
        assert [n for n in first if not np.array_equal(first[n], second[n])] == []
        assert any("rival" in n or "adam_1" in n for n in first)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"model": GAN(SRResNet(scale=2, blocks=1, filters=8), Discriminator((8,) * 5))},
            ModelError,
            r"halves images 5 times, and the data has squares of 16 pixels",
        ),
        ({"model": GAN(MLP())}, ModelError, r"GAN.generator=MLP does not answer with an image"),
        (
            {"optimizer": optimizers.LBFGS(), "fine_tune": None},
            ConfigError,
            r"LBFGS is for models that paint a picture",
        ),
        (
            {"fine_tune": FineTune(phases=(Phase(epochs=1, unfreeze="all"),))},
            ModelError,
            r"Phase.unfreeze is for a pretrained base, and a GAN has none",
        ),
        (
            {"model": SRResNet(scale=2, blocks=1, filters=8)},
            ModelError,
            r"Phase.pretrain is for a GAN",
        ),
    ],
)
def test_what_does_not_fit_is_said(
    changes: dict[str, Any], error: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        tfp.run(Rivals(**changes), root=tmp_path, quiet=True)


def test_a_discriminator_without_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Discriminator.filters is empty"):
        Discriminator(())


def test_which_network_has_broken_is_said_and_the_state_before_is_kept(tmp_path: Path) -> None:
    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                kernel = self.model.discriminator.trainable_variables[0]
                kernel.assign(np.full(kernel.shape, math.nan))

    with pytest.raises(TrainingError, match=r"The discriminator's loss became nan in epoch 3"):
        tfp.run(watched(Break()), root=tmp_path, quiet=True)
    run = tfp.resume("last", pipeline=Rivals(), root=tmp_path, quiet=True, export=False)
    assert math.isfinite(run.history["loss"][-1])
