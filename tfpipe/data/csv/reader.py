"""Reading a CSV file: its rows, column by column, and the lines that cannot be used.

A row is a record of the file, whose quoted fields may span lines. Columns are kept as joined text,
ten thousand rows at a time, so that a file takes about its own size in memory.
"""

import codecs
import csv
import itertools
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Protocol, TextIO

from tfpipe.errors import DataError
from tfpipe.text import counted

_AT_ONCE = 10_000  # rows
_JOINT = "\0"  # between the cells of a column: a line that holds one is refused
_LONGEST = 1 << 24  # characters in a cell; the csv module's own limit is too low for texts
_UNDECODED = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_NAMELESS = re.compile(r"(?:Unnamed: 0(?:\.\d+)*)?")
_OTHERS = ";\t,|"  # delimiters that are in use


# The line on which a record begins, from 1, and its cells or what is wrong with it.
Record = tuple[int, list[str] | str]


class Readable(Protocol):
    """What gives a text line by line."""

    def readline(self) -> str:
        """Return the next line with its end; empty when there is none."""


@dataclass(frozen=True)
class Format:
    """How a CSV file is written.

    Args:
        delimiter: what stands between two cells.
        encoding: how its characters are stored; a byte order mark is left out.
        names: the columns' names where the file has no header.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()


@dataclass
class CsvRows:
    """A CSV file's rows that have the right number of cells.

    Args:
        shown: the file as messages name it.
        names: of the columns, in order.
        lines: the line on which each row begins, from 1.
        nameless: the first columns that the header gives no name, or pandas' for none.
        problems: what is wrong with the other rows, by line.
    """

    shown: str
    names: tuple[str, ...]
    nameless: tuple[str, ...] = ()
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    problems: dict[int, str] = field(default_factory=dict)
    _parts: list[list[str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def total(self) -> int:
        """How many rows there are, the broken ones among them."""
        return len(self.lines) + len(self.problems)

    def cells(self, name: str) -> Iterator[tuple[slice, list[str]]]:
        """Yield a column's cells, some rows at a time, and which rows these are."""
        column, start = self.names.index(name), 0
        for part in self._parts:
            cells = part[column].split(_JOINT)
            yield slice(start, start + len(cells)), cells
            start += len(cells)

    def read(self, records: Iterator[Record]) -> None:
        """Take in the records of a file, and what is wrong with those that are no row."""
        sound = self._sound(records)
        while rows := list(itertools.islice(sound, _AT_ONCE)):
            self._parts.append([_JOINT.join(cells) for cells in zip(*rows, strict=True)])

    def _sound(self, records: Iterator[Record]) -> Iterator[list[str]]:
        for line, row in records:
            if isinstance(row, str):
                self.problems[line] = row
            elif len(row) != len(self.names):
                expected = f"where {len(self.names)} are expected"
                self.problems[line] = f"{counted(len(row), 'column')} {expected}"
            else:
                self.lines.append(line)
                yield row


def read_table(file: Path, form: Format, shown: str) -> CsvRows:
    """Read a CSV file.

    Args:
        file: where it is.
        form: how it is written.
        shown: the file as messages name it.

    Raises:
        DataError: when it cannot be read at all, is empty, or has no proper header.
    """
    with _opened(file, form.encoding) as text, long_cells():
        names, nameless, records = read_header(text, form, shown)
        table = CsvRows(shown, names, nameless)
        table.read(records)
    if not table.total:
        raise no_rows(form, shown)
    return table


def read_header(
    text: Readable, form: Format, shown: str
) -> tuple[tuple[str, ...], tuple[str, ...], Iterator[Record]]:
    """Return the columns' names, the first ones that have none, and the records that follow.

    Args:
        text: the file, from its beginning.
        form: how it is written.
        shown: the file as messages name it.

    Raises:
        DataError: when it is empty, or has no proper header.
    """
    records = _Records(text, form)
    rows = iter(records)
    if form.names:
        return form.names, (), rows
    return *_header(rows, records, form.delimiter, shown), rows


def no_rows(form: Format, shown: str) -> DataError:
    """The error for a file that holds no row."""
    return DataError(f"{shown} is empty." if form.names else f"{shown} has a header and no rows.")


def not_decoded(byte: int, encoding: str, others: bytes) -> str:
    """Return what is wrong with a byte that is no character, and the encoding that would read it.

    Args:
        byte: its value.
        encoding: the encoding that was tried.
        others: the bytes around it, which the other encoding must read too.
    """
    # Latin-1 reads any bytes at all, but these it reads as control characters.
    other = "cp1252" if any(0x80 <= b <= 0x9F for b in others) else "latin-1"
    other = _MARKS.get(others[:2], other)
    try:
        others.decode(other)
    except UnicodeDecodeError:
        return f"byte 0x{byte:02x} is not {encoding}"
    return f"byte 0x{byte:02x} is not {encoding}; encoding={other!r} would read it"


