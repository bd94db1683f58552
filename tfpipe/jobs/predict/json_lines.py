"""JSON lines: a row each, as an object by column name, or as the value of an only input."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfpipe.data.csv.columns import identifier, short
from tfpipe.data.csv.reader import CsvRows, Record
from tfpipe.declare.formats import NumberFormat
from tfpipe.declare.spec import COLUMN_KINDS, ElementSpec, Feature
from tfpipe.errors import DataError, suggest
from tfpipe.jobs.predict.vectors import as_type

_TEXT = "text"  # what any only text may be called


class JsonRows:
    """Reads lines of JSON.

    Columns of a table and texts become cells, as a CSV file would have them, so that what is
    missing or no number is told alike.

    Args:
        spec: what the model reads.
    """

    def __init__(self, spec: ElementSpec) -> None:
        self._features = spec.features
        self._cells = [f for f in spec.features if f.kind in (*COLUMN_KINDS, "text")]
        self._arrays = [f for f in spec.features if f not in self._cells]

    def read(
        self, lines: Iterable[tuple[int, str]], shown: str
    ) -> tuple[CsvRows, dict[str, np.ndarray]]:
        """Return the rows, with what is wrong with lines, and the arrays of other inputs.

        Args:
            lines: the number of each line, and the line.
            shown: the file as messages name it.
        """
        records: list[Record] = []
        arrays: dict[str, list[np.ndarray]] = {feature.name: [] for feature in self._arrays}
        for number, line in lines:
            try:
                values = self._values(line)
                read = {f.name: _array(f, values[f.name]) for f in self._arrays}
                cells = [_cell(f, values[f.name]) for f in self._cells]
            except DataError as error:
                records.append((number, str(error)))
                continue
            records.append((number, cells))
            for name, array in read.items():
                arrays[name].append(array)
        table = CsvRows(shown, tuple(feature.name for feature in self._cells))
        table.read(iter(records))
        empty = {f.name: np.empty((0, *f.shape), f.dtype) for f in self._arrays}
        return table, {n: np.stack(rows) if rows else empty[n] for n, rows in arrays.items()}

    def _values(self, line: str) -> dict[str, Any]:
        """The value of each input."""
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"no JSON: {error}") from None
        alone = self._features[0].name if len(self._features) == 1 else ""
        if not isinstance(row, dict):
            if alone:
                return {alone: row}
            raise DataError(f"{short(line.strip())} is no object with a value for each column")
        called = {identifier(name): value for name, value in row.items()} | row
        if alone and alone not in called and self._features[0].kind == "text" and _TEXT in row:
            return {alone: row[_TEXT]}
        for feature in self._features:
            if feature.name not in called:
                raise DataError(f"there is no {feature.name!r}. {suggest(feature.name, row)}")
        return called


def _cell(feature: Feature, value: object) -> str:
    """A value as a CSV file has it."""
    if value is None:
        return ""
    if isinstance(value, str):
        if "\0" in value:
            raise DataError(f"a NUL character in {feature.name!r}")
        return value
    if isinstance(value, list | dict) or feature.kind == "text":
        raise DataError(
            f"{short(json.dumps(value))} in {feature.name!r}, which is a {feature.kind}"
        )
    if isinstance(value, bool) and feature.kind == "number":
        value = int(value)
    written = json.dumps(value)
    form = feature.format
    if isinstance(form, NumberFormat) and written != "NaN":
        return written.replace(".", form.decimal) + form.unit
    return written


def _array(feature: Feature, value: object) -> np.ndarray:
    """A list of numbers as an array; for a picture of bytes also the file that holds it."""
    if isinstance(value, str) and feature.kind == "image" and feature.dtype == "uint8":
        from tfpipe.data.images.files import decoded
        from tfpipe.data.images.formats import NotReadable

        try:
            return decoded(Path(value), feature)
        except NotReadable as error:
            raise DataError(f"{value} in {feature.name!r} {error}") from None
    try:
        numbers = np.array(value, np.float64)
    except (ValueError, TypeError):
        raise DataError(f"{short(json.dumps(value))} in {feature.name!r} is no numbers") from None
    if numbers.shape != feature.shape and numbers.shape != (np.prod(feature.shape),):
        raise DataError(
            f"numbers of shape {numbers.shape} in {feature.name!r}, where {feature.shape} is read"
        )
    if not np.isfinite(numbers).all():
        raise DataError(f"a number in {feature.name!r} that is not finite")
    array, unfit = as_type(numbers.reshape(1, -1), feature)
    if unfit:
        raise DataError(f"{unfit[0]} in {feature.name!r}")
    return array[0]
