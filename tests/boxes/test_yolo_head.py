"""The head of YOLOv3: what its numbers mean, and a loss that was computed by hand."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.boxes.yolo_head import YOLOHead

# An image of 64x64 pixels, with grids of 2x2 and 4x4 cells and two anchors in each cell.
GRIDS = ((2, 2), (4, 4))
ANCHORS = (((40, 20), (48, 48)), ((8, 8), (10, 20)))
CLASSES = 3
COUNT = 2 * (4 + 16)


def head(**options: Any) -> YOLOHead:
    return YOLOHead(GRIDS, ANCHORS, (64, 64), **options)


def noise(batch: int = 1, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(0, scale, (batch, COUNT, 5 + CLASSES)).astype(np.float32)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def place(grid: int, row: int, column: int, anchor: int) -> int:
    """The number of an anchor: 8 of the first grid, then 32."""
    return 8 * grid + (row * GRIDS[grid][1] + column) * 2 + anchor


def box_of(numbers: np.ndarray, number: int) -> tuple[float, ...]:
    """The corners of an anchor's box, from 0 to 1."""
    grid, rest = (0, number) if number < 8 else (1, number - 8)
    rows, columns = GRIDS[grid]
    row, column, anchor = rest // 2 // columns, rest // 2 % columns, rest % 2
    width, height = np.exp(numbers[2:4].astype(np.float64)) * ANCHORS[grid][anchor] / 64
    x = (column + sigmoid(numbers[0])) / columns
    y = (row + sigmoid(numbers[1])) / rows
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def iou_of(one: Any, two: Any) -> float:
    wide = max(0.0, min(one[2], two[2]) - max(one[0], two[0]))
    high = max(0.0, min(one[3], two[3]) - max(one[1], two[1]))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, two)]
    return wide * high / (sum(areas) - wide * high)


# What the numbers mean


def test_boxes_lie_in_their_cells_and_scores_are_products() -> None:
    outputs = noise()
    boxes, odds = head().decoded(outputs)
    expected = np.clip([box_of(o, n) for n, o in enumerate(outputs[0])], 0, 1)
    np.testing.assert_allclose(boxes[0], expected, atol=1e-6)
    scores = sigmoid(outputs[0, :, 4:5]) * sigmoid(outputs[0, :, 5:])
    np.testing.assert_allclose(odds[0], np.log(scores / (1 - scores)), rtol=1e-4, atol=1e-5)


def test_the_better_of_boxes_that_are_nearly_sure_can_still_be_told() -> None:
    outputs = np.full((1, COUNT, 5 + CLASSES), -30, np.float32)
    for number, logit in ((0, 40.0), (1, 41.0), (2, 42.0)):
        outputs[0, number, 4:6] = logit
    odds = head().decoded(outputs)[1].numpy()[0, :, 0]
    assert np.isfinite(odds).all()
    assert odds[2] > odds[1] > odds[0] > 39
    np.testing.assert_allclose(odds[0], 40 - np.log(2), rtol=1e-6)
    # And where one of the two is certain, the other decides.
    outputs[0, :2, 4:6] = [[100, 3], [2, 100]]
    np.testing.assert_allclose(head().decoded(outputs)[1][0, :2, 0], [3, 2], rtol=1e-5)


def test_answers_are_the_boxes_above_the_score() -> None:
    outputs = np.full((1, COUNT, 5 + CLASSES), -10, np.float32)
    outputs[..., :4] = 0
    outputs[0, place(0, 1, 0, 1), [4, 7]] = 4  # 0.96
    outputs[0, place(0, 1, 1, 0), [4, 5]] = 1  # 0.53
    (rows,) = head(score=0.65, most=3).answers(outputs).numpy()
    np.testing.assert_allclose(rows[0], [0, 0.375, 0.625, 1, sigmoid(4) ** 2, 2], atol=1e-5)
    assert rows[1:, 5].tolist() == [-1, -1]
    (rows,) = head(score=0.5, most=3).answers(outputs).numpy()
    assert rows[:, 5].tolist() == [2, 0, -1]


def test_large_numbers_give_no_infinity_and_no_gradient_that_is_none() -> None:
    outputs = tf.constant(noise(scale=300.0))
    labels = np.array([[[0.1, 0.1, 0.9, 0.9, 0, 0], [0, 0, 0, 0, -1, 0]]], np.float32)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        boxes, odds = head().decoded(outputs)
        total = tf.add_n(head().losses(labels, outputs))
    for values in (boxes, odds, total, tape.gradient(total, outputs)):
        assert np.isfinite(values).all()
    assert 0 <= boxes.numpy().min() <= boxes.numpy().max() <= 1


