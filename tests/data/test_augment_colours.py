"""Augmentations of colours, each against the standard library's colorsys or plain NumPy."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data import augment
from tfpipe.data.augment.base import Pixelwise
from tfpipe.data.augment.chain import apply_all


def noise(size: int = 8) -> np.ndarray:
    shape = (size, 6, 5, 3)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    images[0, 0] = [[0, 0, 0], [255, 255, 255], [90, 90, 90], [255, 0, 0], [0, 7, 7]]
    return images


def applied(part: Pixelwise, images: np.ndarray) -> np.ndarray:
    return np.asarray(apply_all((part,), images, tf.constant(0, tf.int64), [0, 0]))


def changed(part: Pixelwise, images: np.ndarray, draws: list[float]) -> np.ndarray:
    """Images changed by chosen draws instead of random ones."""
    return np.asarray(part.apply(tf.constant(images), tf.constant([draws] * len(images))))


def by_colorsys(images: np.ndarray, turn: float = 0.0, factor: float = 1.0) -> np.ndarray:
    """Every pixel's hue turned and saturation scaled."""
    found = np.empty_like(images)
    for place in np.ndindex(images.shape[:3]):
        hue, strength, value = colorsys.rgb_to_hsv(*images[place] / 255.0)
        changed = colorsys.hsv_to_rgb((hue + turn) % 1.0, min(1.0, strength * factor), value)
        found[place] = np.array(changed) * 255.0
    return found


def test_brightness_adds_one_number_to_an_image() -> None:
    images = np.full((500, 2, 2, 1), 100.0, np.float32)
    change = applied(augment.brightness(0.2), images)[:, 0, 0, 0] - 100
    assert -51 <= change.min() < -48
    assert 48 < change.max() <= 51
    np.testing.assert_allclose(changed(augment.brightness(0.2), images[:1], [1.0]), 151, atol=1e-3)
    np.testing.assert_array_equal(changed(augment.brightness(0.5), images[:1], [0.0]), 0)


def test_contrast_stretches_about_the_mean() -> None:
    images = noise() / 2 + 50
    mean = images.mean(axis=(1, 2), keepdims=True)
    part = augment.contrast(0.5, 1.5)
    for draw, factor in ((0.0, 0.5), (0.5, 1.0), (1.0, 1.5)):
        expected = np.clip(mean + (images - mean) * factor, 0, 255)
        np.testing.assert_allclose(changed(part, images, [draw]), expected, atol=1e-3)


@pytest.mark.parametrize(("draw", "factor"), [(0.0, 0.7), (0.5, 1.0), (1.0, 1.3)])
def test_saturation_scales_that_of_colorsys(draw: float, factor: float) -> None:
    found = changed(augment.saturation(0.7, 1.3), noise(), [draw])
    np.testing.assert_allclose(found, by_colorsys(noise(), factor=factor), atol=1e-3)


def test_no_saturation_is_grey() -> None:
    grey = changed(augment.saturation(0.0, 1.0), noise(), [0.0])
    np.testing.assert_allclose(grey, np.repeat(noise().max(-1, keepdims=True), 3, -1), atol=1e-4)


@pytest.mark.parametrize(("draw", "turn"), [(0.0, -0.08), (0.5, 0.0), (1.0, 0.08)])
def test_hue_turns_that_of_colorsys(draw: float, turn: float) -> None:
    found = changed(augment.hue(0.08), noise(), [draw])
    np.testing.assert_allclose(found, by_colorsys(noise(), turn=turn), atol=1e-3)


def test_invert_makes_negatives_of_half_of_the_images() -> None:
    images = np.repeat(noise(1), 400, axis=0)
    result = applied(augment.invert(), images)
    inverted = (result == 255 - images).all(axis=(1, 2, 3))
    assert (inverted | (result == images).all(axis=(1, 2, 3))).all()
    assert 160 < inverted.sum() < 240
    assert (applied(augment.invert(1.0), images) == 255 - images).all()
