"""WhitenedCNN: what it is made of, what it whitens, and the views that it answers to."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import WhitenedCNN
from tfpipe.models.parameter_count import parameters, trainable_parameters
from tfpipe.models.whitened_cnn.layers import PartlyIdentity, Views

MakeSpec = Callable[..., ElementSpec]
MakeTraining = Callable[..., Training]

# Neighbours alike, as in photographs.
NOISE = np.random.default_rng(0).normal(size=(300, 13, 13, 3))
SMOOTH = sum(NOISE[:, y : y + 12, x : x + 12] for y in (0, 1) for x in (0, 1))
IMAGES = np.clip(SMOOTH * [20, 40, 10] + [90, 120, 150], 0, 255).astype(np.uint8)


def small(views: Any = "single") -> WhitenedCNN:
    return WhitenedCNN(widths=(8, 8), views=views)


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1)])
def test_the_network(spec_of: MakeSpec, shape: tuple[int, ...]) -> None:
    model = WhitenedCNN().build(spec_of(shape))
    filters = 2 * 4 * shape[2]
    kernels = [filters * 64, 64 * 64, 64 * 256, 256 * 256, 256 * 256, 256 * 256]
    trained = 9 * sum(kernels) + filters + 2 * (64 + 256 + 256) + 256 * 10
    assert trainable_parameters(model) == trained
    fixed = filters * 4 * shape[2] + 2 * 2 * (64 + 256 + 256)  # the kernel, and moving averages
    assert parameters(model) == trained + fixed
    sizes = [layer.output.shape[1] for layer in model.layers if "norm_" in layer.name]
    assert sizes == ([15, 15, 7, 7, 3, 3] if shape[0] == 32 else [13, 13, 6, 6, 3, 3])
    assert {layer.momentum for layer in model.layers if "norm_" in layer.name} == {0.6}


def test_what_the_first_layer_gives_is_white(spec_of: MakeSpec, training: MakeTraining) -> None:
    model = small().build(spec_of((12, 12, 3)), "auto", training(IMAGES, 50))
    normalised = keras.Model(model.input, model.get_layer("normalisation").output)(IMAGES)
    np.testing.assert_allclose(np.mean(normalised, axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(np.std(normalised, axis=(0, 1, 2)), 1, atol=1e-4)
    first = np.asarray(keras.Model(model.input, model.get_layer("whitening").output)(IMAGES))
    assert first.shape == (300, 11, 11, 24)
    np.testing.assert_allclose(first[..., :12], -first[..., 12:], atol=1e-4)
    rows = first[..., :12].reshape(-1, 12)
    products = rows.T @ rows / len(rows)
    np.testing.assert_allclose(products, np.eye(12), atol=0.02)
    kernel, bias = model.get_layer("whitening").kernel, model.get_layer("whitening").bias
    assert not kernel.trainable
    assert any(bias is weight for weight in model.trainable_variables)


def test_a_few_of_many_images_are_enough(spec_of: MakeSpec, training: MakeTraining) -> None:
    many = np.repeat(IMAGES, 50, axis=0)  # sorted, as folders of classes are
    spec = spec_of((12, 12, 3)).replace(splits={"train": len(many)})
    plain = spec_of((12, 12, 3))
    products = []
    for of, images in ((spec, many), (plain, IMAGES)):
        kernel = small().build(of, "auto", training(images, 64)).get_layer("whitening").kernel
        filters = np.reshape(kernel, (12, 24))  # whose signs may differ
        products.append(filters @ filters.T)
    np.testing.assert_allclose(*products, atol=0.05 * np.abs(products[1]).max())


def test_convolutions_begin_with_what_they_read() -> None:
    kernel = np.asarray(PartlyIdentity(seed=0)((3, 3, 4, 10)))
    images = np.random.default_rng(0).normal(size=(2, 5, 5, 4)).astype(np.float32)
    handed_on = keras.ops.conv(images, kernel, padding="same")
    np.testing.assert_allclose(handed_on[..., :4], images, atol=1e-6)
    rest = kernel[..., 4:]
    assert 0.9 / 6 < np.abs(rest).max() <= 1 / 6  # one over the square root of 36 inputs
    square = np.asarray(PartlyIdentity()((3, 3, 4, 4)))
    np.testing.assert_array_equal(square.sum(axis=(0, 1)), np.eye(4))


def test_answers_are_the_mean_over_views_and_training_sees_one(
    spec_of: MakeSpec, training: MakeTraining
) -> None:
    models = {}
    for views in ("single", "mirrored", "shifted"):
        keras.utils.set_random_seed(0)
        models[views] = small(views).build(spec_of((12, 12, 3)), "auto", training(IMAGES))
    x = IMAGES[:6].astype(np.float32)
    mirrored, frame = x[:, :, ::-1], np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], "reflect")
    single = models["single"]
    of_both = (single(x) + single(mirrored)) / 2
    np.testing.assert_allclose(models["mirrored"](x), of_both, atol=1e-5)
    moved = [frame[:, y : y + 12, y : y + 12] for y in (0, 2)]
    of_moved = sum(single(m) + single(m[:, :, ::-1]) for m in moved) / 4
    np.testing.assert_allclose(models["shifted"](x), (of_both + of_moved) / 2, atol=1e-5)
    for views in ("mirrored", "shifted"):
        trained = models[views](x, training=True)
        np.testing.assert_allclose(trained, single(x, training=True), atol=1e-4)


def test_a_model_that_sees_views_tells_of_its_own_image_alone(spec_of: MakeSpec) -> None:
    from tfpipe.evaluation.explain.grad_cam import grad_cam

    model = small("mirrored").build(spec_of((12, 12, 3)))
    maps = grad_cam(model, IMAGES[:3].astype(np.float32), np.zeros(3, np.int64))
    assert maps is not None
    assert len(maps) == 3


def test_views_of_images() -> None:
    images = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    seen = np.asarray(Views("shifted")(images))[..., 0]
    np.testing.assert_array_equal(seen[0], images[0, ..., 0])
    np.testing.assert_array_equal(seen[1], images[0, :, ::-1, 0])
    np.testing.assert_array_equal(seen[2][:2, :3], images[0, 1:, 1:, 0])
    np.testing.assert_array_equal(seen[4][1:, 1:], images[0, :2, :3, 0])
    np.testing.assert_array_equal(np.asarray(Views("shifted")(images, training=True)), images)


LOAD = """
import sys
from pathlib import Path
import numpy as np
from tfpipe.jobs.predict.best_model import load_model
folder = Path(sys.argv[1])
np.save(folder / "found.npy", load_model(folder / "best.keras", None)(np.load(folder / "x.npy")))
"""


def test_a_saved_model_answers_the_same_in_another_process(
    spec_of: MakeSpec, training: MakeTraining, tmp_path: Path
) -> None:
    model = small("mirrored").build(spec_of((12, 12, 3)), "auto", training(IMAGES))
    x = IMAGES[:4].astype(np.float32)
    model.save(tmp_path / "best.keras")
    np.save(tmp_path / "x.npy", x)
    subprocess.run([sys.executable, "-c", LOAD, str(tmp_path)], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), model(x), atol=1e-6)


def test_an_activation_by_name(spec_of: MakeSpec) -> None:
    model = small().replace(activation="relu").build(spec_of())
    assert not [layer for layer in model.layers if type(layer).__name__ == "Gelu"]
    assert [i.activation.__name__ for i in model.layers if hasattr(i, "activation")].count(
        "relu"
    ) == 5


def test_what_is_refused(spec_of: MakeSpec) -> None:
    with pytest.raises(ConfigError) as config:
        WhitenedCNN(widths=())
    assert str(config.value) == ("WhitenedCNN.widths is empty: give the filters of each stage.")
    with pytest.raises(ModelError) as model:
        WhitenedCNN().build(spec_of((8, 32, 3)))
    assert str(model.value) == (
        "WhitenedCNN(widths=(64, 256, 256)) halves the image 3 times and needs at least 9x9 "
        "pixels, got 8x32. Use fewer widths."
    )