def test_a_saved_head_is_the_same(tmp_path: Any) -> None:
    inputs = keras.Input((COUNT, 5 + CLASSES))
    model = keras.Model(inputs, head(least=0.4, score=0.3, overlap=0.2, most=7)(inputs))
    model.save(tmp_path / "head.keras")
    again = keras.models.load_model(tmp_path / "head.keras").layers[-1]
    assert again.get_config() == model.layers[-1].get_config()
    outputs, labels = noise(), np.array([[[0.1, 0.1, 0.9, 0.9, 1, 0]]], np.float32)
    for own, other in zip(
        head(least=0.4).losses(labels, outputs), again.losses(labels, outputs), strict=True
    ):
        np.testing.assert_array_equal(own, other)


# What is learnt

SQUARE = [0.125, 0.125, 0.875, 0.875]  # 48x48 pixels, its middle is the corner of four cells
WIDE = [0.05, 0.1, 0.65, 0.4]  # 38x19 pixels
SMALL = [0.80, 0.80, 0.92, 0.92]  # 8x8 pixels
CROWD = [0.35, 0.60, 0.50, 0.92]  # 10x20 pixels, ignored
LABELS = np.array(
    [
        [
            [*SQUARE, 2, 0],
            [*WIDE, 0, 0],
            [*CROWD, 1, 1],
            [*SMALL, 1, 0],
            [0, 0, 0, 0, -1, 0],
        ]
    ],
    np.float32,
)
FINDERS = {
    place(0, 1, 1, 1): (SQUARE, 2),
    place(0, 0, 0, 0): (WIDE, 0),
    place(1, 3, 3, 0): (SMALL, 1),
}
LEFT = place(1, 3, 1, 1)  # what would find the crowd


def test_each_object_is_found_by_the_anchor_of_its_shape_in_the_cell_of_its_middle() -> None:
    rows, ignored = head().targets(tf.constant(LABELS))
    assert {n: int(r) for n, r in enumerate(rows[0]) if r >= 0} == dict(
        zip(FINDERS, (0, 1, 3), strict=True)
    )
    assert np.flatnonzero(ignored[0]).tolist() == [LEFT]


def test_the_loss_is_the_one_computed_by_hand() -> None:
    outputs = noise(2)
    near = place(0, 1, 0, 1)  # finds nothing by itself, and lies on the square all the same
    outputs[:, near, :4] = [4.5, -4.5, 0, 0]
    labels = np.concatenate([LABELS, np.array([[[0] * 4 + [-1, 0]] * 5], np.float32)])
    objects, kinds, boxes, free = 0.0, 0.0, 0.0, []
    for number, own in enumerate(outputs[0].astype(np.float64)):
        held = number in FINDERS
        overlaps = [iou_of(box_of(own, number), b) for b in (SQUARE, WIDE, SMALL, CROWD)]
        if not held and (number == LEFT or max(overlaps) > 0.5):
            free.append(number)
            continue
        there = sigmoid(own[4])
        objects -= np.log(there if held else 1 - there)
        if not held:
            continue
        (x1, y1, x2, y2), kind = FINDERS[number]
        for index, probability in enumerate(sigmoid(own[5:])):
            kinds -= np.log(probability if index == kind else 1 - probability)
        grid, rest = (0, number) if number < 8 else (1, number - 8)
        side = GRIDS[grid][0]
        row, column, anchor = rest // 2 // side, rest // 2 % side, rest % 2
        wanted = (
            (x1 + x2) / 2 * side - column,
            (y1 + y2) / 2 * side - row,
            np.log((x2 - x1) * 64 / ANCHORS[grid][anchor][0]),
            np.log((y2 - y1) * 64 / ANCHORS[grid][anchor][1]),
        )
        given = (sigmoid(own[0]), sigmoid(own[1]), own[2], own[3])
        small = 2 - (x2 - x1) * (y2 - y1)
        boxes += small * sum((w - g) ** 2 for w, g in zip(wanted, given, strict=True))
    assert near in free
    assert LEFT in free
    classes_loss, box_loss = head().losses(labels, tf.constant(outputs))
    np.testing.assert_allclose(classes_loss[0], objects + kinds, rtol=1e-5)
    np.testing.assert_allclose(box_loss[0], boxes, rtol=1e-5)
    # Nothing is in the second image: each anchor should say so.
    empty = -np.log(1 - sigmoid(outputs[1, :, 4])).sum()
    np.testing.assert_allclose([classes_loss[1], box_loss[1]], [empty, 0], rtol=1e-5)
    # With a threshold that nothing reaches, none but the crowd's own is left out.
    strict = head(least=1.0).losses(labels, outputs)[0][0]
    others = -np.log(1 - sigmoid(outputs[0, [n for n in free if n != LEFT], 4])).sum()
    np.testing.assert_allclose(strict - classes_loss[0], others, rtol=1e-4)


