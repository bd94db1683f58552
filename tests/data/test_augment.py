"""Augmentations: what each does, and what all of them keep."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data import augment
from tfpipe.data.augment.base import Geometric, Pixelwise
from tfpipe.data.augment.chain import Rows, _Canvas, apply_all, check_all, uniform
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

# One of each; a new augmentation fails here until it has an entry.
EXAMPLES: dict[str, tuple[Augmentation, str]] = {
    "brightness": (augment.brightness(0.2), "brightness(0.2)"),
    "contrast": (augment.contrast(0.5, high=1.5), "contrast(0.5, high=1.5)"),
    "crop": (augment.crop(4), "crop(4)"),
    "cutout": (augment.cutout(5, value=9), "cutout(5, value=9)"),
    "flip": (augment.flip(vertical=True), "flip(vertical=True)"),
    "hue": (augment.hue(0.1), "hue(0.1)"),
    "invert": (augment.invert(), "invert()"),
    "quarter_turn": (augment.quarter_turn(), "quarter_turn()"),
    "random_resized_crop": (
        augment.random_resized_crop(scale=(0.5, 1.0)),
        "random_resized_crop(scale=(0.5, 1.0))",
    ),
    "rotate": (augment.rotate(15), "rotate(15.0)"),
    "saturation": (augment.saturation(0.7, 1.3), "saturation(0.7, high=1.3)"),
    "shift": (augment.shift(0.1, fill="reflect"), "shift(0.1, fill='reflect')"),
    "zoom": (augment.zoom(0.2), "zoom(0.2)"),
}
COARSE = {"flip": 4, "invert": 2, "quarter_turn": 4}  # how many images they can make of one
EVERY = pytest.mark.parametrize("name", augment.__all__)


def noise(size: int = 8, height: int = 12, width: int = 10, channels: int = 3) -> np.ndarray:
    shape = (size, height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def applied(parts: Any, images: np.ndarray, start: int = 0, seed: int = 0) -> np.ndarray:
    parts = parts if isinstance(parts, tuple) else (parts,)
    return np.asarray(apply_all(parts, images, tf.constant(start, tf.int64), [seed, 0]))


def moved(part: Geometric, images: np.ndarray, draws: list[float]) -> np.ndarray:
    """Images changed by chosen draws instead of random ones."""
    canvas = _Canvas(tf.constant(images))
    canvas.move(part.matrices(tf.constant([draws] * len(images)), *canvas.size), part.fill)
    return np.asarray(canvas.settled())


def changed(part: Pixelwise, images: np.ndarray, draws: list[float]) -> np.ndarray:
    return np.asarray(part.apply(tf.constant(images), tf.constant([draws] * len(images))))


# What all of them keep


@EVERY
def test_the_same_seed_and_place_give_the_same_images(name: str) -> None:
    part, images = EXAMPLES[name][0], noise()
    first = applied(part, images, start=100, seed=7)
    np.testing.assert_array_equal(applied(part, images, start=100, seed=7), first)
    assert not np.array_equal(applied(part, images, start=100, seed=8), first)
    assert not np.array_equal(applied(part, images, start=108, seed=7), first)


@EVERY
def test_it_does_not_matter_how_samples_are_batched(name: str) -> None:
    part, images = EXAMPLES[name][0], noise()
    whole = applied(part, images, start=40)
    halves = [applied(part, images[i : i + 4], start=40 + i) for i in (0, 4)]
    np.testing.assert_array_equal(np.concatenate(halves), whole)


@EVERY
def test_samples_differ(name: str) -> None:
    alike = np.repeat(noise(1), 16, axis=0)
    different = {image.tobytes() for image in applied(EXAMPLES[name][0], alike)}
    most = COARSE.get(name)
    assert 1 < len(different) <= most if most else len(different) > 8


@EVERY
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_range_stay(name: str, channels: int) -> None:
    if channels == 1 and name in ("hue", "saturation"):
        pytest.skip("refuses images without colours")
    images = noise(32, channels=channels)
    images[:16] = np.where(images[:16] < 128, 0, 255)
    result = applied(EXAMPLES[name][0], images)
    assert result.shape == images.shape
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 255.001  # interpolation rounds


@EVERY
def test_bytes_go_in_and_shapes_are_known_in_a_graph(name: str) -> None:
    images = noise().astype(np.uint8)
    dataset = tf.data.Dataset.from_tensors(images).map(
        lambda x: apply_all((EXAMPLES[name][0],), x, tf.constant(0, tf.int64), [0, 0])
    )
    assert dataset.element_spec.shape == images.shape
    (inside,) = dataset.as_numpy_iterator()
    np.testing.assert_allclose(
        inside, applied(EXAMPLES[name][0], images.astype(np.float32)), atol=1e-3
    )


@EVERY
def test_repr_and_json_say_everything(name: str) -> None:
    part, text = EXAMPLES[name]
    assert repr(part) == text
    assert eval(text, vars(augment)) == part
    assert from_json(to_json(part)) == part
    assert set(to_json(part)) == {"part", *type(part).fields()}


@EVERY
def test_it_says_how_many_numbers_it_needs(name: str) -> None:
    part = EXAMPLES[name][0]
    assert part.draws_needed > 0
    assert isinstance(part, (Geometric, Pixelwise))


# Geometric


def test_flip_mirrors_exactly() -> None:
    images = noise()
    np.testing.assert_array_equal(moved(augment.flip(), images, [0.4, 0.0]), images[:, :, ::-1])
    np.testing.assert_array_equal(moved(augment.flip(), images, [0.6, 0.0]), images)
    upside = augment.flip(horizontal=False, vertical=True)
    np.testing.assert_array_equal(moved(upside, images, [0.0, 0.4]), images[:, ::-1])
    both = augment.flip(vertical=True)
    np.testing.assert_array_equal(moved(both, images, [0.1, 0.1]), images[:, ::-1, ::-1])


def test_flip_mirrors_about_half_of_the_images() -> None:
    images = noise(400)
    result = applied(augment.flip(), images)
    mirrored = (result == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (result == images).all(axis=(1, 2, 3))).all()
    assert 160 < mirrored.sum() < 240


def test_alternating_flips_show_both_sides_of_each_image_in_two_passes() -> None:
    images, size = noise(8), 8

    def seen(start: int, order: list[int], seed: int = 0) -> np.ndarray:
        stored = Rows(tf.constant(order, tf.int64), size)
        part = (augment.flip(alternate=True),)
        first = tf.constant(start, tf.int64)
        made = apply_all(part, images[order], first, [seed, 0], None, stored)
        mirrored = (np.asarray(made) == images[order][:, :, ::-1]).all(axis=(1, 2, 3))
        assert (mirrored | (np.asarray(made) == images[order]).all(axis=(1, 2, 3))).all()
        return mirrored[np.argsort(order)]

    first = seen(0, [*range(8)])
    assert 0 < first.sum() < 8
    np.testing.assert_array_equal(seen(8, [3, 1, 4, 0, 5, 2, 6, 7]), ~first)
    np.testing.assert_array_equal(seen(16, [7, 6, 5, 4, 3, 2, 1, 0]), first)
    across = seen(12, [*range(8)])  # a batch in which one pass ends and another begins
    np.testing.assert_array_equal(across, [*~first[:4], *first[4:]])
    assert any(not np.array_equal(seen(0, [*range(8)], seed), first) for seed in (1, 2, 3))


def test_alternating_flips_are_for_half_of_the_images_in_each_pass() -> None:
    images = noise(400)
    stored = Rows(tf.range(400, dtype=tf.int64) * 5, 400)
    part = (augment.flip(alternate=True, vertical=True),)
    result = np.asarray(apply_all(part, images, tf.constant(0, tf.int64), [3, 0], None, stored))
    kinds = [images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]]
    counts = [(result == kind).all(axis=(1, 2, 3)).sum() for kind in kinds]
    assert sum(counts) == 400
    assert 70 < min(counts) <= max(counts) < 130


def test_rotate_by_nothing_is_the_identity() -> None:
    images = noise()
    np.testing.assert_array_equal(applied(augment.rotate(0), images), images)


def test_rotate_turns_about_the_centre() -> None:
    images = noise(2, 9, 9)
    quarter = moved(augment.rotate(90), images, [1.0])
    turned = [np.rot90(images, k, axes=(1, 2)) for k in (1, 3)]
    assert any(np.abs(quarter - t).max() < 0.05 for t in turned)
    half = moved(augment.rotate(180), images, [0.0])
    np.testing.assert_allclose(half, images[:, ::-1, ::-1], atol=0.05)


def test_shift_moves_by_whole_pixels_and_repeats_the_edge() -> None:
    images = noise(2, 10, 10)
    left = moved(augment.shift(0.2), images, [1.0, 0.5])  # 0.2 of 10 pixels, in x alone
    np.testing.assert_array_equal(left[:, :, :8], images[:, :, 2:])
    np.testing.assert_array_equal(left[:, :, 8:], np.repeat(images[:, :, 9:], 2, axis=2))
    down = moved(augment.shift(0.3, fill="constant"), images, [0.5, 0.0])
    np.testing.assert_array_equal(down[:, 3:], images[:, :7])
    np.testing.assert_array_equal(down[:, :3], 0)


@pytest.mark.parametrize(("fill", "numpy"), [("reflect", "symmetric"), ("wrap", "wrap")])
def test_what_lies_outside(fill: Any, numpy: Any) -> None:
    images = noise(2, 10, 10)
    right = moved(augment.shift(0.2, fill=fill), images, [0.0, 0.5])
    padded = np.pad(images, [(0, 0), (0, 0), (2, 0), (0, 0)], mode=numpy)
    np.testing.assert_array_equal(right, padded[:, :, :10])


def test_zoom_keeps_the_centre_and_scales() -> None:
    row = np.arange(9, dtype=np.float32)
    images = np.broadcast_to(row[None, None, :, None], (1, 9, 9, 1)).copy()
    nearer = moved(augment.zoom(0.5), images, [1.0])[0, :, :, 0]  # half as large again
    np.testing.assert_allclose(nearer[4], 4 + (row - 4) / 1.5, atol=1e-5)
    farther = moved(augment.zoom(0.5), images, [0.0])[0, :, :, 0]  # half the size
    np.testing.assert_allclose(farther[4], np.clip(4 + (row - 4) * 2, 0, 8), atol=1e-5)


def test_zoom_in_shows_the_middle_alone() -> None:
    row = np.arange(9, dtype=np.float32)
    images = np.broadcast_to(row[None, None, :, None], (1, 9, 9, 1)).copy()
    part = augment.zoom(0.2, direction="in")
    for draw, share in ((0.0, 1.0), (0.5, 0.9), (1.0, 0.8)):
        np.testing.assert_allclose(
            moved(part, images, [draw])[0, 4, :, 0], 4 + (row - 4) * share, atol=1e-5
        )


def test_quarter_turns_are_exact_and_each_is_drawn() -> None:
    images = noise(400, 11, 11)
    for draw, turns in ((0.0, 0), (0.3, 1), (0.6, 2), (0.9, 3)):
        turned = moved(augment.quarter_turn(), images[:2], [draw])
        np.testing.assert_array_equal(turned, np.rot90(images[:2], turns, axes=(1, 2)))
    result = applied(augment.quarter_turn(), images)
    counts = [
        (result == np.rot90(images, k, axes=(1, 2))).all(axis=(1, 2, 3)).sum() for k in range(4)
    ]
    assert sum(counts) == 400
    assert 70 < min(counts) <= max(counts) < 130


def test_geometric_neighbours_are_resampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = tf.raw_ops.ImageProjectiveTransformV3
    monkeypatch.setattr(
        tf.raw_ops, "ImageProjectiveTransformV3", lambda **k: calls.append(k) or real(**k)
    )
    together = (augment.flip(), augment.rotate(15), augment.shift(0.1), augment.zoom(0.1))
    applied(together, noise())
    assert len(calls) == 1
    applied((augment.flip(), augment.brightness(0.1), augment.shift(0.1)), noise())
    assert len(calls) == 3
    applied((augment.rotate(5), augment.shift(0.1, fill="wrap")), noise())
    assert len(calls) == 5


def test_the_first_declared_is_applied_first() -> None:
    images = noise(64, 10, 10)
    draws = np.asarray(uniform(tf.constant(0, tf.int64), 64, 4, [0, 0]))
    result = applied((augment.flip(), augment.shift(0.3)), images)
    for image, after, own in zip(images, result, draws, strict=True):
        flipped = moved(augment.flip(), image[None], own[:2].tolist())
        np.testing.assert_allclose(
            after, moved(augment.shift(0.3), flipped, own[2:].tolist())[0], atol=0.01
        )


# Patches


@pytest.mark.parametrize("fill", ["reflect", "constant"])
def test_crop_cuts_windows_of_the_padded_image(fill: Any) -> None:
    image = noise(1)
    edges = [(0, 0), (3, 3), (3, 3), (0, 0)]
    padded = np.pad(image, edges, mode=fill)[0]
    windows = {padded[y : y + 12, x : x + 10].tobytes() for y in range(7) for x in range(7)}
    result = applied(augment.crop(3, fill=fill), np.repeat(image, 400, axis=0))
    assert {window.tobytes() for window in result} == windows  # each of them, and no other


def test_cutout_covers_a_square() -> None:
    images = np.full((4, 12, 10, 3), 200.0, np.float32)
    inside = changed(augment.cutout(4), images, [0.5, 0.5])
    np.testing.assert_array_equal(inside[:, 4:8, 3:7], 0)
    assert (inside == 0).sum() == 4 * 4 * 4 * 3
    corner = changed(augment.cutout(4, value=7), images, [0.0, 0.0])
    np.testing.assert_array_equal(corner[:, :2, :2], 7)
    assert (corner == 7).sum() == 4 * 2 * 2 * 3
    many = applied(augment.cutout(5), np.full((200, 12, 10, 1), 200.0, np.float32))
    covered = (many == 0).sum(axis=(1, 2, 3))
    assert covered.min() >= 4
    assert covered.max() == 25


# Wrong values


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: augment.flip(horizontal=False),
            "augment.flip needs horizontal=True or vertical=True.",
        ),
        (
            lambda: augment.rotate(181),
            "rotate.degrees takes a number of at least 0 and of at most 180, got 181 (int).",
        ),
        (
            lambda: augment.shift(1.5),
            "shift.fraction takes a number of at least 0 and below 1, got 1.5 (float).",
        ),
        (
            lambda: augment.zoom(1.0),
            "zoom.fraction takes a number above 0 and below 1, got 1.0 (float).",
        ),
        (
            lambda: augment.brightness(0.0),
            "brightness.delta takes a number above 0 and below 1, got 0.0 (float).",
        ),
        (
            lambda: augment.contrast(1.5, 0.5),
            "augment.contrast: low=1.5 must be below high=0.5.",
        ),
        (
            lambda: augment.saturation(1.3, 0.7),
            "augment.saturation: low=1.3 must be below high=0.7.",
        ),
        (
            lambda: augment.hue(0.6),
            "hue.delta takes a number above 0 and of at most 0.5, got 0.6 (float).",
        ),
        (
            lambda: augment.invert(0.0),
            "invert.share takes a number above 0 and of at most 1, got 0.0 (float).",
        ),
        (
            lambda: augment.zoom(0.2, direction="up"),
            "zoom.direction takes one of 'both', 'in', 'out', got 'up' (str).",
        ),
        (
            lambda: augment.random_resized_crop(ratio=(2.0, 0.5)),
            "augment.random_resized_crop: ratio=(2.0, 0.5) should be the smallest and then the "
            "largest: ratio=(0.5, 2.0).",
        ),
        (
            lambda: augment.crop(0),
            "crop.padding takes a whole number of at least 1, got 0 (int).",
        ),
        (
            lambda: augment.cutout(4, value=256),
            "cutout.value takes a whole number of at least 0 and of at most 255, got 256 (int).",
        ),
        (
            lambda: augment.rotate(15, fill="mirror"),
            "rotate.fill takes one of 'nearest', 'reflect', 'wrap', 'constant', got 'mirror' "
            "(str).",
        ),
        (lambda: augment.rotate(), "rotate needs a value for 'degrees'."),
        (
            lambda: augment.flip(horizontl=True),
            "flip has no field 'horizontl'. Did you mean 'horizontal'?",
        ),
    ],
)
def test_wrong_values_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("part", "dtype", "message"),
    [
        (
            augment.crop(10),
            "uint8",
            "augment.crop: padding=10 reflects more than an image of 12x10 has; use less, or "
            "fill='constant'.",
        ),
        (
            augment.cutout(11),
            "uint8",
            "augment.cutout: size=11 is larger than an image of 12x10.",
        ),
        (
            augment.brightness(0.1),
            "float32",
            "augment.brightness works on values of 0 to 255; 'image' holds float32. Give uint8 "
            "images (the models scale them), or leave augment.brightness out.",
        ),
        (
            augment.contrast(0.5, 1.5),
            "float32",
            "augment.contrast works on values of 0 to 255; 'image' holds float32. Give uint8 "
            "images (the models scale them), or leave augment.contrast out.",
        ),
        (
            augment.invert(),
            "float32",
            "augment.invert works on values of 0 to 255; 'image' holds float32. Give uint8 images "
            "(the models scale them), or leave augment.invert out.",
        ),
        (
            augment.quarter_turn(),
            "uint8",
            "augment.quarter_turn needs square images; 'image' has 12x10. Declare a square "
            "data.size, or use augment.rotate(180).",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(part: Augmentation, dtype: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_all((part,), Feature("image", (12, 10, 3), dtype, "image"))
    assert str(caught.value) == message


@pytest.mark.parametrize("part", [augment.hue(0.1), augment.saturation(0.5, 1.5)])
def test_colours_take_three_channels(part: Pixelwise) -> None:
    name = type(part).__name__
    with pytest.raises(ConfigError) as caught:
        check_all((part,), Feature("image", (12, 10, 1), "uint8", "image"))
    assert str(caught.value) == (
        f"augment.{name} changes colours, which take 3 channels; 'image' has 1. Leave "
        f"augment.{name} out."
    )


def test_every_augmentation_has_an_example() -> None:
    assert set(EXAMPLES) == set(augment.__all__)
