"""The label of a CSV file: classes, numbers, or several columns of yes/no answers or numbers."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tfpipe.data.csv.columns import (
    Values,
    count_words,
    mostly_floats,
    numbers,
    short,
    too_many,
    value_of,
    words,
)
from tfpipe.data.csv.reader import CsvRows
from tfpipe.data.csv.recognition import Notation
from tfpipe.data.labels import MOST_EXACT, WHOLE, LabelType, label_kind, numbered
from tfpipe.declare.formats import NumberFormat
from tfpipe.declare.spec import Label
from tfpipe.errors import DataError
from tfpipe.text import quoted

_YES_NO = (("0", "1"), ("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"), ("-", "+"))


@dataclass(frozen=True)
class Target:
    """What a label column says.

    Args:
        words: how each class is written in the file, in order of the index; None for numbers.
        names: the class names.
        format: how numbers are written; None where as Python does.
    """

    words: tuple[str, ...] | None = None
    names: tuple[str, ...] = ()
    format: NumberFormat | None = None

    def index(self, word: str) -> int:
        """Return the place of a class; numbers are compared as such, so that 1.0 is 1. -1: none."""
        known = self.words or ()
        if word in known:
            return known.index(word)
        folded = [k.lower() for k in known]
        if folded.count(word.lower()) == 1:  # TRUE and True are one answer
            return folded.index(word.lower())
        value = value_of(word)
        same = (i for i, k in enumerate(known) if value_of(k) == value < math.inf)
        return next(same, -1)

    def check(self, labels: np.ndarray, name: str, shown: str, declared: bool) -> None:
        """Refuse a label that is the same in all rows, or lacks a class that was found.

        Args:
            labels: of the training rows.
            name: the column.
            shown: the file.
            declared: whether the classes are declared.
        """
        known, first = self.words, labels[0]
        if (labels == first).all():
            always = f"{first:g}" if known is None else repr(known[int(first)])
            missing = known is not None
            why = "telling classes apart takes two" if missing else "there is nothing to learn"
            if known is None and abs(first) > MOST_EXACT:
                why += ": numbers are rounded to 32 bits, so subtract the smallest from them"
            raise DataError(
                f"{shown}: the label {name!r} is {always} in all {len(labels):,} rows, and {why}."
            )
        lost = sorted(set(range(len(known or ()))) - set(labels.tolist()))
        if lost and known is not None and not declared:
            raise DataError(
                f"{shown}: every row of the class {known[lost[0]]!r} is broken. Repair one, or say "
                "which classes there are with classes=(...)."
            )


def target_of(
    table: CsvRows, name: str, kind: str, classes: tuple[str, ...], notation: Notation
) -> Target:
    """Return what the label of the training file is.

    Args:
        table: the training file.
        name: the label's column.
        kind: "class", "number", or "auto" to tell by the values.
        classes: the classes as declared; () to find them.
        notation: how the file is written.

    Raises:
        DataError: when there are too many different words for classes.
    """
    counts = count_words(table, name, notation.missing)
    distinct = set(counts)
    plain = mostly_floats(table, name, notation.missing) is not None and notation.is_plain
    whole = all(map(WHOLE.fullmatch, counts))
    form = None if plain or whole else notation.format_of(counts, kind == "number")
    if kind == "auto" and form is not None and form.unit.isalpha():
        form = None  # 2d and 3d are rather names than numbers of days
    if kind == "number":
        if counts and form is None and not (plain or whole):
            raise DataError(
                f"{table.shown}: the label {name!r} holds words such as "
                f"{short(next(iter(counts)))}, and numbers are asked for, by task= or label_kind=."
            )
        return Target(format=form)
    if classes:
        named = not distinct & set(classes) and all(value_of(c) == math.inf for c in classes)
        return Target(numbered(len(classes)) if named else classes, classes)
    numeric = {word: value for word in distinct if (value := value_of(word)) < math.inf}
    if kind == "auto":
        if form is not None:
            return Target(format=form)
        values_type: LabelType = "numerals" if plain else "words"
        if label_kind(values_type, distinct=set(numeric.values())) == "real":
            return Target()
        if plain:
            distinct = set(numeric)
        elif too_many(distinct, table):
            raise DataError(
                f"{table.shown}: the label {name!r} has {len(distinct):,} different words in "
                f"{len(table):,} rows, such as {short(min(distinct))}, which is a lot for "
                "classes. Choose another label, or declare label_kind='class'."
            )
    fractions = form is not None or any(value % 1 for value in numeric.values())
    if kind == "class" and fractions and too_many(distinct, table):
        raise DataError(
            f"{table.shown}: the label {name!r} has {len(distinct):,} different numbers in "
            f"{len(table):,} rows, such as {short(min(distinct))}, which are no classes. Leave out "
            "the task or label_kind, or declare the classes."
        )
    if len(numeric) == len(distinct):  # 1 and 1.0 are one class
        by_value = {numeric[w]: w for w in sorted(distinct, key=lambda w: (-len(w), w))}
        in_order = tuple(by_value[value] for value in sorted(by_value))
    else:
        in_order = tuple(sorted(distinct))
    return Target(in_order, in_order)


def targets_of(
    table: CsvRows, names: tuple[str, ...], kind: str | Mapping[str, str], notation: Notation
) -> tuple[tuple[Target, ...], bool]:
    """Return what each of several label columns is, and whether each is an output of its own.

    They are one label where all are yes/no answers, or all numbers.

    Args:
        table: the training file.
        names: the columns.
        kind: as for `target_of`; a mapping of names makes an output of each column.
        notation: how the file is written.

    Raises:
        DataError: where one has too many different words for classes.
    """
    if not isinstance(kind, str):
        apart = (target_of(table, n, kind.get(n, "auto"), (), notation) for n in names)
        return tuple(apart), True
    answers = {name: _yes_no(count_words(table, name, notation.missing)) for name in names}
    if kind != "number" and all(answers.values()):
        return tuple(Target(answers[name], answers[name] or ()) for name in names), False
    if kind == "number" or all(
        mostly_floats(table, name, notation.missing) is not None
        or notation.format_of(count_words(table, name, notation.missing))
        for name in names
    ):
        return tuple(target_of(table, name, "number", (), notation) for name in names), False
    return tuple(target_of(table, name, kind, (), notation) for name in names), True


def label_of(names: tuple[str, ...], targets: tuple[Target, ...], apart: bool) -> Label:
    """Return the label that one column or several make.

    Args:
        names: what the columns are called.
        targets: what they are.
        apart: whether each is an output of its own.
    """
    if len(names) == 1:
        kind = "real" if targets[0].words is None else "class"
        return Label(names[0], kind, (), targets[0].names)
    if apart:
        parts = (label_of((n,), (t,), apart) for n, t in zip(names, targets, strict=True))
        return Label("labels", "several", parts=tuple(parts))
    if targets[0].words is None:
        return Label("labels", "real", (len(names),), columns=names)
    return Label("labels", "multilabel", (len(names),), names)


def joined(arrays: list[np.ndarray], label: Label) -> np.ndarray | dict[str, np.ndarray]:
    """Return the label columns of a file as its label has them."""
    if label.parts:
        return {part.name: array for part, array in zip(label.parts, arrays, strict=True)}
    return arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1)


def answers(table: CsvRows, name: str, target: Target, missing: Collection[str]) -> Values:
    """Return a label column: class indices, or numbers; a missing one is broken."""
    if target.words is not None:
        written = words(table, name, missing)
        indices = {word: target.index(word.decode()) for word in set(written)}
        values = Values(np.array([indices[word] for word in written], np.int64))
        empty = written == b""
        many = len(target.words) > 5
        known = f"the {len(target.words)} classes" if many else quoted(target.words)
        for row in np.flatnonzero(values.array < 0).tolist():
            word = short(written[row].decode())
            values.broken[row] = f"the label {word} is none of {known}"
    else:
        values = numbers(table, name, missing, target.format)
        empty = np.isnan(values.array)
    values.refuse(empty, f"no label in the column {name!r}")
    return values


def _yes_no(distinct: Collection[str]) -> tuple[str, ...] | None:
    """Return how no and yes are written; None where the words are no such answers."""
    lower = {word.lower() for word in distinct}
    for pair in _YES_NO:
        if lower and lower <= set(pair):
            written = {word.lower(): word for word in distinct}
            return tuple(written.get(word, word) for word in pair)
    values = {value_of(word) for word in distinct}
    return ("0", "1") if values and values <= {0.0, 1.0} else None