def perfect(found: dict[int, tuple[list[float], int]]) -> np.ndarray:
    """Outputs that find each object exactly, and nothing else."""
    outputs = np.full((1, COUNT, 5 + CLASSES), -20, np.float32)
    outputs[..., :4] = 0
    for number, ((x1, y1, x2, y2), kind) in found.items():
        grid, rest = (0, number) if number < 8 else (1, number - 8)
        side = GRIDS[grid][0]
        row, column, anchor = rest // 2 // side, rest // 2 % side, rest % 2
        middle = np.array([(x1 + x2) / 2 * side - column, (y1 + y2) / 2 * side - row])
        middle = np.clip(middle, 1e-6, 1 - 1e-6)
        sides = np.array([x2 - x1, y2 - y1]) * 64 / ANCHORS[grid][anchor]
        outputs[0, number, :4] = [*np.log(middle / (1 - middle)), *np.log(sides)]
        outputs[0, number, [4, 5 + kind]] = 20
    return outputs


def test_what_is_found_exactly_costs_nothing() -> None:
    outputs = perfect(FINDERS)
    for values in (*head().losses(LABELS, outputs), *head().errors(LABELS, outputs)):
        np.testing.assert_allclose(values, 0, atol=1e-5)
    found = head(most=4).answers(outputs).numpy()[0]
    assert {tuple(row.round(3)) for row in found[:, [0, 1, 2, 3, 5]].astype(float)} == {
        *((*(round(side, 3) for side in box), float(kind)) for box, kind in FINDERS.values()),
        (0, 0, 0, 0, -1),
    }


def test_errors_are_the_shares_of_wrong_anchors_and_the_mean_of_offsets() -> None:
    outputs = perfect(FINDERS)
    outputs[0, LEFT, 4] = 20  # a crowd may be found or not
    outputs[0, place(1, 0, 0, 0), 4] = 20  # nothing is there
    outputs[0, place(1, 3, 3, 0), 4] = -20  # not found
    outputs[0, place(0, 0, 0, 0), 7] = 30  # taken for another class
    outputs[0, place(0, 1, 1, 1), 2] += 0.5
    wrong, away = head().errors(LABELS, tf.constant(outputs))
    np.testing.assert_allclose(wrong, [3 / COUNT], rtol=1e-5)
    np.testing.assert_allclose(away, [0.5 / COUNT / 4], rtol=1e-4)


def test_of_two_objects_for_one_anchor_the_first_has_it_and_a_crowd_never() -> None:
    two = np.array([[[*SMALL, 1, 1], [*SMALL, 2, 0], [*SMALL, 0, 0]]], np.float32)
    rows, ignored = head().targets(tf.constant(two))
    assert int(rows[0, place(1, 3, 3, 0)]) == 1
    assert not ignored.numpy().any()


@pytest.mark.parametrize("corner", [0.0, 1.0])
def test_an_object_at_the_edge_is_in_the_last_cell(corner: float) -> None:
    labels = np.array([[[corner, corner, corner, corner, 0, 0]]], np.float32)
    labels[..., :2] -= 0.05
    labels[..., 2:4] += 0.05
    rows, _ = head().targets(tf.constant(labels))
    last = 3 * int(corner)
    assert np.flatnonzero(rows[0] >= 0).tolist() == [place(1, last, last, 0)]


def test_it_learns_to_find_the_objects() -> None:
    outputs = tf.Variable(noise())
    optimizer, own = keras.optimizers.Adam(0.1), head(most=4, score=0.5)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.add_n(own.losses(tf.constant(LABELS), outputs))
        optimizer.apply([tape.gradient(loss, outputs)], [outputs])
        return loss

    first = float(step()[0])
    for _ in range(200):
        last = float(step()[0])
    assert last < first / 100
    found = own.answers(outputs).numpy()[0]
    best = {int(row[5]): row[:4] for row in found[::-1] if row[5] >= 0}
    for box, kind in FINDERS.values():
        np.testing.assert_allclose(best[kind], box, atol=0.03)
