"""CSV files of any length, some rows at a time."""

import itertools
from collections.abc import Callable, Iterator
from typing import TypeVar

from tfpipe.data.csv.reader import CsvRows, Format, Readable, long_cells, no_rows, read_header

T = TypeVar("T")


def read_in_parts(
    text: Readable,
    form: Format,
    shown: str,
    rows: int,
    late: Callable[[], bool] | None = None,
) -> Iterator[CsvRows]:
    """Yield a CSV file's rows, some at a time, however many there are.

    Args:
        text: the file, from its beginning.
        form: how it is written.
        shown: the file as messages name it.
        rows: how many at a time at the most.
        late: whether the next row is not there yet, for `taken`.

    Raises:
        DataError: when it is empty, or has no proper header.
    """
    with long_cells():
        names, nameless, records = read_header(text, form, shown)
        any_yet = False
        while some := taken(records, rows, late):
            any_yet = True
            part = CsvRows(shown, names, nameless)
            part.read(iter(some))
            yield part
    if not any_yet:
        raise no_rows(form, shown)


def taken(items: Iterator[T], most: int, late: Callable[[], bool] | None = None) -> list[T]:
    """Return the next items: so many, or fewer where there are no more or the next one is late.

    Args:
        items: what to take from.
        most: how many at the most.
        late: whether the next item is not there yet; what is there can then be answered first.
    """
    some: list[T] = []
    for item in itertools.islice(items, most):
        some.append(item)
        if late is not None and late():
            break
    return some
