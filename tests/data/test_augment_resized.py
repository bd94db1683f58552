"""Augmentation of pictures that are held at one size and seen at another."""

from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data import augment
from tfpipe.data.augment.chain import apply_all, check_all, uniform
from tfpipe.data.images.decoding import seen
from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

HELD = Feature("image", (14, 12, 3), "uint8", "image", kept=(20, 20), resize=(20, 20))
ENLARGED = HELD.replace(kept=(10, 10))


def pictures(size: int = 16, side: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size, side, side, 3), np.uint8)


def applied(*parts: Augmentation, feature: Feature = HELD, images: Any = None) -> np.ndarray:
    images = pictures(side=feature.stored_shape[0]) if images is None else images
    made = apply_all(parts, tf.constant(images), tf.constant(0, tf.int64), [3, 0], feature)
    return np.asarray(made)


def draws(size: int, columns: int) -> np.ndarray:
    found = np.asarray(uniform(tf.constant(0, tf.int64), size, columns, [3, 0]), np.float64)
    return found[:, :columns]


def bilinear(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The picture between its pixels, its edges repeated; places are of pixels' centres."""

    def between(values: np.ndarray, places: np.ndarray) -> np.ndarray:
        places = np.clip(places, 0, len(values) - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, len(values) - 1)
        share = (places - low)[:, None, None]
        return np.asarray(values[low] * (1 - share) + values[high] * share)

    along = between(picture.astype(float), rows)
    return between(along.swapaxes(0, 1), columns).swapaxes(0, 1)


# Random resized crop


def box(own: np.ndarray, height: int, width: int, scale: Any, ratio: Any) -> tuple[int, ...]:
    """torchvision's RandomResizedCrop.get_params, reading uniform numbers from a list."""
    for attempt in range(10):
        area = height * width * (scale[0] + own[attempt] * (scale[1] - scale[0]))
        low, high = log(ratio[0]), log(ratio[1])
        shape = exp(low + own[10 + attempt] * (high - low))
        w, h = round(sqrt(area * shape)), round(sqrt(area / shape))
        if 0 < w <= width and 0 < h <= height:
            return int(own[20] * (height - h + 1)), int(own[21] * (width - w + 1)), h, w
    h, w = height, width
    if width / height < min(ratio):
        h = round(width / min(ratio))
    elif width / height > max(ratio):
        w = round(height * max(ratio))
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(
    ("scale", "ratio"),
    [
        ((0.08, 1.0), (3 / 4, 4 / 3)),
        ((0.9, 1.0), (0.5, 2.0)),  # few attempts fit
        ((1.0, 1.0), (2.5, 3.0)),  # none does: wider than the picture
        ((1.0, 1.0), (0.3, 0.4)),  # none does: narrower
    ],
)
@pytest.mark.parametrize("side", [(20, 20), (31, 17)])
def test_the_part_is_the_one_that_torchvision_draws(scale: Any, ratio: Any, side: Any) -> None:
    part = augment.random_resized_crop(scale=scale, ratio=ratio)
    numbers = draws(300, 22)
    found = np.asarray(part.matrices(tf.constant(numbers, tf.float32), *map(float, side)))
    expected = np.array([box(own, *side, scale, ratio) for own in numbers], float)
    height, width = found[:, 1, 1] * side[0], found[:, 0, 0] * side[1]
    top = found[:, 1, 2] + 0.5 - height / side[0] / 2
    left = found[:, 0, 2] + 0.5 - width / side[1] / 2
    same = np.isclose(np.stack([top, left, height, width], 1), expected, atol=1e-3).all(axis=1)
    assert same.mean() > 0.99  # float32 rounds one or the other side to another pixel
    if scale[0] < 1.0:
        assert len({tuple(e) for e in expected}) > 10


def test_it_is_drawn_of_the_whole_picture_and_stretched_to_what_is_seen() -> None:
    part = augment.random_resized_crop()
    result = applied(part)
    assert result.shape == (16, 14, 12, 3)
    boxes = [box(own, 20, 20, part.scale, part.ratio) for own in draws(16, 22)]
    for picture, after, (top, left, height, width) in zip(pictures(), result, boxes, strict=True):
        rows = top - 0.5 + (np.arange(14) + 0.5) * height / 14
        columns = left - 0.5 + (np.arange(12) + 0.5) * width / 12
        np.testing.assert_allclose(after, bilinear(picture, rows, columns), atol=0.02)
    assert any(top + height > 17 or left + width > 16 for top, left, height, width in boxes)


def test_what_follows_a_crop_is_about_what_is_seen() -> None:
    crop = augment.random_resized_crop(scale=(1.0, 1.0), ratio=(1.0, 1.0))
    whole = np.stack(
        [bilinear(p, (np.arange(14) + 0.5) * 20 / 14 - 0.5, (np.arange(12) + 0.5) * 20 / 12 - 0.5)
         for p in pictures()]
    )  # fmt: skip
    np.testing.assert_allclose(applied(crop), whole, atol=0.02)
    mirrored = applied(crop, augment.flip(vertical=True))
    signs = draws(16, 24)[:, 22:] < 0.5
    for after, image, (sideways, upside) in zip(mirrored, whole, signs, strict=True):
        expected = image[:, ::-1] if sideways else image
        np.testing.assert_allclose(after, expected[::-1] if upside else expected, atol=0.02)


# Without one: the centre


def test_only_colours_change_what_is_cut_out() -> None:
    result = applied(augment.invert())
    inverted = draws(16, 1)[:, 0] < 0.5
    expected = np.asarray(seen(pictures(), HELD)).astype(float)
    expected[inverted] = 255 - expected[inverted]
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("feature", [HELD, ENLARGED])
def test_nothing_but_a_move_by_nothing_is_what_evaluation_sees(feature: Feature) -> None:
    images = pictures(side=feature.stored_shape[0])
    result = applied(augment.shift(0.0), feature=feature)
    assert result.shape == (16, 14, 12, 3)
    assert abs(result - np.asarray(seen(images, feature)).astype(float)).max() <= 0.51
    if feature is HELD:
        np.testing.assert_array_equal(result, seen(images, feature))
    else:
        coloured = applied(augment.brightness(1e-9), feature=feature)
        np.testing.assert_allclose(coloured, result, atol=1e-3)


def test_what_is_moved_in_comes_from_the_picture_around() -> None:
    images = np.zeros((16, 20, 20, 3), np.uint8)
    images[:, :3] = 200  # above what is seen, which begins in row 3
    moves = np.round((draws(16, 2)[:, 1] * 2 - 1) * 0.2 * 14)
    result = applied(augment.shift(0.2), images=images)
    for after, move in zip(result, moves, strict=True):
        assert (after[0].mean() > 100) == (move <= -1)
    inside = applied(augment.shift(0.2), augment.flip(), images=np.asarray(seen(images, HELD)))
    assert inside.max() == 0


def test_all_of_it_is_one_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    real = tf.raw_ops.ImageProjectiveTransformV3
    monkeypatch.setattr(
        tf.raw_ops, "ImageProjectiveTransformV3", lambda **k: calls.append(k) or real(**k)
    )
    crop, flip = augment.random_resized_crop(), augment.flip()
    applied(augment.rotate(30), crop, flip)
    applied(flip, augment.zoom(0.2, direction="in"), feature=ENLARGED)
    assert [call["output_shape"] for call in calls] == [(14, 12)] * 2
    calls.clear()
    applied(augment.brightness(0.1), augment.hue(0.1))
    assert calls == []
    applied(augment.rotate(30), augment.brightness(0.1), crop, flip)  # turned first, as declared
    assert [call["output_shape"] for call in calls] == [(20, 20), (14, 12)]


def test_shapes_are_known_in_a_graph() -> None:
    for part in (augment.random_resized_crop(), augment.flip(), augment.invert()):
        dataset = tf.data.Dataset.from_tensors(pictures()).map(
            lambda x, part=part: apply_all((part,), x, tf.constant(0, tf.int64), [3, 0], HELD)
        )
        assert dataset.element_spec == tf.TensorSpec((16, 14, 12, 3), tf.float32)
        (inside,) = dataset.as_numpy_iterator()
        np.testing.assert_allclose(inside, applied(part), atol=1e-3)


def test_checks_are_about_the_image_at_that_place_of_the_chain() -> None:
    crop, square = augment.random_resized_crop(), HELD.replace(shape=(14, 14, 3))
    check_all((augment.quarter_turn(), crop, augment.flip()), HELD)  # the whole picture is square
    check_all((augment.quarter_turn(),), square)
    check_all((augment.cutout(15), crop), HELD)
    for parts, size, number in (
        ((crop, augment.cutout(15)), "14x12", 15),
        ((augment.cutout(21), crop), "20x20", 21),
        ((augment.cutout(13),), "14x12", 13),
    ):
        with pytest.raises(ConfigError) as caught:
            check_all(parts, HELD)
        assert str(caught.value) == (
            f"augment.cutout: size={number} is larger than an image of {size}."
        )
