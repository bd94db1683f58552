"""Augmentations move boxes with objects: a coloured rectangle is found again where its box is."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data import augment
from tfpipe.data.augment.chain import Rows, apply_with_boxes
from tfpipe.data.sources.boxes.drawn_objects import SampleBoxes
from tfpipe.declare.spec import Feature

SIDE, COUNT, SEEDS = 96, 48, 3
WIDE = (64, 120)
BLUE, RED = (20, 20, 200), (255, 40, 20)
BLACK: dict[str, Any] = {"fill": "constant"}

# Of each whether the box is to be that of the coloured pixels, and not only to contain them.
EXACT = {
    "flip": (augment.flip(),),
    "flip, both ways": (augment.flip(vertical=True),),
    "flip, alternating": (augment.flip(alternate=True),),
    "shift": (augment.shift(0.3, **BLACK),),
    "zoom": (augment.zoom(0.5, **BLACK),),
    "zoom in": (augment.zoom(0.5, direction="in"),),
    "zoom out": (augment.zoom(0.5, direction="out", **BLACK),),
    "random_resized_crop": (augment.random_resized_crop(scale=(0.3, 1.0)),),
    "several at once": (augment.flip(), augment.zoom(0.3, **BLACK), augment.shift(0.2, **BLACK)),
    "with colours between": (
        augment.zoom(0.4, **BLACK),
        augment.brightness(0.1),
        augment.shift(0.3, **BLACK),
        augment.contrast(0.9, 1.1),
        augment.flip(),
    ),
    "a crop after a shift": (
        augment.shift(0.3, **BLACK),
        augment.brightness(0.05),
        augment.random_resized_crop(scale=(0.4, 1.0)),
    ),
}
SQUARE = {
    "quarter_turn": (augment.quarter_turn(),),
    "quarter turns among others": (
        augment.quarter_turn(),
        augment.shift(0.2, **BLACK),
        augment.quarter_turn(),
    ),
}
TURNED = {
    "rotate": (augment.rotate(30, **BLACK),),
    "rotate and zoom": (augment.rotate(20, **BLACK), augment.zoom(0.3, **BLACK)),
}


def rectangles(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Blue images with a red rectangle each, and its box and two rows of padding."""
    (height, width), rng = size, np.random.default_rng(seed)
    images = np.full((COUNT, height, width, 3), BLUE, np.uint8)
    boxes = np.tile(np.float32([0, 0, 0, 0, -1, 0]), (COUNT, 3, 1))
    for image, box in zip(images, boxes, strict=True):
        h, w = rng.integers(12, 40, 2)
        y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        image[y : y + h, x : x + w] = RED
        box[1] = (x / width, y / height, (x + w) / width, (y + h) / height, 4, 1)
    return images, boxes


def moved(
    chain: Any, images: np.ndarray, boxes: np.ndarray, seed: int, start: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    feature = Feature("image", images.shape[1:], "uint8", "image")
    places = tf.constant(start, tf.int64), tf.constant([seed, 0], tf.int64)
    rows = Rows(tf.range(start, start + len(images), dtype=tf.int64), COUNT)
    tensors = tf.constant(images), tf.constant(boxes)
    new, there = apply_with_boxes(chain, *tensors, *places, feature, rows)
    return np.asarray(new), np.asarray(there)


def coloured(image: np.ndarray) -> np.ndarray | None:
    """The box of what is red rather than blue or black, in pixels."""
    rows, columns = np.nonzero(image[..., 0] > image[..., 2] + 30.0)
    if not len(rows):
        return None
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)


def compare(chain: Any, size: tuple[int, int], contains: bool) -> int:
    """Compare boxes with what is seen; return how many objects are gone."""
    gone = 0
    for seed in range(SEEDS):
        images, boxes = rectangles(seed, size)
        new, there = moved(chain, images, boxes, seed)
        assert np.array_equal(there[:, [0, 2]], boxes[:, [0, 2]])  # padding stays
        scale = np.array([new.shape[2], new.shape[1]] * 2)
        for image, box in zip(new, there[:, 1], strict=True):
            seen = coloured(image)
            if box[4] < 0:
                gone += 1
                assert box.tolist() == [0, 0, 0, 0, -1, 0]
                continue
            assert box[4:].tolist() == [4, 1]
            assert (box[:4] >= 0).all()
            assert (box[:4] <= 1).all()
            assert seen is not None
            away = box[:4] * scale - seen
            outside = max(away[0], away[1], -away[2], -away[3])
            assert (outside if contains else np.abs(away).max()) <= 1.5, (box[:4] * scale, seen)
    return gone


