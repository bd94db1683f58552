"""What the columns of a CSV file hold, as far as it is not declared: numbers, dates, categories."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tfpipe.data.csv.columns import (
    Values,
    count_words,
    explained,
    mostly_floats,
    short,
    too_many,
)
from tfpipe.data.csv.formats import date_format, decimal_marks, is_grouped, number_format
from tfpipe.data.csv.reader import CsvRows
from tfpipe.data.labels import WHOLE
from tfpipe.declare.formats import DateFormat, NumberFormat, Order
from tfpipe.errors import DataError
from tfpipe.text import listed

Declared = str | tuple[str, ...]

# In a table of at least so many rows, words of which more than this share differ are no category.
_ENOUGH_ROWS = 20
_MOST_DIFFER = 0.5
_HINTED = 0.9
_LOOKED_AT = 1000
_CODE = re.compile(r"0\d+")


@dataclass(frozen=True)
class Recognised:
    """What a column holds.

    Args:
        kind: "number", "date", "category", or a category's words.
        format: how its numbers or dates are written, where they are kept as texts.
        values: its numbers, where they have been read already.
        example: one of its words, where it has a format.
        note: what a person must not overlook about plain numbers.
    """

    kind: str | tuple[str, ...]
    format: NumberFormat | DateFormat | None = None
    values: Values | None = None
    example: str = ""
    note: str = ""

    def reading(self, name: str) -> str:
        """Return how a column is read, for people; empty where it says so itself."""
        form = self.format
        if form is None:
            return self.note and f"{name} {self.note}"
        if isinstance(form, DateFormat):
            first = {"y": "year", "m": "month", "d": "day"}[form.order[0]]
            parts = listed(form.names)
            return f"{name} is read as dates such as {self.example!r}, the {first} first: {parts}."
        unit = f", without the unit {form.unit!r}" if form.unit else ""
        return (
            f"{name} is read as numbers such as {self.example!r}: decimal={form.decimal!r}, "
            f"thousands={form.thousands!r}{unit}."
        )


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

    def of_file(self, table: CsvRows, names: Iterable[str]) -> tuple["Notation", list[str]]:
        """Return the notation with the one decimal mark that a file's columns show, and notes.

        Args:
            table: the training file.
            names: the columns of which nothing is declared.
        """
        if self.decimal is not None:
            return self, []
        columns = []
        for name in names:
            _, cells = next(table.cells(name))
            stripped = (cell.strip() for cell in cells)
            columns.append([word for word in stripped if word not in self.missing])
        marks = decimal_marks(columns)
        if len(marks) == 2:
            return self, [
                f"{table.shown} has fractions with a comma and others with a point: each column is "
                "read by itself. decimal=',' or decimal='.' declares one for all."
            ]
        return replace(self, decimal=next(iter(marks), None)), []

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
        plain = plain_numbers(table, name, declared is not None, notation)
        if plain is not None:
            return plain
    counted_words = count_words(table, name, missing)
    if not counted_words:
        raise DataError(
            f"{table.shown}: the column {name!r} is empty in every row. Leave it out: "
            f"drop=({name!r},)."
        )
    if declared in (None, "number"):
        whole = all(map(WHOLE.fullmatch, counted_words))
        form = None if whole else notation.format_of(counted_words, declared is not None)
        if form is not None or whole or (declared and notation.is_plain):
            return Recognised("number", form, None, next(iter(counted_words)))
        if declared:
            raise DataError(
                f"{table.shown}: the column {name!r} is declared to hold numbers, and holds words "
                f"such as {short(next(iter(counted_words)))}, which are none where "
                f"decimal={notation.decimal!r} and thousands={notation.thousands!r}."
            )
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
    total = sum(counted_words.values())
    nearly_all_differ = total >= _ENOUGH_ROWS and len(counted_words) > _MOST_DIFFER * total
    if too_many(counted_words, table) or nearly_all_differ:
        raise DataError(
            f"{table.shown}: the column {name!r} has {len(counted_words):,} different words in "
            f"{len(table):,} rows, such as {short(min(counted_words))}, which is a lot for a "
            f"category. Leave it out: drop=({name!r},); or declare it: columns={{{name!r}: "
            f"'category'}}. {hint_for(counted_words, name)}"
        )
    note = ""
    if hint_for(counted_words, name).startswith("Numbers"):
        example = short(next(iter(counted_words)))
        note = f"is a category of words such as {example}. {hint_for(counted_words, name)}"
    return Recognised("category", note=note)


def plain_numbers(
    table: CsvRows, name: str, declared: bool, notation: Notation
) -> Recognised | None:
    """Return a column of numbers as Python writes them; None for any other."""
    array = mostly_floats(table, name, notation.missing)
    if array is None or np.isnan(array).all():
        return None
    note, finite = "", array[np.isfinite(array)]
    _, cells = next(table.cells(name))
    words = [cell.strip() for cell in cells[:_LOOKED_AT]]
    if not declared and any(_CODE.fullmatch(word) for word in words):
        if not too_many(count_words(table, name, notation.missing), table):
            return Recognised(
                "category", note=f"is a category: {words[0]!r} and the like are codes."
            )
        note = "is read as numbers, without the leading zeros of codes; drop leaves it out."
    elif np.max(np.abs(finite), initial=0) >= 2**24 and not np.any(finite % 1):
        note = (
            f"has whole numbers such as {words[0]!r}, of which a model keeps seven digits: where "
            "they are identifiers, leave it out with drop; dates are written as 2024-01-31."
        )
    elif not declared and notation.delimiter == ";" and is_grouped(words):
        note = (
            f"is read as numbers such as {words[0]!r}, with the fraction behind the point; where "
            "points group thousands, declare thousands='.'."
        )
    return Recognised("number", None, explained(table, name, array), note=note)


def hint_for(words: Collection[str], name: str) -> str:
    """Return what else a column of so many words may be."""
    if sum(word[0] in "+-($€£" or word[0].isdigit() for word in words) > _HINTED * len(words):
        return (
            "Numbers are read in one notation, such as 1,234.5, 1.234,5 or 12 %; dates as "
            "2024-01-31, 31/01/2024 or 01/31/2024, with a time or without."
        )
    return f"Is it the text to learn from? Then use TextCSV(..., text={name!r})."


def recognise_all(
    train: CsvRows, used: list[str], declared: Mapping[str, Declared], notation: Notation
) -> dict[str, Recognised]:
    """Return what each of the columns that are used holds; see `recognise`."""
    found: dict[str, Recognised] = {}
    for name in used:
        kind = declared.get(name)
        if isinstance(kind, tuple) or kind in ("category", "text"):
            found[name] = Recognised(kind)
        else:
            found[name] = recognise(train, name, kind, notation)
    return found
