"""The columns of a CSV file as arrays: what they hold, and the cells that do not fit."""

import itertools
import math
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from tfpipe.data.csv.reader import CsvRows
from tfpipe.data.labels import LabelType, label_kind, numbered
from tfpipe.errors import DataError
from tfpipe.text import quoted

# More different words than this, and than this share of the rows, are names or texts.
MOST_WORDS = 100
WORDS_SHARE = 0.05
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class Values:
    """A column as an array.

    Args:
        array: a number, a word or a class index for each row.
        broken: what is wrong with a cell, by row.
    """

    array: np.ndarray
    broken: dict[int, str] = field(default_factory=dict)

    def refuse(self, rows: np.ndarray, what: str) -> None:
        """Note what is wrong with all rows for which a condition holds."""
        self.broken |= dict.fromkeys(np.flatnonzero(rows).tolist(), what)


def numbers(table: CsvRows, name: str, missing: Collection[str]) -> Values:
    """Return a column of numbers: float32, NaN where one is missing; all others are broken."""
    return _explained(table, name, _floats(table, name, missing))


def words(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray:
    """Return a column of words: bytes in UTF-8, b"" where one is missing."""
    array = np.empty(len(table), object)
    for rows, cells in table.cells(name):
        stripped = {cell: cell.strip() for cell in set(cells)}
        known = {c: b"" if word in missing else word.encode() for c, word in stripped.items()}
        array[rows] = [known[cell] for cell in cells]
    return array


def texts(table: CsvRows, name: str) -> Values:
    """Return a column of texts: bytes in UTF-8 as they are written; an empty one is broken."""
    array, empty = np.empty(len(table), object), np.zeros(len(table), bool)
    for rows, cells in table.cells(name):
        array[rows] = [cell.encode() for cell in cells]
        empty[rows] = [not cell.strip() for cell in cells]
    values = Values(array)
    values.refuse(empty, f"no text in the column {name!r}")
    return values


def weights(table: CsvRows, name: str, missing: Collection[str]) -> Values:
    """Return a column that says how much each row counts: numbers of at least 0."""
    values = numbers(table, name, missing)
    values.refuse(np.isnan(values.array), f"no weight in the column {name!r}")
    for row in np.flatnonzero(values.array < 0).tolist():
        values.broken[row] = f"the weight {values.array[row]:g} is below 0"
    return values


def numbers_or_category(table: CsvRows, name: str, missing: Collection[str]) -> Values | None:
    """Return a column as numbers where nine of ten values are; None where it is a category.

    Raises:
        DataError: when it holds nothing, or so many different words that they are no category.
    """
    array = _mostly_floats(table, name, missing)
    if array is not None and not np.isnan(array).all():
        return _explained(table, name, array)
    distinct = _distinct(table, name, missing)
    if not distinct:
        raise DataError(
            f"{table.shown}: the column {name!r} is empty in every row. Leave it out: "
            f"drop=({name!r},)."
        )
    if _too_many(distinct, table):
        raise DataError(
            f"{table.shown}: the column {name!r} has {len(distinct):,} different words in "
            f"{len(table):,} rows, such as {_short(min(distinct))}, which is a lot for a category. "
            f"Leave it out: drop=({name!r},); or declare it: columns={{{name!r}: 'category'}}."
        )
    return None


@dataclass(frozen=True)
class Target:
    """What a label column says.

    Args:
        words: how each class is written in the file, in order of the index; None for numbers.
        names: the class names.
    """

    words: tuple[str, ...] | None = None
    names: tuple[str, ...] = ()

    def index(self, word: str) -> int:
        """Return the place of a class; numbers are compared as such, so that 1.0 is 1. -1: none."""
        known = self.words or ()
        if word in known:
            return known.index(word)
        value = _value(word)
        same = (i for i, k in enumerate(known) if _value(k) == value < math.inf)
        return next(same, -1)


def target_of(
    table: CsvRows, name: str, kind: str, classes: tuple[str, ...], missing: Collection[str]
) -> Target:
    """Return what the label of the training file is.

    Args:
        table: the training file.
        name: the label's column.
        kind: "class", "number", or "auto" to tell by the values.
        classes: the classes as declared; () to find them.
        missing: the words that stand for a missing value.

    Raises:
        DataError: when there are too many different words for classes.
    """
    if kind == "number":
        return Target()
    distinct = _distinct(table, name, missing)
    if classes:
        named = not distinct & set(classes) and all(_value(c) == math.inf for c in classes)
        return Target(numbered(len(classes)) if named else classes, classes)
    numeric = {word: value for word in distinct if (value := _value(word)) < math.inf}
    if kind == "auto":
        words_only = _mostly_floats(table, name, missing) is None
        values_type: LabelType = "words" if words_only else "numerals"
        if label_kind(values_type, distinct=set(numeric.values())) == "real":
            return Target()
        if not words_only:
            distinct = set(numeric)
        elif _too_many(distinct, table):
            raise DataError(
                f"{table.shown}: the label {name!r} has {len(distinct):,} different words in "
                f"{len(table):,} rows, such as {_short(min(distinct))}, which is a lot for "
                "classes. Choose another label, or declare label_kind='class'."
            )
    if len(numeric) == len(distinct):  # 1 and 1.0 are one class
        by_value = {numeric[w]: w for w in sorted(distinct, key=lambda w: (-len(w), w))}
        in_order = tuple(by_value[value] for value in sorted(by_value))
    else:
        in_order = tuple(sorted(distinct))
    return Target(in_order, in_order)


def answers(table: CsvRows, name: str, target: Target, missing: Collection[str]) -> Values:
    """Return the label column: class indices, or numbers; a missing one is broken."""
    if target.words is None:
        values = numbers(table, name, missing)
        empty = np.isnan(values.array)
    else:
        written = words(table, name, missing)
        indices = {word: target.index(word.decode()) for word in set(written)}
        values = Values(np.array([indices[word] for word in written], np.int64))
        empty = written == b""
        many = len(target.words) > 5
        known = f"the {len(target.words)} classes" if many else quoted(target.words)
        for row in np.flatnonzero(values.array < 0).tolist():
            word = _short(written[row].decode())
            values.broken[row] = f"the label {word} is none of {known}"
    values.refuse(empty, f"no label in the column {name!r}")
    return values


def identifiers(names: Collection[str], shown: str) -> dict[str, str]:
    """Return what columns are called in a model: `fixed acidity` is `fixed_acidity`.

    Raises:
        DataError: when two come to the same.
    """
    called = {name: identifier(name) for name in names}
    for one, other in itertools.combinations(names, 2):
        if called[one] == called[other]:
            raise DataError(
                f"{shown}: the columns {one!r} and {other!r} would both be called {called[one]!r}. "
                "Rename one, or leave one out with drop."
            )
    return called


def identifier(name: str) -> str:
    """Return a column's name in letters, digits and underscores, as model inputs are called."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    called = re.sub(r"\W+", "_", plain).strip("_")
    return called if called and not called[0].isdigit() else f"column_{called}".strip("_")


def _distinct(table: CsvRows, name: str, missing: Collection[str]) -> set[str]:
    """Return the different words of a column; those that are missing do not count."""
    distinct: set[str] = set()
    for _, cells in table.cells(name):
        distinct.update(cell.strip() for cell in set(cells))
    return distinct.difference(missing)


def _floats(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray:
    """Return a column as float32: NaN where one is missing, infinity for what is no number."""
    array = np.empty(len(table), np.float32)
    for rows, cells in table.cells(name):
        plain = _plain_floats(cells)
        if plain is None:
            known = {c: math.nan if c.strip() in missing else _value(c) for c in set(cells)}
            plain = np.array([known[cell] for cell in cells])
        array[rows] = plain
    return array


def _plain_floats(cells: list[str]) -> np.ndarray | None:
    """Return cells as numbers; None where some are none, are missing, or are too large."""
    try:
        part = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    sound = (np.abs(part) <= _LARGEST).all()  # false for NaN
    return part if sound and "_" not in "".join(cells) else None


def _mostly_floats(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray | None:
    """Return a column as numbers, where nine of ten of its values are; infinity for the others."""
    array = _floats(table, name, missing)
    return array if 10 * np.isinf(array).sum() <= (~np.isnan(array)).sum() else None


def _explained(table: CsvRows, name: str, array: np.ndarray) -> Values:
    """Numbers, with what is wrong in the rows that hold infinity."""
    values = Values(array)
    if not (wrong := np.isinf(array)).any():
        return values
    for rows, cells in table.cells(name):
        for row in np.flatnonzero(wrong[rows]).tolist():
            values.broken[rows.start + row] = _complaint(cells[row].strip(), name)
    return values


def _value(cell: str) -> float:
    """Return the number that a cell holds; infinity where it is none that a float32 can be."""
    try:
        value = float(cell)
    except ValueError:
        return math.inf
    return value if abs(value) <= _LARGEST and "_" not in cell else math.inf


def _complaint(cell: str, name: str) -> str:
    try:
        float(cell.replace("_", "?"))
    except ValueError:
        return f"text {_short(cell)} in the numeric column {name!r}"
    return f"{_short(cell)} in the column {name!r} is not a finite number"


def _too_many(distinct: set[str], table: CsvRows) -> bool:
    return len(distinct) > max(MOST_WORDS, WORDS_SHARE * len(table))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
