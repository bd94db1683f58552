"""Decoding and resizing."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.data import images
from tfpipe.data.images import decode, resize


def encoded(image: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, form)
    return file.getvalue()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


def test_an_image_of_the_right_size_is_left_alone(pixels: np.ndarray) -> None:
    decoded = decode(encoded(pixels), (12, 10, 3))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP"])
def test_every_format_and_any_size(pixels: np.ndarray, form: str) -> None:
    decoded = np.asarray(decode(encoded(pixels, form), (6, 8, 3)))
    assert decoded.shape == (6, 8, 3)
    assert decoded.dtype == np.uint8
    assert abs(float(decoded.mean()) - float(pixels.mean())) < 15


def test_grey_and_colour_become_what_is_asked_for(pixels: np.ndarray) -> None:
    assert decode(encoded(pixels), (12, 10, 1)).shape == (12, 10, 1)
    grey = decode(encoded(pixels[..., :1]), (12, 10, 3))
    np.testing.assert_array_equal(grey, np.repeat(pixels[..., :1], 3, axis=2))


def test_shrinking_averages() -> None:
    stripes = np.zeros((8, 8, 1), np.uint8)
    stripes[:, ::2] = 200
    small = np.asarray(resize(stripes, (4, 4)))
    assert small.dtype == np.uint8
    np.testing.assert_allclose(small[:, 1:-1], 100, atol=1)  # without antialiasing: 0 or 200


def test_a_constant_stays_one() -> None:
    grown = np.asarray(resize(np.full((3, 3, 1), 255, np.uint8), (7, 5)))
    np.testing.assert_array_equal(grown, np.full((7, 5, 1), 255))


def test_jpeg_is_decoded_as_other_libraries_do() -> None:
    """TensorFlow's default transform is off by several values; enough to change an answer."""
    smooth = np.linspace(0, 255, 24 * 20 * 3).reshape(24, 20, 3)
    noise = np.random.default_rng(0).normal(scale=40, size=smooth.shape)
    data = encoded((smooth + noise).clip(0, 255).astype(np.uint8), "JPEG")
    exact = np.asarray(Image.open(io.BytesIO(data)), int)
    decoded = images.pixels(tf.constant(data), 3).numpy().astype(int)
    assert abs(decoded - exact).max() <= 1
