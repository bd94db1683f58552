"""Pictures that are painted: their losses, their octaves, and runs whose result they are."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe as tfp
from tfpipe import Pipeline, deferred
from tfpipe import keras as keras_
from tfpipe.data import Pictures
from tfpipe.data.images.sample_images import sample_images
from tfpipe.errors import ConfigError, DataError, Interrupted, ModelError, RunError
from tfpipe.models import DeepDream, HubStyle, StyleTransfer
from tfpipe.models.pictures.painted_dream import PaintedDream
from tfpipe.models.pictures.painted_style import PaintedStyle
from tfpipe.verbs.predict import predict

optimizers = deferred("tfpipe.optimizers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A content, a style, and a small network that was trained on nothing."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(("content", "style")):
        Image.fromarray(sample_images(1, 30, 3, number)[0][:24]).save(folder / f"{name}.png")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    ).save(folder / "network.keras")
    return folder


def painting(folder: Path, **changes: Any) -> Pipeline:
    network = str(folder / "network.keras")

    class Painting(Pipeline):
        data = Pictures(str(folder / "content.png"), style=str(folder / "style.png"))
        model = StyleTransfer(network, ("second",), ("first", "second"), variation_weight=1e-9)
        optimizer = optimizers.LBFGS(evaluations=5)
        batch_size = 1
        steps_per_epoch = 3
        epochs = 4
        checkpoint_every = 1

    return Painting(**changes)


def dreaming(folder: Path, **changes: Any) -> Pipeline:
    data = Pictures(str(folder / "content.png"))
    model = DeepDream(str(folder / "network.keras"), ("first", "second"), octaves=3)
    sgd = keras_.optimizers.SGD(2.0)
    return painting(folder, data=data, model=model, optimizer=sgd, epochs=3, **changes)


def with_callback(job: Pipeline, callback: keras.callbacks.Callback) -> Pipeline:
    """The same with a callback of one's own."""

    class Watched(type(job)):  # type: ignore[misc]
        def build_callbacks(self) -> list[keras.callbacks.Callback]:
            return [*super().build_callbacks(), callback]

    return Watched(**dict(job.items()))


def painted(run: Any) -> np.ndarray:
    return np.asarray(Image.open(run.directory / "picture.png").convert("RGB"))


def test_the_losses_of_style_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    picture, content, style = rng.uniform(0, 255, (3, 1, 4, 5, 3)).astype(np.float32)

    def extract(images: tf.Tensor) -> list[tf.Tensor]:
        return [images / 255.0, images[:, ::2, ::2] / 100.0]

    model = PaintedStyle((4, 5, 3), extract, 1, (2.0, 3.0, 0.5))
    found = model.losses_of({"content": content, "style": style}, tf.constant(picture))

    def gram(features: np.ndarray) -> np.ndarray:
        flat = features.reshape(-1, 3)
        return flat.T @ flat

    of_style = gram(picture[0, ::2, ::2] / 100) - gram(style[0, ::2, ::2] / 100)
    below = (picture[0, :-1, :-1] - picture[0, 1:, :-1]) ** 2
    right = (picture[0, :-1, :-1] - picture[0, :-1, 1:]) ** 2
    expected = {
        "content": 2.0 * ((picture / 255 - content / 255) ** 2).sum(),
        "style": 3.0 * (of_style**2).sum() / (4 * 3**2 * (4 * 5) ** 2),
        "variation": 0.5 * ((below + right) ** 1.25).sum(),
    }
    for term, value in expected.items():
        assert float(found[term]) == pytest.approx(value, rel=1e-4)


def test_a_dream_climbs_what_layers_answer_in_each_octave() -> None:
    content = sample_images(1, 20, 3, 0)
    model = PaintedDream((20, 20, 3), lambda image: [image[..., :1] / 255.0], 3, 1.5)
    model.compile(keras.optimizers.SGD(2.0), run_eagerly=True)
    model.begin(content, 0)
    assert model._painted().shape[1:3] == (13, 13)
    before = model._painted().numpy().copy()
    loss = float(model.train_step((content,))["loss"])
    assert loss == pytest.approx(-(before[..., 0] / 255).mean(), rel=1e-5)
    # A gradient that is alike everywhere, divided by its standard deviation over the channels.
    step = np.array([2.0 / np.std([1.0, 0.0, 0.0]), 0.0, 0.0])
    moved = np.clip(before + step, 0, 255)
    np.testing.assert_allclose(model._painted(), moved, rtol=1e-4)
    model.begin(content, 0)  # an epoch that is resumed goes on
    np.testing.assert_allclose(model._painted(), moved, rtol=1e-4)
    for epoch, side in ((1, 20), (2, 30)):
        model.begin(content, epoch)
        assert model._painted().shape[1:3] == (side, side)
    assert model.result().shape == (20, 20, 3)


