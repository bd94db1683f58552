"""Decoding and resizing."""

import io
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.data.images import decoding as images
from tfpipe.data.images.decoding import decode, resize, seen, stored
from tfpipe.data.images.sizes import check_sizes, covering
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError


def encoded(image: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, form)
    return file.getvalue()


def image(*shape: int, **sizes: Any) -> Feature:
    return Feature("image", shape, "uint8", "image", **sizes)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


def test_an_image_of_the_right_size_is_left_alone(pixels: np.ndarray) -> None:
    decoded = decode(encoded(pixels), image(12, 10, 3))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP"])
def test_every_format_and_any_size(pixels: np.ndarray, form: str) -> None:
    decoded = np.asarray(decode(encoded(pixels, form), image(6, 8, 3)))
    assert decoded.shape == (6, 8, 3)
    assert decoded.dtype == np.uint8
    assert abs(float(decoded.mean()) - float(pixels.mean())) < 15


def test_grey_and_colour_become_what_is_asked_for(pixels: np.ndarray) -> None:
    assert decode(encoded(pixels), image(12, 10, 1)).shape == (12, 10, 1)
    grey = decode(encoded(pixels[..., :1]), image(12, 10, 3))
    np.testing.assert_array_equal(grey, np.repeat(pixels[..., :1], 3, axis=2))


def test_a_photograph_shows_nothing_through(pixels: np.ndarray) -> None:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG")
    feature = Feature("image", (*pixels.shape[:2], 4), "uint8", "image")
    decoded = decode(tf.constant(written.getvalue()), feature).numpy()
    assert (decoded[..., 3] == 255).all()
    colours = Feature("image", pixels.shape, "uint8", "image")
    plain = decode(tf.constant(written.getvalue()), colours)
    np.testing.assert_array_equal(decoded[..., :3], plain)


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


# Keeping the proportions


@pytest.mark.parametrize(
    ("size", "whole"),
    [
        ((375, 500), (256, 341)),
        ((500, 375), (341, 256)),
        ((64, 64), (256, 256)),
        ((256, 256), (256, 256)),
        ((1, 1000), (256, 256_000)),
        ((299, 300), (256, 257)),
    ],
)
def test_a_picture_keeps_its_proportions(size: tuple[int, int], whole: tuple[int, int]) -> None:
    assert covering(size, (256, 256)) == whole
    found = covering([tf.constant(s) for s in size], (256, 256), tf.maximum)
    assert tuple(int(f) for f in found) == whole


def centre(picture: Any, resized: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """A picture resized by TensorFlow, then cropped: what the one step must be equal to."""
    found = tf.image.resize(picture, resized, antialias=True).numpy().round()
    top, left = ((r - s) // 2 for r, s in zip(resized, size, strict=True))
    return np.asarray(found[top : top + size[0], left : left + size[1]]).astype(int)


@pytest.mark.parametrize(
    ("file", "resized"),
    [((20, 31), (16, 25)), ((31, 20), (25, 16)), ((7, 9), (16, 21)), ((16, 40), (16, 40))],
)
def test_a_file_is_resized_to_cover_and_its_centre_cut_out(
    file: tuple[int, int], resized: tuple[int, int]
) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*file, 3), np.uint8)
    wanted = image(11, 12, 3, kept=(16, 16), resize=(16, 16))
    held = centre(picture, resized, (16, 16))
    np.testing.assert_array_equal(stored(encoded(picture), wanted), held)
    np.testing.assert_array_equal(decode(encoded(picture), wanted), held[2:13, 2:14])


def test_the_middle_of_a_virtual_enlargement_is_cut_out() -> None:
    """Tiny ImageNet: held at 64x64, seen as the centre 299x299 of 342x342."""
    picture = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), np.uint8)
    wanted = image(299, 299, 3, kept=(64, 64), resize=(342, 342))
    found = np.asarray(seen(picture, wanted)).astype(int)
    for one, expected in zip(found, picture, strict=True):
        difference = abs(one - centre(expected, (342, 342), (299, 299)))
        assert difference.max() <= 1
        assert difference.mean() < 0.001  # values that lie halfway between two whole ones
    alone = np.asarray(decode(encoded(picture[0]), wanted))
    np.testing.assert_array_equal(alone, found[0])


def test_sizes_are_known_in_a_graph_and_batches_are_as_their_images() -> None:
    wanted = image(20, 18, 3, kept=(12, 10), resize=(30, 28))
    pictures = np.random.default_rng(3).integers(0, 256, (4, 12, 10, 3), np.uint8)
    dataset = tf.data.Dataset.from_tensors(pictures).map(lambda x: seen(x, wanted))
    assert dataset.element_spec == tf.TensorSpec((4, 20, 18, 3), tf.uint8)
    (batch,) = dataset.as_numpy_iterator()
    for one, picture in zip(batch, pictures, strict=True):
        np.testing.assert_array_equal(one, seen(picture, wanted))
    files = tf.data.Dataset.from_tensors(encoded(pictures[0])).map(lambda x: decode(x, wanted))
    assert files.element_spec == tf.TensorSpec((20, 18, 3), tf.uint8)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            (None, None, (64, 64)),
            "TFDS.kept=(64, 64) is the size at which pictures are held before they are resized, "
            "and there is no resize. Declare it too, or leave kept out.",
        ),
        (
            (None, (256, 256), None),
            "TFDS.resize=(256, 256) needs size=(height, width), which is cut out of the middle of "
            "the resized picture.",
        ),
        (
            ((224, 300), (256, 256), None),
            "TFDS.resize=(256, 256) is smaller than size=(224, 300), which is cut out of it. Give "
            "a resize of at least size.",
        ),
        (
            ((224, 224), (256, 256), (300, 300)),
            "TFDS.kept=(300, 300) is larger than resize=(256, 256): pictures are held at most as "
            "large as they are resized to. Leave kept out, which holds them at resize.",
        ),
    ],
)
def test_sizes_that_do_not_go_together(sizes: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_sizes("TFDS", *sizes)
    assert str(caught.value) == message
