"""The columns of a CSV file as arrays: what they hold, and the cells that do not fit."""

import contextlib
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from tfpipe.data.csv.reader import CsvRows
from tfpipe.declare.formats import DateFormat, NumberFormat
from tfpipe.errors import DataError

Format = NumberFormat | DateFormat

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


def numbers(
    table: CsvRows, name: str, missing: Collection[str], form: NumberFormat | None = None
) -> Values:
    """Return a column of numbers: float32, NaN where one is missing; all others are broken."""
    if form is None:
        return explained(table, name, _floats(table, name, missing))
    values = formatted(table, name, form, missing)
    known = {word: form.parse(word.decode()) for word in set(values.array)} | {b"": math.nan}
    found = ((math.inf if known[word] is None else known[word]) for word in values.array)
    values.array = np.fromiter(found, np.float32, len(table))
    return values


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


def weights(
    table: CsvRows, name: str, missing: Collection[str], form: NumberFormat | None
) -> Values:
    """Return a column that says how much each row counts: numbers of at least 0."""
    values = numbers(table, name, missing, form)
    values.refuse(np.isnan(values.array), f"no weight in the column {name!r}")
    for row in np.flatnonzero(values.array < 0).tolist():
        values.broken[row] = f"the weight {values.array[row]:g} is below 0"
    return values


def formatted(table: CsvRows, name: str, form: Format, missing: Collection[str]) -> Values:
    """Return a column of texts that hold numbers or dates: bytes, b"" where one is missing."""
    array = words(table, name, missing)
    values = Values(array)
    what = "dates" if isinstance(form, DateFormat) else "numbers"
    sound = {w: not w or form.parse(w.decode()) not in (None, math.inf) for w in set(array)}
    for row, word in enumerate(array):
        if not sound[word]:
            text = short(word.decode())
            values.broken[row] = f"{text} in the column {name!r} of {what} such as {form}"
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


def count_words(table: CsvRows, name: str, missing: Collection[str]) -> Counter[str]:
    """Return how often each word of a column occurs; those that are missing do not count."""
    cells_of_all: Counter[str] = Counter()
    for _, cells in table.cells(name):
        cells_of_all.update(cells)
    counts: Counter[str] = Counter()
    for cell, count in cells_of_all.items():
        if (word := cell.strip()) not in missing:
            counts[word] += count
    return counts


def _floats(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray:
    """Return a column as float32: NaN where one is missing, infinity for what is no number."""
    array = np.empty(len(table), np.float32)
    for rows, cells in table.cells(name):
        try:
            values = np.fromiter(map(float, cells), np.float64, len(cells))
            plain = bool((np.abs(values) <= _LARGEST).all())  # false for NaN
        except ValueError:
            plain = False
        if not plain or "_" in "".join(cells):
            known = {c: math.nan if c.strip() in missing else value_of(c) for c in set(cells)}
            values = np.array([known[cell] for cell in cells])
        array[rows] = values
    return array


def mostly_floats(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray | None:
    """Return a column as numbers, where nine of ten of its values are; infinity for the others."""
    array = _floats(table, name, missing)
    return array if 10 * np.isinf(array).sum() <= (~np.isnan(array)).sum() else None


def explained(table: CsvRows, name: str, array: np.ndarray) -> Values:
    """Numbers, with what is wrong in the rows that hold infinity."""
    values = Values(array)
    if not (wrong := np.isinf(array)).any():
        return values
    for rows, cells in table.cells(name):
        for row in np.flatnonzero(wrong[rows]).tolist():
            cell = cells[row].strip()
            what = f"text {short(cell)} in the numeric column {name!r}"
            with contextlib.suppress(ValueError):
                float(cell.replace("_", "?"))
                what = f"{short(cell)} in the column {name!r} is not a finite number"
            values.broken[rows.start + row] = what
    return values


def value_of(cell: str) -> float:
    """Return the number that a cell holds; infinity where it is none that a float32 can be."""
    try:
        value = float(cell)
    except ValueError:
        return math.inf
    return value if abs(value) <= _LARGEST and "_" not in cell else math.inf


def too_many(distinct: Collection[str], table: CsvRows) -> bool:
    return len(distinct) > max(MOST_WORDS, WORDS_SHARE * len(table))


def short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
