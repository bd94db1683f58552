"""The columns of a CSV file as arrays: what they hold, and the cells that do not fit."""

import math
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from tfpipe.data.csv.reader import JOINT, CsvRows
from tfpipe.data.labels import label_kind, numbered
from tfpipe.errors import DataError

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


def numbers(table: CsvRows, name: str, missing: Collection[str]) -> Values:
    """A column of numbers: float32, NaN where one is missing; all others are broken."""
    found = np.empty(len(table), np.float32)
    start = 0
    for part in _numbers(table, name, missing):
        found[start : start + len(part)] = part
        start += len(part)
    return _told(table, name, found)


def words(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray:
    """A column of words: bytes in UTF-8, b"" where one is missing."""
    found = np.empty(len(table), object)
    known: dict[str, bytes] = {}
    start = 0
    for part in table.parts(name):
        cells = part.split(JOINT)
        for cell in set(cells).difference(known):
            word = cell.strip()
            known[cell] = b"" if word in missing else word.encode()
        found[start : start + len(cells)] = [known[cell] for cell in cells]
        start += len(cells)
    return found


def texts(table: CsvRows, name: str) -> Values:
    """A column of texts: bytes in UTF-8 as they are written; an empty one is broken."""
    found = Values(np.empty(len(table), object))
    start = 0
    for part in table.parts(name):
        cells = part.split(JOINT)
        found.array[start : start + len(cells)] = [cell.encode() for cell in cells]
        found.broken |= {
            row: f"no text in the column {name!r}"
            for row, cell in enumerate(cells, start)
            if not cell.strip()
        }
        start += len(cells)
    return found


def weights(table: CsvRows, name: str, missing: Collection[str]) -> Values:
    """A column that says how much each row counts: numbers of at least 0."""
    found = numbers(table, name, missing)
    for row in np.flatnonzero(np.isnan(found.array)).tolist():
        found.broken[row] = f"no weight in the column {name!r}"
    for row in np.flatnonzero(found.array < 0).tolist():
        found.broken[row] = f"the weight {found.array[row]:g} is below 0"
    return found


def numbers_found(table: CsvRows, name: str, missing: Collection[str]) -> Values | None:
    """A column as numbers where nine of ten of its values are; None where it is a category.

    Raises:
        DataError: when it holds nothing, or so many different words that they are no category.
    """
    array = _mostly_numbers(table, name, missing)
    if array is not None and not np.isnan(array).all():
        return _told(table, name, array)
    found = set_of(table, name, missing)
    if not found:
        raise DataError(
            f"{table.shown}: the column {name!r} is empty in every row. Leave it out: "
            f"drop=({name!r},)."
        )
    if _too_many(found, table):
        raise DataError(
            f"{table.shown}: the column {name!r} has {len(found):,} different words in "
            f"{len(table):,} rows, such as {_short(min(found))}, which is a lot for a category. "
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


def target_of(
    table: CsvRows, name: str, kind: str, classes: tuple[str, ...], missing: Collection[str]
) -> Target:
    """What the label of the training file is.

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
    found = set_of(table, name, missing)
    if classes:
        named = not found & set(classes) and all(_value(c) is None for c in classes)
        return Target(numbered(len(classes)) if named else classes, classes)
    numeric = {w: v for w in found if (v := _value(w)) is not None}
    if kind == "auto":
        if _mostly_numbers(table, name, missing) is not None:
            if label_kind("numerals", distinct=set(numeric.values())) == "real":
                return Target()
            found = set(numeric)
        elif _too_many(found, table):
            raise DataError(
                f"{table.shown}: the label {name!r} has {len(found):,} different words in "
                f"{len(table):,} rows, such as {_short(min(found))}, which is a lot for classes. "
                "Choose another label, or declare label_kind='class'."
            )
    if len(numeric) == len(found):  # 1 and 1.0 are one class
        by_value = {numeric[w]: w for w in sorted(found, key=lambda w: (-len(w), w))}
        in_order = tuple(by_value[v] for v in sorted(by_value))
    else:
        in_order = tuple(sorted(found))
    return Target(in_order, in_order)


def answers(table: CsvRows, name: str, target: Target, missing: Collection[str]) -> Values:
    """The label column: class indices, or numbers; a missing one is broken."""
    if target.words is None:
        found = numbers(table, name, missing)
        empty = np.flatnonzero(np.isnan(found.array))
    else:
        written = words(table, name, missing)
        indices = {word: _index(word.decode(), target.words) for word in set(written)}
        found = Values(np.array([indices[word] for word in written], np.int64))
        empty = np.flatnonzero(written == b"")
        for row in np.flatnonzero(found.array < 0).tolist():
            word = _short(written[row].decode())
            found.broken[row] = f"the label {word} is none of {_listed(target.words)}"
    found.broken |= dict.fromkeys(empty.tolist(), f"no label in the column {name!r}")
    return found


def set_of(table: CsvRows, name: str, missing: Collection[str]) -> set[str]:
    """The different words of a column; those that are missing do not count."""
    found: set[str] = set()
    for part in table.parts(name):
        found.update(cell.strip() for cell in set(part.split(JOINT)))
    return found.difference(missing)


def identifiers(names: Collection[str], shown: str) -> dict[str, str]:
    """What columns are called in a model: `fixed acidity` is `fixed_acidity`.

    Raises:
        DataError: when two come to the same.
    """
    found: dict[str, str] = {}
    for name in names:
        found[name] = identifier(name)
    for name, called in found.items():
        same = [n for n in names if found[n] == called and n != name]
        if same:
            raise DataError(
                f"{shown}: the columns {name!r} and {same[0]!r} would both be called {called!r}. "
                "Rename one, or leave one out with drop."
            )
    return found


def identifier(name: str) -> str:
    """A column's name in letters, digits and underscores, as inputs of a model are called."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    called = re.sub(r"\W+", "_", plain).strip("_")
    return called if called and not called[0].isdigit() else f"column_{called}".strip("_")


def _numbers(table: CsvRows, name: str, missing: Collection[str]) -> Iterator[np.ndarray]:
    """A column as numbers, some rows at a time: NaN where one is missing, infinity for others."""
    for text in table.parts(name):
        cells = text.split(JOINT)
        part = None if "_" in text else _plain(cells)
        if part is None:
            known = {cell: _number(cell.strip(), missing) for cell in set(cells)}
            part = np.array([known[cell] for cell in cells], np.float32)
        yield part


def _plain(cells: list[str]) -> np.ndarray | None:
    """Cells as numbers; None where some are not, are missing, or are too large."""
    try:
        part = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return part if (np.abs(part) <= _LARGEST).all() else None  # false for NaN


def _mostly_numbers(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray | None:
    """A column as numbers, where nine of ten of its values are; infinity for the others."""
    parts, wrong = [], 0
    for part in _numbers(table, name, missing):
        wrong += int(np.isinf(part).sum())
        if 10 * wrong > len(table):
            return None
        parts.append(part.astype(np.float32))
    found = np.concatenate(parts)
    return found if 10 * wrong <= len(found) - int(np.isnan(found).sum()) else None


def _told(table: CsvRows, name: str, array: np.ndarray) -> Values:
    """Numbers, with what is wrong in the rows that hold infinity."""
    found = Values(array)
    wrong = np.flatnonzero(np.isinf(array)).tolist()
    if wrong:
        cells = [cell for part in table.parts(name) for cell in part.split(JOINT)]
        found.broken = {row: _complaint(cells[row].strip(), name) for row in wrong}
    return found


def _number(cell: str, missing: Collection[str]) -> float:
    """A cell's number; NaN where it is missing, infinity where it is none."""
    if cell in missing:
        return math.nan
    value = _value(cell)
    return math.inf if value is None else value


def _value(cell: str) -> float | None:
    """The number that a cell holds; None where it is none that a float32 can be."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) <= _LARGEST and "_" not in cell else None


def _complaint(cell: str, name: str) -> str:
    try:
        float(cell.replace("_", "?"))
    except ValueError:
        return f"text {_short(cell)} in the numeric column {name!r}"
    return f"{_short(cell)} in the column {name!r} is not a finite number"


def _too_many(found: set[str], table: CsvRows) -> bool:
    return len(found) > max(MOST_WORDS, WORDS_SHARE * len(table))


def _index(word: str, known: tuple[str, ...]) -> int:
    """The place of a class; numbers are compared as such, so that 1.0 is 1. -1 for none."""
    if word in known:
        return known.index(word)
    value = _value(word)
    if value is None:
        return -1
    return next((i for i, k in enumerate(known) if _value(k) == value), -1)


def _listed(classes: tuple[str, ...]) -> str:
    return f"the {len(classes)} classes" if len(classes) > 5 else ", ".join(map(repr, classes))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
