"""Average precision, as the COCO challenge measures it, by pycocotools."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from tfpipe.boxes.mistakes import RIGHT, inside, overlap
from tfpipe.errors import MissingDependency

_MOST = 100  # boxes of a class in an image that count
# Sizes of objects, in pixels of their image: below 32x32, up to 96x96, and above.
SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class AveragePrecisions:
    """How well boxes were found, each from 0 to 1; nan where there is no object of a kind.

    Args:
        mean: over the classes and the overlaps 0.5, 0.55, ... 0.95 that make a box right.
        at_50: at an overlap of 0.5.
        at_75: at an overlap of 0.75.
        by_size: `mean` of the objects of each of `SIZES`.
        recall: the share of objects that is found among 100 boxes an image, as a mean over the
            same.
        by_class: `mean` and `at_50` of each class.
        objects: how many objects there are of each class.
        precision: [recalls, classes] at an overlap of 0.5, for each recall 0, 0.01, ... 1; -1 of
            classes without an object.
    """

    mean: float
    at_50: float
    at_75: float
    by_size: dict[str, float]
    recall: float
    by_class: list[tuple[float, float]]
    objects: list[int]
    precision: np.ndarray


def check_pycocotools() -> None:
    """Raise MissingDependency where pycocotools is not installed."""
    if find_spec("pycocotools") is None:
        raise MissingDependency(
            "Average precision is measured by pycocotools, which is not installed. Install it "
            "with: pip install 'tfpipe[detection]'"
        )


def average_precisions(
    labels: np.ndarray,
    answers: np.ndarray,
    classes: int,
    sizes: np.ndarray | None = None,
) -> AveragePrecisions:
    """Return how well boxes were found.

    Args:
        labels: [images, boxes, 6]: corners from 0 to 1, class or -1, whether it is ignored.
        answers: [images, boxes, 6]: corners from 0 to 1, score, class or -1.
        classes: how many there are.
        sizes: [images, 2] height and width in pixels, by which objects are small or large; images
            of 1000 pixels a side when None.

    Raises:
        MissingDependency: when pycocotools is not installed.
    """
    check_pycocotools()
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    pixels = np.full((len(labels), 2), 1000) if sizes is None else sizes
    # It prints what it does.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        truth = COCO()
        truth.dataset = dataset_of(labels, pixels, range(classes))
        truth.createIndex()
        judge = COCOeval(truth, _found(answers, pixels, truth), "bbox")
        judge.evaluate()
        judge.accumulate()
    precision, recall = judge.eval["precision"], judge.eval["recall"]
    counted = labels[(labels[..., 4] >= 0) & (labels[..., 5] == 0)][:, 4].astype(int)
    return AveragePrecisions(
        _mean(precision[..., 0, -1]),
        _mean(precision[0, ..., 0, -1]),
        _mean(precision[5, ..., 0, -1]),
        {name: _mean(precision[..., i, -1]) for i, name in enumerate(SIZES, 1)},
        _mean(recall[..., 0, -1]),
        [
            (_mean(precision[:, :, c, 0, -1]), _mean(precision[0, :, c, 0, -1]))
            for c in range(classes)
        ],
        np.bincount(counted, minlength=classes).tolist(),
        precision[0, :, :, 0, -1],
    )


def dataset_of(labels: np.ndarray, sizes: np.ndarray, names: Sequence[Any]) -> dict[str, Any]:
    """Return boxes as a COCO data set: images, annotations, categories, which are numbered from 1.

    Args:
        labels: [images, boxes, 6]: corners from 0 to 1, class or -1, whether it is ignored.
        sizes: [images, 2] height and width in pixels.
        names: of the classes.
    """
    images = [
        {"id": i, "height": int(h), "width": int(w)} for i, (h, w) in enumerate(sizes.tolist(), 1)
    ]
    annotations: list[dict[str, Any]] = []
    for image, rows in enumerate(labels):
        for row in rows[rows[:, 4] >= 0].tolist():
            box = in_pixels(row, sizes[image])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image + 1,
                    "category_id": int(row[4]) + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(row[5] > 0),
                }
            )
    categories = [{"id": i, "name": str(name)} for i, name in enumerate(names, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def in_pixels(row: Sequence[float], size: Sequence[float]) -> list[float]:
    """Return corners from 0 to 1 as COCO has boxes: [x, y, width, height] in pixels.

    Args:
        row: (x1, y1, x2, y2, ...).
        size: height and width.
    """
    height, width = size
    x1, y1, x2, y2 = row[:4]
    return [x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height]


def _found(answers: np.ndarray, sizes: np.ndarray, truth: Any) -> Any:
    """Return answers as pycocotools takes results."""
    results = []
    for image, rows in enumerate(answers):
        for row in rows[rows[:, 5] >= 0].tolist():
            results.append(
                {
                    "image_id": image + 1,
                    "category_id": int(row[5]) + 1,
                    "bbox": in_pixels(row, sizes[image]),
                    "score": row[4],
                }
            )
    if results:
        return truth.loadRes(results)
    nothing = type(truth)()  # loadRes takes no empty list
    nothing.dataset = {**truth.dataset, "annotations": []}
    nothing.createIndex()
    return nothing


def _mean(values: np.ndarray) -> float:
    """Return the mean of what is known; nan where nothing is."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float("nan")


