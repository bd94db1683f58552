"""Losses that compare images: by structure, and by what a network makes of them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity

from tfpipe.errors import ModelError
from tfpipe.losses import Perceptual, Structure
from tfpipe.models import FeatureExtractor


def two_images(side: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 1, side, side, 3)).astype(np.float32)


def test_structure_is_one_less_the_similarity() -> None:
    true, made = two_images()
    alike = structural_similarity(
        true[0],
        made[0],
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1][5:-5, 5:-5].mean()
    away = np.abs(true - made).mean() / 255
    expected = 0.84 * (1 - alike) + 0.16 * away
    assert float(Structure()(true, made)) == pytest.approx(expected, abs=1e-4)
    assert float(Structure(absolute=0.0)(true, true)) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ValueError, match="should be a share from 0 to 1"):
        Structure(absolute=2.0)


@pytest.fixture(scope="module")
def vgg19(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """The network with weights of its own, and the file of them, as Keras publishes such."""
    keras.utils.set_random_seed(0)
    network = keras.applications.VGG19(weights=None, include_top=False)
    file = tmp_path_factory.mktemp("vgg") / "vgg19_notop.weights.h5"
    network.save_weights(file)
    return network, file


def test_the_published_perceptual_loss_by_a_file_of_weights(vgg19: Any) -> None:
    network, file = vgg19
    true, made = two_images(32)
    features = FeatureExtractor("VGG19", ("block5_conv4",), str(file), activated=False)
    last = network.get_layer("block5_conv4")
    before = keras.Model(network.input, last.input)

    def seen(images: np.ndarray) -> np.ndarray:
        x = before(keras.applications.vgg19.preprocess_input(images.copy()))
        return np.asarray(tf.nn.conv2d(x, last.kernel, 1, "SAME") + last.bias)

    expected = ((seen(true) - seen(made)) ** 2).mean() / 12.75**2
    assert (seen(true) < 0).any()  # so it is before the activation
    assert float(Perceptual(features)(true, made)) == pytest.approx(expected, rel=1e-4)
    assert float(Perceptual(features)(true, true)) == 0.0


def test_layers_that_are_not_there_are_suggested(tmp_path: Path) -> None:
    features = FeatureExtractor("VGG16", ("block5_conv9",), None)
    with pytest.raises(ModelError, match=r"VGG16 has no layer 'block5_conv9'. Did you mean 'bloc"):
        features.build()
    features = FeatureExtractor("VGG16", ("block1_pool",), None, activated=False)
    with pytest.raises(ModelError, match=r"'block1_pool' of VGG16 has no activation"):
        features.build()
    grey = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="first")])
    grey.save(tmp_path / "grey.keras")
    with pytest.raises(ModelError, match="should read colour images"):
        FeatureExtractor(str(tmp_path / "grey.keras"), ("first",)).build()
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be loaded"):
        FeatureExtractor(str(tmp_path / "broken.keras"), ("first",)).build()
    with pytest.raises(ModelError, match="there is no such file"):
        FeatureExtractor(str(tmp_path / "gone.keras"), ("first",)).fetch()