@pytest.mark.parametrize("size", [(SIDE, SIDE), WIDE], ids=["square", "wide"])
@pytest.mark.parametrize("name", EXACT)
def test_a_box_is_where_the_object_is(name: str, size: tuple[int, int]) -> None:
    gone = compare(EXACT[name], size, contains=False)
    assert (gone == 0) == (name.startswith("flip") or name == "zoom out")
    assert gone < COUNT * SEEDS / 2


@pytest.mark.parametrize("name", SQUARE)
def test_a_box_is_where_a_quarter_turn_brings_the_object(name: str) -> None:
    compare(SQUARE[name], (SIDE, SIDE), contains=False)


@pytest.mark.parametrize("name", TURNED)
def test_a_turned_object_is_in_its_box(name: str) -> None:
    compare(TURNED[name], (SIDE, SIDE), contains=True)
    compare(TURNED[name], WIDE, contains=True)


def test_a_box_whose_centre_leaves_is_gone_and_one_that_stays_is_cut() -> None:
    images, _ = rectangles(0, (SIDE, SIDE))
    images = images[:2]
    left = np.float32([[[0.0, 0.4, 0.1, 0.6, 0, 0]], [[0.02, 0.4, 0.3, 0.6, 0, 0]]])
    chain, fates = (augment.shift(0.3, **BLACK),), set()
    for seed in range(20):
        _, there = moved(chain, images, left, seed)
        for old, (new,) in zip(left[:, 0], there, strict=True):
            if new[4] < 0:
                fates.add("gone")
            elif new[2] - new[0] < old[2] - old[0] - 1e-6:
                fates.add("cut")
                assert new[0] == 0 or new[2] == 1
                assert new[2] - new[0] >= (old[2] - old[0]) / 2 - 1e-6
    assert fates == {"gone", "cut"}


def test_a_box_depends_on_the_seed_and_the_place_alone() -> None:
    images, boxes = rectangles(1, (SIDE, SIDE))
    chain = EXACT["with colours between"]
    whole = moved(chain, images, boxes, 5)
    for begin, end in ((0, 7), (7, 30), (30, COUNT)):
        part = moved(chain, images[begin:end], boxes[begin:end], 5, start=begin)
        np.testing.assert_allclose(part[0], whole[0][begin:end], atol=1e-4)
        np.testing.assert_allclose(part[1], whole[1][begin:end], atol=1e-6)
    assert not np.array_equal(moved(chain, images, boxes, 6)[1], whole[1])


def test_colours_leave_boxes_where_they_are() -> None:
    images, boxes = rectangles(2, (SIDE, SIDE))
    chain = (augment.brightness(0.2), augment.cutout(10), augment.invert())
    assert np.array_equal(moved(chain, images, boxes, 0)[1], boxes)


ONES = (
    augment.flip(vertical=True),
    augment.rotate(15),
    augment.shift(0.13),
    augment.zoom(0.2),
    augment.zoom(0.2, direction="in"),
    augment.zoom(0.2, direction="out"),
    augment.random_resized_crop(),
    augment.brightness(0.1),
    augment.contrast(0.7, 1.4),
    augment.saturation(0.7, 1.4),
    augment.hue(0.1),
    augment.cutout(8),
)


@pytest.mark.parametrize("changes", [*((one,) for one in ONES), ONES[:8]], ids=str)
def test_tf_data_and_the_compiled_loop_make_the_same_bits(changes: tuple[Any, ...]) -> None:
    """A run that was stopped goes on by tf.data where it was in a loop that is compiled."""
    source = SampleBoxes(size=(30, 52), count=48, validation=None, test=None, objects=(1, 4))
    options: dict[str, Any] = {"batch_size": 16, "shuffle": True, "augment": changes}
    rows = source.rows_in_memory("train", **options)
    assert rows is not None
    order, first, seed = rows.epoch(0)
    compiled = tf.function(
        lambda place: rows.batch(order[place : place + 16], first + place, seed), autograph=False
    )
    for number, (images, boxes) in enumerate(source.input_fn("train", **options)):
        again, moved = compiled(tf.constant(16 * number, tf.int64))
        assert np.array_equal(images, again)
        assert np.array_equal(boxes, moved)
