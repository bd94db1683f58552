"""How people write numbers, dates and texts: grammars that Python and TensorFlow read alike.

NumberFormat(decimal=",", thousands=".")    1.234,5
NumberFormat(unit="%")                      12 %
DateFormat("dmy", time=True)                31/01/2024 14:00
TokenFormat("char", "letters")              the time machine

The patterns keep to what Python's `re` and the RE2 of TensorFlow have in common.
"""

import datetime
import math
import re
from functools import cached_property
from typing import Literal

from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError

Decimal = Literal[".", ","]
Thousands = Literal["", ",", ".", " ", "'"]
Order = Literal["ymd", "dmy", "mdy"]
TokenUnit = Literal["char", "word", "subword"]
Normalise = Literal["letters", "sentence"]

# The first tokens of a vocabulary of sentences, and the numbers of those that are no words.
SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
PAD, BOS, EOS = range(3)
# What is said at once at the most, whatever is asked: tokens of a text, translations of a sentence.
MOST_TOKENS, MOST_BEAM = 10_000, 100

# Marks that stand for one another: any kind of space, any apostrophe.
_SPACES = " \u00a0\u202f"
_APOSTROPHES = "'\u2019"
_MINUS = "\u2212-"  # in this order: between others, a hyphen means a range
_LARGEST = 3.4028234663852886e38  # of a float32

_TIME = (
    r"(?:[T ] ?([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d(?:\.\d+)?)?(?: ?([AaPp])[Mm])?"
    r"(?:Z|[+-]\d{2}:?\d{2})?)?"
)
_YEAR, _SHORT = r"(\d{4})", r"(\d{1,2})"


class NumberFormat(Part):
    """A number as it is written.

    Args:
        decimal: what stands before the fraction: "." or ",".
        thousands: what stands between groups of three digits: "", ",", ".", " " or "'".
        unit: a sign or word that stands before or after the number, such as "$", "%" or "kg".

    Raises:
        ConfigError: where both marks are the same.
    """

    decimal: Decimal = "."
    thousands: Thousands = ""
    unit: str = ""

    def validate(self) -> None:
        if self.decimal == self.thousands:
            raise ConfigError(
                f"decimal={self.decimal!r} and thousands={self.thousands!r} are the same mark: "
                "declare two that differ."
            )

    @property
    def separators(self) -> str:
        """A pattern of what stands between groups of digits; empty where nothing does."""
        marks = {" ": _SPACES, "'": _APOSTROPHES}.get(self.thousands, self.thousands)
        return f"[{marks}]" if marks else ""

    @property
    def pattern(self) -> str:
        """A pattern of the whole number; its groups are two places for a sign, and the digits.

        With a unit there are six: for one that stands before the number, and one behind it.
        """
        point = re.escape(self.decimal)
        grouped = rf"|[1-9]\d{{0,2}}(?:{self.separators}\d{{3}})+" if self.separators else ""
        whole = rf"\d+{grouped}"
        digits = rf"((?:(?:{whole})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?)"
        unit, sign, space = re.escape(self.unit), f"([+{_MINUS}]?)", f"[{_SPACES}]?"
        if not unit:
            return f"{sign}(){digits}"
        before = f"{sign}{space}{unit}{space}{sign}{digits}"
        return f"(?:{before}|{sign}{space}(){digits}{space}{unit})"

    @property
    def rewrites(self) -> tuple[str, str]:
        """What is left of a match of the pattern: its signs, and its digits."""
        return (r"\1\2\4\5", r"\3\6") if self.unit else (r"\1\2", r"\3")

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
        return re.compile(self.pattern), re.compile(self.separators) if self.separators else None

    def parse(self, text: str) -> float:
        """Return the number that a text says; infinity for none, or one that no float32 holds."""
        pattern, separators = self._compiled
        match = pattern.fullmatch(text.strip())
        if match is None:
            return math.inf
        signs, digits = (match.expand(rewrite) for rewrite in self.rewrites)
        digits = separators.sub("", digits) if separators else digits
        value = float(digits.replace(self.decimal, "."))
        if abs(value) > _LARGEST:
            return math.inf
        return -value if set(signs) & set(_MINUS) else value

    def write(self, value: float) -> str:
        """Return a number as it would be written."""
        text = f"{value:,.2f}" if self.thousands else f"{value:.2f}"
        marks = {",": self.thousands, ".": self.decimal}
        return "".join(marks.get(mark, mark) for mark in text) + self.unit

    def __str__(self) -> str:
        text = f"{self.write(1234.5)[: 7 if self.thousands else 6]}"
        if not self.unit:
            return text
        return f"{self.unit}{text}" if self.unit in CURRENCIES else f"{text}{self.unit}"


CURRENCIES = "$€£¥₹₽₩₺₴₪฿"


class DateFormat(Part):
    """A date as it is written, perhaps with a time of the day.

    Args:
        order: of year, month and day; a year has four digits.
        time: whether any of the dates has a time.
    """

    order: Order = "ymd"
    time: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What a model reads of a date; Monday is weekday 0, half past one is hour 13.5."""
        return ("year", "month", "day", "weekday") + (("hour",) if self.time else ())

    @property
    def pattern(self) -> str:
        """A pattern of the whole date; its groups are three numbers, hour, minute, a or p."""
        parts = [_YEAR if letter == "y" else _SHORT for letter in self.order]
        return "[-/. ]".join(parts) + (_TIME if self.time else "")

    @property
    def groups(self) -> tuple[int, int, int]:
        """The numbers of the pattern's groups for year, month and day."""
        year, month, day = (self.order.index(letter) + 1 for letter in "ymd")
        return year, month, day

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def parse(self, text: str) -> datetime.datetime | None:
        """Return the date that a text says; None for none."""
        match = self._compiled.fullmatch(text.strip())
        if match is None:
            return None
        year, month, day = (int(match[group]) for group in self.groups)
        time = match.groups()[3:] or ("", "", "")
        hour, minute, half = int(time[0] or 0), int(time[1] or 0), (time[2] or "").lower()
        if half:
            hour = hour % 12 + 12 * (half == "p") if 1 <= hour <= 12 else 24
        try:
            return datetime.datetime(year, month, day, hour, minute)
        except ValueError:
            return None

    def write(self, date: datetime.datetime) -> str:
        """Return a date as it would be written."""
        form = {"ymd": "%Y-%m-%d", "dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}[self.order]
        return date.strftime(form + (" %H:%M" if self.time else ""))

    def __str__(self) -> str:
        return self.write(datetime.datetime(2024, 1, 31, 14))


class TokenFormat(Part):
    """What a text is cut into.

    Args:
        unit: "char" for characters, "word" for what white space divides, "subword" for the pieces
            of a learnt vocabulary.
        normalise: "letters" for lower-case letters alone: all others become a space, each line is
            stripped, and lines are joined without anything between them, words by a space.
            "sentence" for lower-case letters, spaces that may break, and a space before . , ! and
            ?. None for the text as it is.
        carried: whether each row of a training batch goes on where that row of the batch before
            ended.
    """

    unit: TokenUnit = "char"
    normalise: Normalise | None = None
    carried: bool = False

    @property
    def joint(self) -> str:
        """What stands between two tokens of a text."""
        return " " if self.unit == "word" else ""
