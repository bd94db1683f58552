"""Labels: what they are, told by their type, shape and values by one rule, and whether they fit."""

from collections.abc import Collection
from typing import Literal

import numpy as np

from tfpipe.declare.spec import Label
from tfpipe.errors import DataError

# Whole numbers of a text file, 0, 1, 2, ..., are classes up to here.
MOST_NUMERALS = 100
# Integers beyond this, and beyond the number of samples, are no class indices.
MOST_CLASSES = 1000

LabelType = Literal["words", "numerals", "integers", "floats"]


def label_kind(
    values_type: LabelType, shape: tuple[int, ...] = (), distinct: Collection[float] = ()
) -> Literal["class", "multilabel", "real"]:
    """Return what labels are where the declaration does not say it.

    Words are classes. Integers are class indices, or yes/no answers where a sample has several.
    Floats are real numbers. Numerals, the numbers of a text file, have no type of their own: they
    are classes where 0, 1, 2, ... all occur, and real numbers otherwise.

    Args:
        values_type: how the labels are given.
        shape: of one label, without the batch axis.
        distinct: the different values of numerals.
    """
    if values_type == "numerals":
        whole = 2 <= len(distinct) <= MOST_NUMERALS and set(distinct) == set(range(len(distinct)))
        return "class" if whole else "real"
    if values_type == "floats":
        return "real"
    return "class" if shape in ((), (1,)) else "multilabel"


def numbered(count: int) -> tuple[str, ...]:
    """Return names for so many classes that nobody named: `0`, `1`, `2`."""
    return tuple(map(str, range(count)))


def label_of_array(labels: np.ndarray, classes: tuple[str, ...]) -> Label:
    """Return what an array of labels says; raise DataError where that is unclear.

    Args:
        labels: [rows, ...] numbers.
        classes: the declared class names; () to number them.
    """
    if _is_one_hot(labels):
        raise DataError(
            f"Arrays: y of shape {labels.shape} has a single 1 in each row, so it looks one-hot. "
            "Give class indices: y.argmax(axis=1)."
        )
    shape = labels.shape[1:]
    kind = label_kind("floats" if labels.dtype.kind == "f" else "integers", shape)
    if kind == "real":
        return Label("label", "real", shape)
    if kind == "class":
        highest = int(labels.max())
        if not classes and highest >= max(MOST_CLASSES, len(labels)):
            raise DataError(
                f"Arrays: y holds whole numbers up to {highest} in {len(labels)} samples, which "
                "are hardly class indices. For real numbers use a float type: y.astype('float32')."
            )
        return Label("label", "class", (), classes or numbered(max(2, highest + 1)))
    if labels.ndim == 2 and set(np.unique(labels)) <= {0, 1}:
        return Label("label", "multilabel", shape, classes or numbered(labels.shape[1]))
    raise DataError(
        f"Arrays: y of whole numbers and shape {labels.shape} is neither class indices [rows] nor "
        "yes/no answers [rows, several] of 0 and 1. For real numbers use a float type."
    )


def _is_one_hot(labels: np.ndarray) -> bool:
    if labels.ndim != 2 or labels.shape[1] < 2 or len(labels) < 2:
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def check_labels(labels: np.ndarray, label: Label, where: str) -> None:
    """Refuse class indices that have no class; raise DataError naming the first offender."""
    if not label.is_class:
        return
    count = len(label.classes)
    wrong = np.flatnonzero((labels < 0) | (labels >= count))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{where}: {len(wrong)} of {len(labels)} labels are outside the range 0 to {count - 1} "
            f"of {count} classes, the first is {labels[row]} in row {row}. Number the classes from "
            "0, or declare all their names with classes=(...)."
        )
