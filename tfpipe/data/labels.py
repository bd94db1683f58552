"""Labels: what they are, told by their type, shape and values by one rule, and whether they fit."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tfpipe.declare.spec import Label
from tfpipe.errors import DataError, suggest
from tfpipe.text import listed

# Whole numbers of a text file, 0, 1, 2, ..., are classes up to here.
MOST_NUMERALS = 100
# Integers beyond this, and beyond the number of samples, are no class indices.
MOST_CLASSES = 1000

# Whole numbers beyond this are not all there as 32-bit real numbers.
MOST_EXACT = 2**24

# A whole number as a text.
WHOLE = re.compile(r"[+-]?[0-9]+")

LabelKind = Literal["auto", "class", "number"]
LabelType = Literal["words", "numerals", "integers", "floats"]


def label_kind(
    values_type: LabelType, shape: tuple[int, ...] = (), distinct: Collection[float] = ()
) -> Literal["class", "multilabel", "real"]:
    """Return what labels are where the declaration does not say it.

    Words are classes. Integers are class indices, or yes/no answers where a sample has several.
    Floats are real numbers. Numerals, the numbers of a text file, have no type of their own: they
    are classes where 0, 1, 2, ... all occur, or -1 and 1 alone, and real numbers otherwise.

    Args:
        values_type: how the labels are given.
        shape: of one label, without the batch axis.
        distinct: the different values of numerals.
    """
    if values_type == "numerals":
        known = set(distinct)
        counted = 2 <= len(known) <= MOST_NUMERALS and known == set(range(len(known)))
        return "class" if counted or known == {-1, 1} else "real"
    if values_type == "floats":
        return "real"
    return "class" if shape in ((), (1,)) else "multilabel"


def numbered(count: int) -> tuple[str, ...]:
    """Return names for so many classes that nobody named: `0`, `1`, `2`."""
    return tuple(map(str, range(count)))


@dataclass(frozen=True)
class LabelReading:
    """How labels that came as an array are read.

    Args:
        label: what is predicted.
        how: what they are and why, for people.
        values: what the labels of each class are; None where they are class indices already, or no
            classes.
        one_hot: whether each label is a row with a single 1.
    """

    label: Label
    how: str
    values: tuple[Any, ...] | None = None
    one_hot: bool = False

    def read(self, labels: np.ndarray, where: str) -> np.ndarray:
        """Return class indices, answers or numbers; raise DataError for a label of no class.

        Args:
            labels: as they came.
            where: what they are of, for the error: "split 'test'".
        """
        if self.one_hot:
            ones = ((labels == 0) | (labels == 1)).all(axis=1) & (labels.sum(axis=1) == 1)
            _refuse(~ones, labels, where, "is no row with a single 1, as those of training are")
            return labels.argmax(axis=1).astype(np.int64)
        if self.label.kind == "real":
            return labels.astype(np.float32)
        if self.label.kind == "multilabel":
            _refuse((labels != 0) & (labels != 1), labels, where, "is no row of 0 and 1")
            return labels.astype(np.int64)
        if self.values is None:
            _refuse(labels % 1 != 0, labels, where, "is no whole number, as those of training are")
            return labels.astype(np.int64)
        indices = {value: index for index, value in enumerate(self.values)}
        given = labels.tolist()
        read = [indices.get(value, -1) for value in given]
        if -1 in read:
            row = read.index(-1)
            raise DataError(
                f"{where}: the label {given[row]!r} in row {row} is none of the classes, which "
                f"are {listed(self.values, 10)}. Declare all their names with classes=(...)."
            )
        return np.array(read, np.int64)


def read_array(labels: np.ndarray, classes: tuple[str, ...], kind: LabelKind) -> LabelReading:
    """Return how an array of labels is read; raise DataError where that is unclear.

    Args:
        labels: [rows, ...] texts, booleans or numbers, as they came.
        classes: the declared class names; () to tell them by the labels.
        kind: what is declared of them: classes, numbers, or nothing.
    """
    shape = labels.shape[1:]
    rows = labels.ndim == 2 and labels.shape[1] > 1 and len(labels) > 1 and kind != "number"
    if rows and set(np.unique(labels)) == {0, 1} and (labels.sum(axis=1) == 1).all():
        names = classes or numbered(shape[0])
        return LabelReading(_classes(names), f"one-hot rows of {shape[0]} classes", one_hot=True)
    if labels.ndim == 1 and labels.dtype.kind == "O" and kind == "number":
        raise DataError(
            f"Arrays: y holds texts such as {labels[0]!r}, and numbers are asked for, by task= or "
            "label_kind=."
        )
    if labels.ndim == 1 and labels.dtype.kind in "Ob" and kind != "number":
        return read_words(labels, classes)
    whole = labels.dtype.kind != "f" or bool((labels == np.floor(labels)).all())
    if labels.dtype.kind == "f" or kind == "number":
        distinct = np.unique(labels).tolist() if whole and labels.ndim == 1 else []
        numerals = bool(distinct) and label_kind("numerals", (), distinct) == "class"
        if kind == "number" or not (kind == "class" or classes or numerals):
            return LabelReading(Label("label", "real", shape), _reading_of_numbers(labels))
        if not whole:
            raise DataError(
                "Arrays: y holds numbers with fractions, and its labels are declared to be "
                "classes. Round them, or leave out the task and the classes."
            )
        labels = labels.astype(np.int64)
    if label_kind("integers", shape) == "class":
        return read_integers(labels, classes, kind)
    if labels.ndim == 2 and set(np.unique(labels)) <= {0, 1}:
        label = Label("label", "multilabel", shape, classes or numbered(labels.shape[1]))
        return LabelReading(label, f"{labels.shape[1]} yes/no answers")
    raise DataError(
        f"Arrays: y of whole numbers and shape {labels.shape} is neither class indices [rows] nor "
        "yes/no answers [rows, several] of 0 and 1. For real numbers use a float type."
    )


def read_several(
    labels: Mapping[str, np.ndarray], classes: tuple[str, ...], kinds: Mapping[str, LabelKind]
) -> dict[str, LabelReading]:
    """Return how each of several labels is read, by name; see `read_array`."""
    if classes:
        raise DataError(
            f"Arrays: classes names the classes of one label, and y has {listed(labels, 5)}. Leave "
            "it out, and give the labels as texts."
        )
    for name in kinds:
        if name not in labels:
            raise DataError(
                f"Arrays: label_kind, or the task, names {name!r}. {suggest(name, labels)}"
            )
    readings = {}
    for name, array in labels.items():
        reading = read_array(array, (), kinds.get(name, "auto"))
        readings[name] = replace(reading, label=reading.label.replace(name=name))
    return readings


def reading_of_column(label: Label, labels: np.ndarray | Mapping[str, np.ndarray]) -> str:
    """Return how the label column of a file was read, for people.

    Args:
        label: what is predicted.
        labels: class indices, or numbers; a mapping of several labels.
    """
    if isinstance(labels, Mapping):
        parts = (f"{p.name}: {reading_of_column(p, labels[p.name])}" for p in label.parts)
        return "; ".join(parts)
    if label.is_class:
        numerals = all(map(WHOLE.fullmatch, label.classes))
        undo = "; task='regression' takes them for numbers" if numerals else ""
        return f"{'whole numbers' if numerals else 'words'} of {len(label.classes)} classes{undo}"
    if label.classes:
        return f"{len(label.classes)} yes/no answers: {listed(label.classes, 5)}"
    if label.columns:
        return f"{len(label.columns)} real numbers: {listed(label.columns, 5)}"
    return _reading_of_numbers(labels)


def _reading_of_numbers(labels: np.ndarray) -> str:
    if len(labels) and np.abs(labels).max() > MOST_EXACT and (labels % 1 == 0).all():
        return (
            f"whole numbers up to {labels.max():,.0f}, of which those beyond {MOST_EXACT:,} are "
            "rounded to 32 bits: subtract the smallest, or divide"
        )
    distinct = np.unique(labels) if labels.ndim == 1 else labels[:0]
    if 1 < len(distinct) <= MOST_NUMERALS and bool((distinct == np.floor(distinct)).all()):
        return (
            f"whole numbers {distinct[0]:g} to {distinct[-1]:g}, taken for real numbers; "
            "task='classification' makes classes of them"
        )
    return "real numbers"


def read_words(labels: np.ndarray, classes: tuple[str, ...]) -> LabelReading:
    """Return how texts and booleans are read: each different one is a class."""
    distinct = sorted(set(labels.tolist()))
    if all(isinstance(value, str) and WHOLE.fullmatch(value) for value in distinct):
        distinct.sort(key=int)
    names = tuple(map(str, distinct))
    if classes and not set(names) <= set(classes):
        unknown = next(name for name in names if name not in classes)
        raise DataError(
            f"Arrays: y has the label {unknown!r}, which classes does not name. "
            f"{suggest(unknown, classes)}"
        )
    if classes:
        by_name = dict(zip(names, distinct, strict=True))
        distinct = [by_name.get(name, name) for name in classes]
    if len(distinct) < 2:
        raise DataError(_one_class(repr(names[0])))
    what = "booleans" if labels.dtype.kind == "b" else "texts"
    how = f"{what} of {len(distinct)} classes"
    return LabelReading(_classes(classes or names), how, tuple(distinct))


def read_integers(labels: np.ndarray, classes: tuple[str, ...], kind: LabelKind) -> LabelReading:
    """Return how whole numbers are read: as indices from 0, or each different one is a class."""
    distinct = np.unique(labels).tolist()
    lowest, highest = distinct[0], distinct[-1]
    if classes and set(map(str, distinct)) <= set(classes):
        by_name = {str(value): value for value in distinct}
        values = tuple(by_name.get(name, name) for name in classes)
        return LabelReading(_classes(classes), "numbers that classes names", values)
    if classes and not (lowest < 0 or highest >= len(classes)):
        return LabelReading(_classes(classes), f"indices of the {len(classes)} declared classes")
    if len(distinct) == 1 and not classes:
        raise DataError(_one_class(str(lowest)))
    few = len(distinct) <= MOST_CLASSES and 2 * len(distinct) <= len(labels)
    # Of indices a few may be missing; 0 and 255 are two classes.
    indices = lowest == 0 and highest < max(MOST_CLASSES, len(labels))
    if classes or (indices and 2 * len(distinct) >= highest):
        names = classes or numbered(max(2, highest + 1))
        return LabelReading(_classes(names), f"class indices 0 to {len(names) - 1}")
    if len(distinct) > 1 and (few or kind == "class"):
        how = f"whole numbers {lowest} to {highest}, each different one a class"
        return LabelReading(_classes(tuple(map(str, distinct))), how, tuple(distinct))
    raise DataError(
        f"Arrays: y holds whole numbers from {lowest} to {highest} in {len(labels)} samples, which "
        "are hardly classes. For real numbers use a float type, y.astype('float32'), or declare "
        "task='regression'."
    )


def _refuse(wrong: np.ndarray, labels: np.ndarray, where: str, why: str) -> None:
    """Raise DataError for the first row with a label for which a condition holds."""
    rows = np.flatnonzero(wrong.reshape(len(labels), -1).any(axis=1))
    if len(rows):
        row = int(rows[0])
        raise DataError(f"{where}: the label in row {row}, {labels[row].tolist()!r}, {why}.")


def _one_class(name: str) -> str:
    return f"Arrays: y holds one class only, {name}. Name those without samples too, by classes=."


def _classes(names: tuple[str, ...]) -> Label:
    return Label("label", "class", (), names)


def check_labels(labels: np.ndarray | Mapping[str, np.ndarray], label: Label, where: str) -> None:
    """Refuse class indices that have no class; raise DataError naming the first offender."""
    if isinstance(labels, Mapping):
        for part in label.parts:
            check_labels(labels[part.name], part, f"{where}, {part.name!r}")
        return
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