@contextmanager
def _opened(file: Path, encoding: str) -> Iterator[TextIO]:
    """The file's text; raise DataError where there is none to read."""
    try:
        with file.open("rb") as raw, as_text(raw, encoding, str(file)) as text:
            yield text
    except OSError as error:
        raise DataError(f"{file.absolute()} cannot be read: {error.strerror}.") from None


def as_text(raw: BufferedReader, encoding: str, shown: str) -> TextIO:
    """Return the text of an open file; raise DataError where another encoding is plain to see.

    Args:
        raw: the file, from its beginning.
        encoding: how its characters are stored.
        shown: the file as messages name it.
    """
    utf8 = codecs.lookup(encoding).name == "utf-8"
    start = raw.peek(2)[:2]
    if utf8 and start in _MARKS:
        raise DataError(
            f"{shown} is not {encoding}: it begins as {_MARKS[start]} does. Declare "
            f"encoding={_MARKS[start]!r}."
        )
    chosen = "utf-8-sig" if utf8 else encoding
    return TextIOWrapper(raw, encoding=chosen, errors="surrogateescape", newline="")


@contextmanager
def long_cells() -> Iterator[None]:
    """Let cells be as long as texts are, while the block runs."""
    before = csv.field_size_limit(_LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


class _Records:
    """The records of a file; of a broken one its first line alone is given up.

    Args:
        text: the file.
        form: how it is written.
    """

    def __init__(self, text: Readable, form: Format) -> None:
        self.lines: list[str] = []  # of the record that was read last
        self.wrong: str | None = None  # with a character of it
        self._text, self._form = text, form
        self._again: list[str] = []
        self._number = 0

    def __iter__(self) -> Iterator[Record]:
        """Yield the line of each record and its cells; blank lines are left out."""
        reader = self._reader()
        while True:
            self.lines, self.wrong = [], None
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = self.wrong or _quote_problem(error, self.lines)
                again = self.lines[1:]
                self._again += reversed(again)
                self._number -= len(again)
                reader = self._reader()
                yield self._number, problem
                continue
            if row:
                yield self._number - len(self.lines) + 1, self.wrong or row

    def _reader(self) -> Iterator[list[str]]:
        lines = iter(self._line, "")
        return csv.reader(lines, delimiter=self._form.delimiter, strict=True, skipinitialspace=True)

    def _line(self) -> str:
        """Return the next line, and note a character that no text has; empty at the end."""
        line = self._again.pop() if self._again else self._text.readline()
        if not line:
            return line
        self._number += 1
        self.lines.append(line)
        if not line.isascii() and (byte := _UNDECODED.search(line)):
            others = line.encode("utf-8", "surrogateescape")
            self.wrong = not_decoded(ord(byte[0]) - 0xDC00, self._form.encoding, others)
        elif "\0" in line:
            self.wrong = "a NUL byte, which no text has"
        return line


def _quote_problem(error: csv.Error, lines: list[str]) -> str:
    if len(lines) > 1 or "end of data" in str(error):
        return "a quote is opened and not closed"
    if "expected after" in str(error):
        return "text follows a closing quote"
    return str(error)


def _header(
    rows: Iterator[Record], records: _Records, delimiter: str, shown: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names in a file's first line, and those that its first columns lack.

    Raises:
        DataError: where they cannot be used.
    """
    line, row = next(rows, (1, ()))
    if len(row) == 1 or (isinstance(row, str) and not records.wrong):
        _check_delimiter(records.lines[0].strip(), delimiter, shown)
    if isinstance(row, str):
        raise DataError(f"{shown}:{line}: the header cannot be read: {row}.")
    if not row:
        raise DataError(f"{shown} is empty.")
    names = tuple(n.strip() or f"column_{i}" for i, n in enumerate(row, 1))
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        hint = "rename one of them"
        if re.fullmatch(r"[+-]?[\d.,]+", twice[0]):
            hint = (
                f"is its first row data? Then say what the columns are called: names=(...), "
                f"{counted(len(names), 'name')}"
            )
        raise DataError(f"{shown} has the column {twice[0]!r} twice: {hint}.")
    lacking = itertools.takewhile(lambda cell: _NAMELESS.fullmatch(cell.strip()), row)
    return names, names[: len([*lacking])]


def _check_delimiter(header: str, delimiter: str, shown: str) -> None:
    """Refuse a header in one piece that another delimiter would divide; raise DataError."""
    for other in _OTHERS:
        if other in header and delimiter not in header:
            begins = header if len(header) <= 60 else header[:57] + "..."
            raise DataError(
                f"{shown} has one column, {begins!r}. Is the delimiter {other!r}? Declare "
                f"delimiter={other!r}."
            )
