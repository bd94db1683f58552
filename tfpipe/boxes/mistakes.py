"""What is wrong with the boxes that were found: the kinds of error, image by image."""

from dataclasses import dataclass

import numpy as np

KINDS = ("class", "place", "both", "duplicate", "background", "missed")
RIGHT = 0.5  # the intersection over union from which on a box is at its object
NEAR = 0.1  # and from which on it means it

_LITTLE = 1e-12


@dataclass(frozen=True)
class Mistakes:
    """What became of the boxes that were found in an image, and of its objects.

    Bolya and others, 2020, arXiv:2008.08115, tell the kinds apart so: a box at an object is right,
    of another "class", or a "duplicate" of a better one; one that is near an object of its class
    is at another "place", near one of another class "both" are wrong; what is near none is
    "background". An object is "missed" where no box is at it or near it.

    Args:
        kinds: [found] the kind of each box, the best first; "right" or one of `KINDS`.
        matched: [objects] the number of the box that is right; -1 where there is none.
        missed: how many objects are missed.
    """

    kinds: list[str]
    matched: np.ndarray
    missed: int

    @property
    def right(self) -> int:
        """How many boxes are right."""
        return self.kinds.count("right")

    @property
    def share(self) -> float:
        """Right boxes among all boxes and all objects without one, 0 to 1; 1 of nothing at all."""
        whole = len(self.kinds) + int((self.matched < 0).sum())
        return self.right / whole if whole else 1.0

    def count(self, kind: str) -> int:
        """Return how often a kind occurs."""
        return self.missed if kind == "missed" else self.kinds.count(kind)


def mistakes(label: np.ndarray, answer: np.ndarray, least: float) -> Mistakes:
    """Return what is wrong with the boxes of an image whose score is at least `least`.

    Objects that are ignored count nowhere, nor does a box that is at one of them.

    Args:
        label: [boxes, 6]: corners, class or -1, whether it is ignored.
        answer: [boxes, 6]: corners, score, class or -1.
        least: the score from which on a box counts.
    """
    real = label[label[:, 4] >= 0]
    true, ignored = real[real[:, 5] == 0], real[real[:, 5] > 0]
    found = answer[(answer[:, 5] >= 0) & (answer[:, 4] >= least)]
    found = found[np.argsort(-found[:, 4], kind="stable")]
    overlaps, same = overlap(found, true), found[:, 5:6] == true[None, :, 4]
    near_ignored = inside(found, ignored).max(axis=1, initial=0.0) >= RIGHT
    matched, covered = np.full(len(true), -1), np.zeros(len(true), bool)
    kinds = []
    for row, (near, own) in enumerate(zip(overlaps, same, strict=True)):
        of_own = np.where(own, near, 0.0)
        free = np.where(matched < 0, of_own, 0.0)
        best = int(near.argmax()) if len(near) else -1
        if free.max(initial=0.0) >= RIGHT:
            matched[int(free.argmax())] = row
            kinds.append("right")
        elif of_own.max(initial=0.0) >= RIGHT:
            kinds.append("duplicate")
        elif near_ignored[row]:
            continue
        elif near.max(initial=0.0) >= RIGHT:
            kinds.append("class")
            covered[best] = True
        elif of_own.max(initial=0.0) >= NEAR:
            kinds.append("place")
            covered[int(of_own.argmax())] = True
        elif near.max(initial=0.0) >= NEAR:
            kinds.append("both")
        else:
            kinds.append("background")
    return Mistakes(kinds, matched, int(((matched < 0) & ~covered).sum()))


def inside(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which share of each box is inside of each other, [boxes, others].

    So COCO tells whether a box is at something ignored, such as a crowd, of which it is a part.

    Args:
        boxes: [boxes, 4 or more] corners first.
        others: [others, 4 or more] corners first.
    """
    shares = overlap(boxes, others)
    areas = [np.prod(b[:, 2:4] - b[:, :2], axis=-1) for b in (boxes, others)]
    # Of an overlap o = common / (a + b - common) the common area is o (a + b) / (1 + o).
    common = shares * (areas[0][:, None] + areas[1][None]) / (1 + shares)
    return np.asarray(common / np.maximum(areas[0][:, None], _LITTLE))


def overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box with each other, [boxes, others].

    Args:
        boxes: [boxes, 4 or more] corners first.
        others: [others, 4 or more] corners first.
    """
    first, second = boxes[:, None, :4], others[None, :, :4]
    low, high = np.maximum(first, second)[..., :2], np.minimum(first, second)[..., 2:]
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(np.maximum(b[..., 2:] - b[..., :2], 0), axis=-1) for b in (first, second)]
    return np.asarray(common / np.maximum(areas[0] + areas[1] - common, _LITTLE))
