"""Boxes: the worked numbers of the book that the definitions are from."""

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.boxes.anchors import anchors
from tfpipe.boxes.assignment import assigned, moved, offsets
from tfpipe.boxes.geometry import centred, cornered, iou
from tfpipe.boxes.suppression import suppressed

DOG_AND_CAT = np.float32([[0.1, 0.08, 0.52, 0.92], [0.55, 0.2, 0.9, 0.88]])
FIVE = np.float32(
    [
        [0, 0.1, 0.2, 0.3],
        [0.15, 0.2, 0.4, 0.4],
        [0.63, 0.05, 0.88, 0.98],
        [0.66, 0.45, 0.8, 0.8],
        [0.57, 0.3, 0.92, 0.9],
    ]
)


def test_anchors_of_a_photograph() -> None:
    boxes = anchors((561, 728), (0.75, 0.5, 0.25), (1, 2, 0.5))
    assert boxes.shape == (2_042_040, 4)
    first = boxes.reshape(561, 728, 5, 4)[250, 250, 0]
    np.testing.assert_allclose(first, [0.06, 0.07, 0.63, 0.82], atol=0.005)


def test_a_tiny_detector_has_5_444_anchors() -> None:
    sizes = ((0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))
    grids = zip((32, 16, 8, 4, 1), sizes, strict=True)
    assert sum(len(anchors((g, g), size, (1, 2, 0.5))) for g, size in grids) == 5_444


def test_formats_and_overlaps() -> None:
    np.testing.assert_allclose(cornered(centred(DOG_AND_CAT)), DOG_AND_CAT, atol=1e-6)
    half = np.float32([[0, 0, 0.5, 1], [0.25, 0, 0.75, 1], [0.5, 0, 1, 1]])
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 1 / 3], [0, 1 / 3, 1]]
    np.testing.assert_allclose(iou(half, half), expected, atol=1e-6)
    assert float(iou(np.float32([[0.5, 0.5, 0.2, 0.2]]), half[:1])[0, 0]) == 0


def test_each_anchor_gets_its_box() -> None:
    padded = np.concatenate([DOG_AND_CAT, np.zeros((2, 4), np.float32)])
    boxes = np.stack([padded, np.zeros_like(padded)])
    classes = np.int32([[0, 1, -1, -1], [-1, -1, -1, -1]])
    rows = assigned(tf.constant(FIVE), boxes, classes, 0.5).numpy()
    assert rows.tolist() == [[-1, 0, 1, -1, 1], [-1] * 5]
    away = offsets(FIVE, DOG_AND_CAT[[0, 0, 1, 0, 1]]).numpy()
    expected = {
        1: [1.40, 10.0, 2.59, 7.18],
        2: [-1.20, 0.269, 1.68, -1.57],
        4: [-0.571, -1.00, 4.17e-6, 0.626],
    }
    for row, numbers in expected.items():
        np.testing.assert_allclose(away[row], numbers, rtol=6e-3, atol=5e-6)
    np.testing.assert_allclose(moved(FIVE, away), DOG_AND_CAT[[0, 0, 1, 0, 1]], atol=1e-5)


def test_a_box_takes_its_best_anchor_however_little_it_overlaps() -> None:
    small = np.float32([[[0.0, 0.1, 0.05, 0.15], [0.1, 0.08, 0.52, 0.92]]])
    rows = assigned(tf.constant(FIVE), small, np.int32([[3, 4]]), 0.9).numpy()
    assert rows.tolist() == [[0, 1, -1, -1, -1]]


def test_what_is_found_twice_is_left_out() -> None:
    boxes = np.float32(
        [[0.1, 0.08, 0.52, 0.92], [0.08, 0.2, 0.56, 0.95], [0.15, 0.3, 0.62, 0.91], DOG_AND_CAT[1]]
    )
    probabilities = np.float32([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]])
    found, classes, scores, counts = suppressed(boxes[None], probabilities[None], most=3)
    assert counts.numpy().tolist() == [2]
    assert sorted(classes.numpy()[0].tolist()) == [-1, 0, 1]
    assert scores.numpy()[0].tolist() == pytest.approx([0.9, 0.9, 0])
    kept = {tuple(box) for box in found.numpy()[0].tolist()}
    assert kept == {tuple(boxes[0].tolist()), tuple(boxes[3].tolist()), (0.0,) * 4}