class MatchedBoxes:
    """Which boxes are at an object, at an overlap of 0.5, image by image.

    Its mean average precision is pycocotools' `at_50`; some images may be taken more than once, by
    which it is known how much it depends on them.

    Args:
        labels: as for `average_precisions`.
        answers: as for `average_precisions`.
        classes: how many there are.
    """

    def __init__(self, labels: np.ndarray, answers: np.ndarray, classes: int) -> None:
        pairs = [*zip(labels, answers, strict=True)]
        self._found = [[_matched(*pair, kind) for pair in pairs] for kind in range(classes)]

    def mean(self, rows: np.ndarray) -> float:
        """Return the mean average precision over the classes; nan without an object.

        Args:
            rows: the images, by number.
        """
        values = [_average_precision([of_class[row] for row in rows]) for of_class in self._found]
        known = [value for value in values if value == value]
        return float(np.mean(known)) if known else float("nan")


def _matched(
    label: np.ndarray, answer: np.ndarray, kind: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the scores of an image's boxes of a class, which are right, and its objects."""
    own = label[label[:, 4] == kind]
    true, ignored = own[own[:, 5] == 0], own[own[:, 5] > 0]
    found = answer[answer[:, 5] == kind]
    found = found[np.argsort(-found[:, 4], kind="stable")][:_MOST]
    right, counts = np.zeros(len(found), bool), np.ones(len(found), bool)
    free = np.ones(len(true), bool)
    overlaps, others = overlap(found, true), inside(found, ignored)
    for row, near in enumerate(overlaps):
        left = np.where(free, near, 0.0)
        if left.max(initial=0.0) >= RIGHT:
            free[int(left.argmax())], right[row] = False, True
        elif others[row].max(initial=0.0) >= RIGHT:
            counts[row] = False
    return found[counts, 4], right[counts], len(true)


def _average_precision(images: Sequence[tuple[np.ndarray, np.ndarray, int]]) -> float:
    """Return the mean of the precision at the recalls 0, 0.01, ... 1; nan without an object."""
    objects = sum(count for _, _, count in images)
    if not objects:
        return float("nan")
    scores = np.concatenate([scores for scores, _, _ in images])
    right = np.concatenate([right for _, right, _ in images])[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(hits) + 1)
    best_after = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / objects, np.linspace(0, 1, 101), side="left")
    return float(np.concatenate([best_after, [0.0]])[np.minimum(places, len(hits))].mean())
