"""Average precision is pycocotools' on written files; kinds of error are told apart."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from tfpipe.boxes.average_precision import (
    MatchedBoxes,
    average_precisions,
    dataset_of,
    in_pixels,
)
from tfpipe.boxes.mistakes import KINDS, mistakes

pycocotools = pytest.importorskip("pycocotools")


def boxes(seed: int, images: int = 12, most: int = 6, classes: int = 3) -> tuple[np.ndarray, ...]:
    """Random true boxes, and what was found: some near them, some not."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.7, (images, most, 2))
    high = np.minimum(low + rng.uniform(0.02, 0.5, low.shape), 1)
    kinds = rng.integers(-1, classes, (images, most, 1))
    crowd = rng.integers(0, 8, (images, most, 1)) == 0
    labels = np.concatenate([low, high, kinds, crowd], axis=-1).astype(np.float32)
    moved = labels[..., :4] + rng.normal(0, 0.03, labels[..., :4].shape)
    scores = rng.uniform(0.05, 1, (images, most, 1))
    taken = np.where(
        rng.uniform(size=kinds.shape) < 0.8, kinds, rng.integers(-1, classes, kinds.shape)
    )
    answers = np.concatenate([moved, scores, taken], axis=-1).astype(np.float32)
    return labels, answers, rng.integers(40, 500, (images, 2))


def by_hand(
    folder: Path, labels: np.ndarray, answers: np.ndarray, sizes: np.ndarray
) -> list[float]:
    """What pycocotools says of files of annotations and results."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    (folder / "true.json").write_text(json.dumps(dataset_of(labels, sizes, ["a", "b", "c"])))
    results = [
        {
            "image_id": image + 1,
            "category_id": int(row[5]) + 1,
            "bbox": in_pixels(row.tolist(), sizes[image].tolist()),
            "score": float(row[4]),
        }
        for image, rows in enumerate(answers)
        for row in rows
        if row[5] >= 0
    ]
    (folder / "found.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "true.json"))
        judge = COCOeval(truth, truth.loadRes(str(folder / "found.json")), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [float(value) for value in judge.stats]


def test_it_is_what_pycocotools_says_of_written_files(tmp_path: Path) -> None:
    for seed in range(3):
        labels, answers, sizes = boxes(seed)
        found = average_precisions(labels, answers, 3, sizes)
        stats = by_hand(tmp_path, labels, answers, sizes)
        by_size = [found.by_size[name] for name in ("small", "medium", "large")]
        own = [found.mean, found.at_50, found.at_75, *by_size]
        expected = [np.nan if value < 0 else value for value in stats[:6]]
        np.testing.assert_allclose(own, expected, atol=1e-12)
        assert found.recall == pytest.approx(stats[8])
        assert np.mean([mean for mean, _ in found.by_class]) == pytest.approx(found.mean)
        assert 0 < found.at_50 < 1
        # The quicker one, by which an interval is drawn.
        matched = MatchedBoxes(labels, answers, 3)
        assert matched.mean(np.arange(12)) == pytest.approx(found.at_50, abs=0.02)


def test_nothing_found_and_nothing_true_are_no_errors() -> None:
    labels, answers, _ = boxes(0)
    answers[..., 5] = -1
    nothing_found = average_precisions(labels, answers, 3)
    assert (nothing_found.mean, nothing_found.recall) == (0.0, 0.0)
    labels[..., 4] = -1
    nothing_true = average_precisions(labels, answers, 3)
    assert np.isnan(nothing_true.mean)
    assert nothing_true.objects == [0, 0, 0]


def test_what_is_ignored_and_too_many_boxes_count_as_in_pycocotools() -> None:
    # A box that is a part of a crowd is not wrong, however small a part.
    labels = np.float32([[[0, 0, 1, 1, 0, 1], [0, 0, 0.1, 0.1, 0, 0]]])
    answers = np.float32([[[0.5, 0.5, 0.6, 0.6, 0.9, 0], [0, 0, 0.1, 0.1, 0.8, 0]]])
    whole = np.arange(1)
    assert average_precisions(labels, answers, 1).at_50 == pytest.approx(1)
    assert MatchedBoxes(labels, answers, 1).mean(whole) == pytest.approx(1)
    assert mistakes(labels[0], answers[0], 0.5).kinds == ["right"]
    # Of 150 objects that are all found, 100 boxes count.
    corners = np.stack(np.meshgrid(np.arange(15), np.arange(10)), -1).reshape(-1, 2) / 20
    many = np.concatenate([corners, corners + 0.04], axis=1)
    labels = np.pad(many, ((0, 0), (0, 2)))[None].astype(np.float32)
    scores = np.linspace(1, 0.5, 150)[:, None]
    answers = np.concatenate([many, scores, 0 * scores], axis=1)[None].astype(np.float32)
    at_50 = average_precisions(labels, answers, 1).at_50
    assert 0.6 < at_50 < 0.7
    assert MatchedBoxes(labels, answers, 1).mean(whole) == pytest.approx(at_50, abs=0.01)


def test_kinds_of_error_are_told_apart() -> None:
    true = np.float32(
        [
            [0.0, 0.0, 0.2, 0.2, 0, 0],
            [0.4, 0.0, 0.6, 0.2, 0, 0],
            [0.8, 0.0, 1.0, 0.2, 1, 0],
            [0.0, 0.8, 0.2, 1.0, 1, 0],
            [0.4, 0.8, 0.6, 1.0, 1, 1],
        ]
    )
    found = np.float32(
        [
            [0.0, 0.0, 0.2, 0.2, 0.9, 0],  # right
            [0.0, 0.0, 0.2, 0.19, 0.8, 0],  # once more
            [0.4, 0.1, 0.6, 0.3, 0.8, 0],  # a third of an overlap: another place
            [0.8, 0.0, 1.0, 0.2, 0.7, 0],  # another class
            [0.8, 0.1, 1.0, 0.3, 0.6, 0],  # both
            [0.2, 0.5, 0.3, 0.6, 0.6, 1],  # nothing is there
            [0.4, 0.8, 0.6, 1.0, 0.6, 1],  # ignored
            [0.0, 0.8, 0.2, 1.0, 0.3, 1],  # below the score: its object is missed
        ]
    )
    one = mistakes(true, found, 0.5)
    assert one.kinds == ["right", "duplicate", "place", "class", "both", "background"]
    assert {kind: one.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 1)
    assert one.matched.tolist() == [0, -1, -1, -1]
    assert one.share == pytest.approx(1 / 9)
    empty = mistakes(true[:0], found[:0], 0.5)
    assert (empty.share, empty.missed) == (1.0, 0)
