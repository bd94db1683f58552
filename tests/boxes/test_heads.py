"""Heads of detectors: the losses of an image that is worked by hand, and which boxes are found."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.boxes.assignment import offsets
from tfpipe.boxes.heads import AnchorHead, FoundHead, head_of

GRIDS, SIZES, RATIOS, IMAGE = [(1, 2)], [(0.5,)], (1.0,), (100, 100)
# Two anchors: (0, .25, .5, .75) and (.5, .25, 1, .75).
LEFT, RIGHT = (0.0, 0.25, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75)


def head(**options: object) -> AnchorHead:
    return AnchorHead(GRIDS, SIZES, RATIOS, IMAGE, **options)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


# An object of class 1 that is the left anchor moved by a tenth of its width, and padding.
LABEL = np.float32([[[0.05, 0.25, 0.55, 0.75, 1, 0], [0, 0, 0, 0, -1, 0]]])
# Of each anchor the offsets, then the logits of the background and two classes.
OUTPUT = np.float32([[[0.4, 0, 0, 0, 0.5, -1.0, 2.0], [3, 3, 3, 3, 1.0, 0.0, -1.0]]])


def test_the_loss_of_an_image_is_that_of_hand() -> None:
    # Offsets of the left anchor: 10 * 0.05 / 0.5 = 1, and 0; the right one has no object.
    entropies = -np.log(softmax(OUTPUT[0, :, 4:])[[0, 1], [2, 0]])
    classes, boxes = (x.numpy() for x in head().losses(LABEL, OUTPUT))
    assert classes == pytest.approx([entropies.mean()], rel=1e-5)
    assert boxes == pytest.approx([0.6 / 8], rel=1e-4)  # |0.4 - 1| of eight offsets
    wrong, away = (x.numpy() for x in head().errors(LABEL, OUTPUT))
    assert wrong.tolist() == [0.0]
    assert away == pytest.approx([0.6 / 8], rel=1e-4)

    classes, boxes = head(class_loss="focal", box_loss="smooth_l1").losses(LABEL, OUTPUT)
    focal = ((1 - np.exp(-entropies)) ** 2 * entropies).sum()
    assert classes.numpy() == pytest.approx([focal], rel=1e-5)
    assert boxes.numpy() == pytest.approx([0.5 * 0.6**2], rel=1e-4)

    classes, _ = head(class_loss="hard_negatives").losses(LABEL, OUTPUT)
    assert classes.numpy() == pytest.approx([entropies.sum()], rel=1e-5)


def test_of_many_anchors_without_an_object_the_hardest_count() -> None:
    wide = AnchorHead([(1, 8)], [(0.125,)], (1.0,), (100, 100), class_loss="hard_negatives")
    outputs = np.zeros((1, 8, 6), np.float32)
    outputs[0, :, 5] = np.arange(8)  # of the only class, more and more wrong to the right
    label = np.float32([[[*wide.anchors[0], 0, 0]]])
    entropies = -np.log(softmax(outputs[0, :, 4:]))
    expected = entropies[0, 1] + entropies[5:, 0].sum()  # three, the worst
    assert wide.losses(label, outputs)[0].numpy() == pytest.approx([expected], rel=1e-5)


def test_what_is_ignored_is_neither_right_nor_wrong() -> None:
    ignored = LABEL.copy()
    ignored[0, 0, 5] = 1
    classes, boxes = head().losses(ignored, OUTPUT)
    entropy = -np.log(softmax(OUTPUT[0, 1, 4:])[0])
    assert classes.numpy() == pytest.approx([entropy / 2], rel=1e-5)
    assert boxes.numpy().tolist() == [0.0]
    nothing = np.float32([[[0, 0, 0, 0, -1, 0]]])
    assert head(class_loss="focal").losses(nothing, OUTPUT)[1].numpy().tolist() == [0.0]


def test_boxes_are_where_the_offsets_say_the_best_first() -> None:
    one = head(score=0.01, most=4)
    outputs = np.float32([[[0, 0, 0, 0, 0, 50, -50], [0, 0, 0, 0, 0, -50, 60]]])
    outputs[0, 0, :4] = offsets(tf.constant([LEFT]), tf.constant([[0.05, 0.25, 0.55, 0.75]]))[0]
    found = one.answers(tf.constant(outputs)).numpy()[0]
    assert found.shape == (4, 6)
    # Both scores are 1 in float32, and the second is the surer one.
    assert found[:, 4].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert found[:, 5].tolist() == [1.0, 0.0, -1.0, -1.0]
    np.testing.assert_allclose(found[:2, :4], [RIGHT, (0.05, 0.25, 0.55, 0.75)], atol=1e-6)
    assert not found[2:, :4].any()


def test_a_head_is_found_in_a_model_and_survives_a_file(tmp_path: object) -> None:
    inputs = keras.Input((2, 7))
    model = keras.Model(inputs, head(score=0.2, class_loss="focal")(inputs))
    model.save(f"{tmp_path}/head.keras")
    loaded = keras.models.load_model(f"{tmp_path}/head.keras")
    kept = head_of(loaded)
    assert isinstance(kept, AnchorHead)
    assert kept.get_config() == head_of(model).get_config()  # type: ignore[union-attr]
    assert np.array_equal(kept.anchors, head().anchors)
    assert head_of(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])) is None


def test_of_a_model_that_gives_boxes_what_is_none_is_left_out() -> None:
    rows = np.float32(
        [
            [0.1, 0.1, np.nan, 0.3, 0.9, 1],
            [0.5, 0.5, 0.2, 0.7, 0.9, 1],
            [-0.1, 0.2, 0.4, 0.5, 0.8, 1],
            [0.2, 0.2, 0.3, 0.3, 9.0, 0],
            [10.0, 10.0, 40.0, 40.0, 0.7, 0],
            [0.2, 0.2, 0.3, 0.3, 0.6, 0],
            [0, 0, 0, 0, 0, -1],
        ]
    )
    found = FoundHead().answers(tf.constant(rows[None])).numpy()[0]
    assert found[:, 5].tolist() == [1, 0, -1, -1, -1, -1, -1]
    np.testing.assert_allclose(found[0], [0, 0.2, 0.4, 0.5, 0.8, 1], atol=1e-6)
    assert np.isfinite(found).all()
