"""metrics.csv: a row for each epoch, added to, read back, and cut where a run goes on from."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfpipe.storage import storage, write_whole
from tfpipe.training.reporting import EpochRow

_OWN = ("epoch", "seconds", "examples_per_second", "input_wait")


def as_float32(value: float | str) -> np.float32:
    """A figure as Keras's metrics have it; its text is the shortest that gives it back."""
    with np.errstate(over="ignore"):
        return np.float32(value)


def append_rows(file: Path, rows: Sequence[EpochRow]) -> None:
    """Add rows; a file that is new, or lacks a column of them, is written as a whole."""
    values = [_values(row) for row in rows]
    with storage(file.parent):
        names = _names(file)
        if not {name for row in values for name in row} <= {*names}:
            write_rows(file, [*read_rows(file, rows[-1].epochs), *rows])
            return
        with file.open("a", newline="") as stream:
            csv.DictWriter(stream, names).writerows(values)
            stream.flush()
            os.fsync(stream.fileno())


def _names(file: Path) -> list[str]:
    """The columns; none of a file that is not there."""
    if not file.is_file():
        return []
    with file.open(newline="") as stream:
        return next(csv.reader(stream), [])


def read_rows(file: Path, epochs: int) -> list[EpochRow]:
    """The rows of complete epochs; a torn last line is left out.

    Args:
        file: metrics.csv, which may be missing.
        epochs: how many epochs there are to be.
    """
    if not file.is_file():
        return []
    rows = []
    with file.open(newline="") as stream:
        for values in csv.DictReader(stream):
            try:
                rows.append(_row(values, epochs))
            except (TypeError, ValueError):
                break
    return rows


def write_rows(file: Path, rows: list[EpochRow]) -> None:
    """Write the whole file anew; without rows there is none."""
    if not rows:
        file.unlink(missing_ok=True)
        return
    stream = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in _values(row)))
    writer = csv.DictWriter(stream, names)
    writer.writeheader()
    writer.writerows(map(_values, rows))
    write_whole(file, stream.getvalue().encode())


def cut_log(file: Path, epochs: int, separator: str) -> None:
    """Leave the first epochs in the file of a Keras CSVLogger, which numbers them from 0."""
    if not file.is_file():
        return
    header, *lines = file.read_text().splitlines(keepends=True) or [""]
    place = header.strip().split(separator).index("epoch") if "epoch" in header else None
    if place is None:
        return
    kept = [x for x in lines if x.split(separator)[place].isdigit() and x.endswith("\n")]
    kept = [x for x in kept if int(x.split(separator)[place]) < epochs]
    write_whole(file, "".join([header, *kept]).encode())


def _values(row: EpochRow) -> dict[str, str | int | float]:
    return {
        "epoch": row.epoch,
        **{name: str(as_float32(value)) for name, value in row.metrics.items()},
        "seconds": round(row.seconds, 3),
        "examples_per_second": round(row.examples_per_second, 1),
        "input_wait": "" if row.input_wait is None else round(row.input_wait, 4),
    }


def _row(values: dict[str, str], epochs: int) -> EpochRow:
    return EpochRow(
        epoch=int(values["epoch"]),
        epochs=epochs,
        metrics={n: float(as_float32(v)) for n, v in values.items() if n not in _OWN and v != ""},
        seconds=float(values["seconds"]),
        examples_per_second=float(values["examples_per_second"]),
        input_wait=float(values["input_wait"]) if values.get("input_wait") else None,
    )
