"""How the numbers and dates of a column are written, told by its words."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable

from tfpipe.data.csv.columns import value_of
from tfpipe.declare.formats import CURRENCIES, DateFormat, NumberFormat, Order
from tfpipe.errors import DataError

_LOOKED_AT = 1000  # words; those of a column of millions are written alike
_LEAST = 0.9  # of the rows
# Decimal and thousands marks, those that are likelier first; a file with ; has decimal commas.
_MARKS = ((".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", " "), (".", "'"))
_MARKS_OF_COMMAS = ((".", ""), (",", ""), (",", "."), (",", " "), (".", ","), (".", "'"))
# Letters behind a number that are its unit; others are a part of a name, as in 7A or 5XL.
_MEASURES = (
    *("kg", "g", "mg", "t", "lb", "lbs", "oz", "km", "m", "cm", "mm", "mi", "ft", "m²", "km²"),
    *("ha", "l", "ml", "cl", "h", "min", "s", "ms", "km/h", "mph", "kW", "kWh", "W", "V", "Hz"),
    *("°C", "°F", "kB", "MB", "GB", "px", "EUR", "USD", "GBP", "CHF", "JPY"),
)
_SIGNS = "%‰" + CURRENCIES
_NUMBER = re.compile(
    rf"[+\u2212-]?\s?(?:([{CURRENCIES}])\s?)?[+\u2212-]?([\d.,'\u2019\s]*\d[.,]?)"
    rf"\s?([{_SIGNS}]|{'|'.join(map(re.escape, _MEASURES))})?"
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")


def number_format(
    words: Counter[str], delimiter: str, marks: tuple[str | None, str | None], declared: bool
) -> NumberFormat | None:
    """Return how the numbers of a column are written; None where they are none, or plain ones.

    Args:
        words: how often each word occurs that is not missing.
        delimiter: what stands between two cells.
        marks: the decimal and thousands marks; None for those to be found out.
        declared: whether the column is declared to hold numbers, few though they may be.
    """
    most = Counter(dict(words.most_common(_LOOKED_AT)))
    matches = filter(None, map(_NUMBER.fullmatch, most))
    units = {match[1] or match[3] or "" for match in matches} - {""}
    if len(units) > 1:
        return None
    unit = next(iter(units), "")
    decimal, thousands = marks
    commas = any("," in word for word in most)
    known: tuple[tuple[str, str], ...] = _MARKS_OF_COMMAS if delimiter == ";" else _MARKS
    if decimal and thousands is not None:
        known = ((decimal, thousands),)
    formats = [
        NumberFormat(decimal=point, thousands=mark, unit=unit)  # type: ignore[arg-type]
        for point, mark in known
        if decimal in (None, point)
        and thousands in (None, mark)
        # Points that group digits, as in 1.234.567, are those of versions and addresses too.
        and (mark != "." or decimal or thousands or commas)
    ]
    shares = [_share(most, form.parse) for form in formats]
    best = max(shares, default=0)
    if best < (_LEAST if not declared else 1e-9):
        return None
    found = formats[shares.index(best)]
    return None if found == NumberFormat() and all(value_of(w) < math.inf for w in most) else found


def decimal_marks(columns: Iterable[Iterable[str]]) -> set[str]:
    """Return the marks that stand before fractions in a file: "." or ",", none or both.

    Args:
        columns: some words of each column.
    """
    marks: set[str] = set()
    for words in columns:
        matches = [_NUMBER.fullmatch(word) for word in itertools.islice(words, _LOOKED_AT)]
        bodies = [match[2] for match in matches if match]
        if len(bodies) >= _LEAST * len(matches):
            marks |= {mark for mark in map(decimal_mark, bodies) if mark}
    return marks


def is_grouped(words: Iterable[str]) -> bool:
    """Return whether plain numbers may be whole ones in groups of three, such as 1.234."""
    dotted = [word for word in words if "." in word]
    return bool(dotted) and all(_GROUPED.fullmatch(word.lstrip("+-")) for word in dotted)


def decimal_mark(digits: str) -> str:
    """Return the mark before the fraction of a number; empty where there may be none."""
    last = max(digits.rfind("."), digits.rfind(","))
    mark = digits[last] if last >= 0 else ""
    both = "." in digits and "," in digits
    alone = digits.count(mark) == 1 if mark else False
    return mark if alone and (both or not _GROUPED.fullmatch(digits)) else ""


def date_format(
    words: Counter[str], order: Order | None, column: str, shown: str
) -> DateFormat | None:
    """Return how the dates of a column are written; None where they are none.

    Args:
        words: how often each word occurs that is not missing.
        order: of day, month and year where it is declared.
        column: the column's name, for the error.
        shown: the file, for the error.

    Raises:
        DataError: where day and month could be exchanged.
    """
    most = Counter(dict(words.most_common(_LOOKED_AT)))
    time = any(":" in word for word in most)
    orders: tuple[Order, ...] = (order,) if order else ("ymd", "dmy", "mdy")
    formats = [DateFormat(order, time=time) for order in orders]
    shares = [_share(most, form.parse) for form in formats]
    best = max(shares)
    if best < _LEAST:
        return None
    if shares.count(best) > 1:
        example = next(word for word in most if formats[1].parse(word))
        if all("." in word.split(" ")[0] for word in most):  # as in Europe, the day first
            return formats[1]
        raise DataError(
            f"{shown}: the column {column!r} holds dates such as {example!r}, of which the day or "
            f"the month may come first. Declare it: columns={{{column!r}: 'dmy'}} or "
            f"{{{column!r}: 'mdy'}}."
        )
    return formats[shares.index(best)]


def _share(words: Counter[str], parse: Callable[[str], object]) -> float:
    """Return the share of the rows whose words can be parsed."""
    sound = sum(count for word, count in words.items() if parse(word) not in (None, float("inf")))
    return sound / max(sum(words.values()), 1)