@pytest.mark.parametrize("job", [painting, dreaming])
def test_a_picture_is_painted_and_resumed_bit_for_bit(
    job: Any, folder: Path, tmp_path: Any
) -> None:
    whole = tfp.run(job(folder), root=tmp_path / "whole", quiet=True)
    assert whole.exported == []
    epochs = len(whole.history["loss"])
    assert whole.history["loss"][-1] < whole.history["loss"][0]
    names = [f"epoch_{epoch + 1:04d}.png" for epoch in range(epochs)]
    assert [p.name for p in sorted((whole.directory / "pictures").iterdir())] == names
    assert not (whole.directory / "checkpoints" / "best.keras").exists()
    first, *_, last = (np.asarray(Image.open(whole.directory / "pictures" / n)) for n in names)
    np.testing.assert_array_equal(last, painted(whole))
    assert (first != last).any()

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if int(self.model.begun) == 2 and batch == 1:
                raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        tfp.run(with_callback(job(folder), Stop()), root=tmp_path / "part", quiet=True)
    resumed = tfp.resume("last", pipeline=job(folder), root=tmp_path / "part", quiet=True)
    np.testing.assert_array_equal(painted(resumed), painted(whole))
    assert resumed.history["loss"] == whole.history["loss"]


def test_a_run_of_a_picture_shows_it_and_answers_nothing(folder: Path, tmp_path: Any) -> None:
    run = tfp.run(painting(folder, epochs=2), root=tmp_path, quiet=True)
    page = (run.directory / "report" / "report.html").read_text()
    assert "The picture" in page
    assert page.count("data:image/png") == 2
    report = json.loads((run.directory / "report" / "report.json").read_text())
    assert report["verdict"][0].startswith("The loss was ")
    with pytest.raises(RunError, match=r"painted a picture, .*picture.png, and has no model"):
        predict(run.name, [str(folder / "content.png")], root=tmp_path)
    with pytest.raises(RunError, match="painted a picture"):
        tfp.export(run.name, root=tmp_path)


def save_painter(path: Path, inputs: int) -> None:
    """A module that paints the mean of its images."""

    class Painter(tf.Module):
        @tf.function
        def paint(self, **images: tf.Tensor) -> dict[str, tf.Tensor]:
            means = [tf.reduce_mean(i, [1, 2], keepdims=True) for i in images.values()]
            content = images["placeholder"]
            return {"output_0": 0.5 * content + 0.5 * means[-1]}

    names = ("placeholder", "placeholder_1")[:inputs]
    specs = {name: tf.TensorSpec([None, None, None, 3], tf.float32, name) for name in names}
    painter = Painter()
    signature = painter.paint.get_concrete_function(**specs)
    tf.saved_model.save(painter, str(path), {"serving_default": signature})


def test_a_module_paints_in_one_step(folder: Path, tmp_path: Any) -> None:
    save_painter(tmp_path / "painter", 2)
    model = HubStyle(str(tmp_path / "painter"), style_size=16)
    adam = keras_.optimizers.Adam()
    job = painting(folder, model=model, optimizer=adam, epochs=1, steps_per_epoch=1)
    run = tfp.run(job, root=tmp_path, quiet=True)
    content, style = (
        np.asarray(Image.open(folder / f"{name}.png")).astype(np.float32)
        for name in ("content", "style")
    )
    expected = 0.5 * content + 0.5 * style.mean((0, 1))
    assert np.abs(painted(run).astype(np.float32) - expected).max() < 2
    save_painter(tmp_path / "single", 1)
    with pytest.raises(ModelError, match=r"takes two images, .* takes placeholder float32"):
        tfp.run(job.replace(model=HubStyle(str(tmp_path / "single"))), root=tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"model": {"style": ("frist",)}},
            ModelError,
            r"has no layer 'frist'. Did you mean 'first'\?",
        ),
        ({"model": {"network": "gone.keras"}}, ModelError, "gone.keras: there is no such file"),
        ({"data": {"content": "gone.jpg"}}, DataError, r"gone.jpg cannot be read: No such file"),
        ({"optimizer": {"gradient_accumulation_steps": 2}}, ConfigError, "takes whole steps"),
        ({"data": {"style": None}}, ModelError, r"StyleTransfer needs data.style=FILE, which is"),
    ],
)
def test_what_cannot_be_painted_is_said(
    changes: dict[str, Any], error: Any, message: str, folder: Path, tmp_path: Any
) -> None:
    job = painting(folder)
    for field, values in changes.items():
        job = job.replace(**{field: getattr(job, field).replace(**values)})
    with pytest.raises(error, match=message):
        tfp.run(job, root=tmp_path, quiet=True)
