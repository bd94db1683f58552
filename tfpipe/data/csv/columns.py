"""The columns of a CSV file as arrays: what they hold, and the cells that do not fit."""

import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from tfpipe.data.csv.formats import date_format, number_format
from tfpipe.data.csv.reader import CsvRows
from tfpipe.declare.formats import DateFormat, NumberFormat, Order
from tfpipe.errors import DataError

Format = NumberFormat | DateFormat

# More different words than this, and than this share of the rows, are names or texts.
MOST_WORDS = 100
WORDS_SHARE = 0.05
# In a table of at least so many rows, words of which more than this share differ are no category.
_ENOUGH_ROWS = 20
_MOST_DIFFER = 0.5
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


@dataclass(frozen=True)
class Recognised:
    """What a column holds.

    Args:
        kind: "number", "date", "category", or a category's words.
        format: how its numbers or dates are written, where they are kept as texts.
        values: its numbers, where they have been read already.
        example: one of its words, where it has a format.
    """

    kind: str | tuple[str, ...]
    format: NumberFormat | DateFormat | None = None
    values: Values | None = None
    example: str = ""


@dataclass(frozen=True)
class Notation:
    """How a file's columns are written, as far as it is declared.

    Args:
        missing: the words that stand for a missing value.
        delimiter: what stands between two cells.
        decimal: what stands before a fraction; None to find it out for each column.
        thousands: what stands between groups of three digits; None to find it out.
    """

    missing: tuple[str, ...]
    delimiter: str
    decimal: str | None = None
    thousands: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether numbers may be written as Python does."""
        return self.decimal in (None, ".") and self.thousands != "."

    def format_of(self, words: Counter[str], declared: bool = False) -> NumberFormat | None:
        """Return how a column's numbers are written; see `number_format`."""
        return number_format(words, self.delimiter, (self.decimal, self.thousands), declared)


def recognise(table: CsvRows, name: str, declared: str | None, notation: Notation) -> Recognised:
    """Return what a column holds: numbers or dates where nine of ten values are, else a category.

    Args:
        table: the training file.
        name: the column.
        declared: "number", "date" or the order of dates where it is declared; None to find out.
        notation: how the file is written.

    Raises:
        DataError: when it holds nothing, or so many different words that they are no category.
    """
    missing = notation.missing
    if declared in (None, "number") and notation.is_plain:
        array = mostly_floats(table, name, missing)
        if array is not None and not np.isnan(array).all():
            return Recognised("number", None, _explained(table, name, array))
    counted_words = count_words(table, name, missing)
    if not counted_words:
        raise DataError(
            f"{table.shown}: the column {name!r} is empty in every row. Leave it out: "
            f"drop=({name!r},)."
        )
    if declared in (None, "number"):
        form = notation.format_of(counted_words, declared is not None)
        if form is not None or declared or all(value_of(w) < math.inf for w in counted_words):
            return Recognised("number", form, None, next(iter(counted_words)))
    order: Order | None = None if declared in (None, "date") else declared  # type: ignore[assignment]
    date = date_format(counted_words, order, name, table.shown)
    if date is not None:
        return Recognised("date", date, None, next(iter(counted_words)))
    if declared is not None:
        raise DataError(
            f"{table.shown}: the column {name!r} is declared to hold dates, and holds words such "
            f"as {short(next(iter(counted_words)))}. Dates are written 2024-01-31, 31/01/2024 or "
            "01/31/2024, with a time as in 14:00 or without."
        )
    if too_many(set(counted_words), table) or _nearly_all_differ(counted_words):
        raise DataError(
            f"{table.shown}: the column {name!r} has {len(counted_words):,} different words in "
            f"{len(table):,} rows, such as {short(min(counted_words))}, which is a lot for a "
            f"category. Leave it out: drop=({name!r},); or declare it: columns={{{name!r}: "
            f"'category'}}. Is it the text to learn from? Then use TextCSV(..., text={name!r})."
        )
    return Recognised("category")


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


def _nearly_all_differ(counts: Counter[str]) -> bool:
    """Return whether words are rather names or identifiers than a category."""
    total = sum(counts.values())
    return total >= _ENOUGH_ROWS and len(counts) > _MOST_DIFFER * total


def _floats(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray:
    """Return a column as float32: NaN where one is missing, infinity for what is no number."""
    array = np.empty(len(table), np.float32)
    for rows, cells in table.cells(name):
        plain = _plain_floats(cells)
        if plain is None:
            known = {c: math.nan if c.strip() in missing else value_of(c) for c in set(cells)}
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


def mostly_floats(table: CsvRows, name: str, missing: Collection[str]) -> np.ndarray | None:
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


def value_of(cell: str) -> float:
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
        return f"text {short(cell)} in the numeric column {name!r}"
    return f"{short(cell)} in the column {name!r} is not a finite number"


def too_many(distinct: set[str], table: CsvRows) -> bool:
    return len(distinct) > max(MOST_WORDS, WORDS_SHARE * len(table))


def short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
