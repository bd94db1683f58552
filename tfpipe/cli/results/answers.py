"""How answers are printed: blocks for a few, a table, CSV, JSON lines, or JSON."""

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from math import isfinite
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tfpipe.jobs.predict.prediction import Prediction
    from tfpipe.jobs.predict.predictor import Predictor
    from tfpipe.terminal import Terminal

IN_TABLE = 3  # classes, where nobody says how many
_BAR = 20  # columns of a full bar, each drawn in eighths
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_NAME_WIDTH = 24  # characters of the longest name that a table makes room for
_VALUE_WIDTH = 12


class Writer(Protocol):
    """Writes answers as they come."""

    def write(self, answers: "Sequence[Prediction]") -> None:
        """Write the next ones."""

    def end(self) -> None:
        """Write what follows the last one."""


def writer_of(form: str, ready: "Predictor", stream: IO[str], top: int | None) -> Writer:
    """Return the writer of a format.

    Args:
        form: "table", "csv", "jsonl" or "json".
        ready: the model that answers.
        stream: where to.
        top: how many classes of each output; None for as many as the format takes by default.
    """
    if form == "table":
        return TableWriter(ready, stream, top or IN_TABLE)
    if form == "csv":
        return CsvWriter(ready, stream, top or 5)
    return JsonWriter(ready, stream, lines=form == "jsonl")


class BlockWriter:
    """A block for each answer, with a bar for each class on a terminal."""

    def __init__(self, ready: "Predictor", terminal: "Terminal") -> None:
        self._probabilities, self._terminal = ready.has_probabilities, terminal
        self._first = True

    def write(self, answers: "Sequence[Prediction]") -> None:
        from rich.markup import escape

        for answer in answers:
            if not self._first:
                self._terminal.say()
            self._first = False
            error = f"  [red]{escape(answer.error)}[/]" if answer.error else ""
            self._terminal.say(f"[bold]{escape(answer.file)}[/]{error}")
            for rank, (name, value) in enumerate(answer.values):
                self._terminal.say(self._line(escape(name), value, rank))
            if answer.note:
                self._terminal.note(answer.note)

    def end(self) -> None:
        """Nothing follows."""

    def _line(self, name: str, value: float, rank: int) -> str:
        if not self._probabilities:
            return f"  {value:>12.6g}  {name}"
        shown = f"  {value:>6.1%}  "
        if self._terminal.live:
            whole, eighth = divmod(round(_BAR * 8 * value) if isfinite(value) else 0, 8)
            bar = "█" * whole + _EIGHTHS[eighth]
            shown += f"[cyan]{bar:<{_BAR}}[/]  "
        return shown + (f"[bold green]{name}[/]" if rank == 0 else name)


class TableWriter:
    """A line for each answer, in columns; they may widen, as the next files are not known yet."""

    def __init__(self, ready: "Predictor", stream: IO[str], top: int) -> None:
        self._stream, self._columns = stream, columns(ready, top)
        self._translates = ready.translates
        classes = chain(*(task.label.classes for task in ready.outputs.values()))
        self._name = min(_NAME_WIDTH, max(map(len, classes), default=0))
        self._place = 0

    def write(self, answers: "Sequence[Prediction]") -> None:
        first = not self._place
        self._place = max(self._place, 4, *(len(answer.file) for answer in answers))
        if first:
            titles: list[str] = []
            for output, names in self._columns:
                if output is None:
                    titles += [f"{name:>{_VALUE_WIDTH}}" for name in names]
                else:
                    titles += [f"{n:<{self._name + 7}}" for n in [output or "answer", *names[1:]]]
            self._line("file", titles)
        for answer in answers:
            shown = [f"error: {answer.error}"] if answer.error else [*self._cells(answer)]
            self._line(answer.file, shown)

    def end(self) -> None:
        """Nothing follows."""

    def _cells(self, answer: "Prediction") -> Iterator[str]:
        for (output, names), values in zip(self._columns, answer.outputs.values(), strict=True):
            for title, (name, value) in zip(names, values, strict=False):
                if output is None:
                    width = max(_VALUE_WIDTH, len(title))
                    yield f"{value:>{width}.6g}"
                elif self._translates:
                    yield f"{name:<{self._name}} {value:>7.3f}"
                else:
                    yield f"{name:<{self._name}} {value:>6.1%}"

    def _line(self, place: str, cells: Sequence[str]) -> None:
        self._stream.write("  ".join([f"{place:<{self._place}}", *cells]).rstrip() + "\n")


class CsvWriter:
    """CSV: a column for each value, or one for each class and its probability; errors last."""

    def __init__(self, ready: "Predictor", stream: IO[str], top: int) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._columns = columns(ready, top)
        titles: list[str] = []
        for output, names in self._columns:
            if output is None:
                titles += names
            else:
                before = f"{output}_" if output else ""
                words = ("translation", "score") if ready.translates else ("class", "probability")
                titles += [f"{before}{w}_{n}" for n in names for w in words]
        self._width = len(titles)
        self._writer.writerow(["file", *titles, "error"])

    def write(self, answers: "Sequence[Prediction]") -> None:
        rows = ([a.file, *self._cells(a), a.error] for a in answers)
        self._writer.writerows(rows)

    def end(self) -> None:
        """Nothing follows."""

    def _cells(self, answer: "Prediction") -> Iterator[str]:
        if answer.error:
            return repeat("", self._width)
        cells: list[str] = []
        for (output, names), values in zip(self._columns, answer.outputs.values(), strict=True):
            for name, value in islice(values, len(names)):
                # Nine digits say a float32 exactly.
                cells += [f"{value:.9g}"] if output is None else [name, f"{value:.9g}"]
            lacking = len(names) - len(values)
            cells += [""] * (lacking if output is None else 2 * lacking)
        return iter(cells)


class JsonWriter:
    """An object for each answer: a line each, or all of them as a list in the end."""

    def __init__(self, ready: "Predictor", stream: IO[str], lines: bool) -> None:
        self._probabilities, self._stream, self._lines = ready.has_probabilities, stream, lines
        self._translates = ready.translates
        self._all: list[dict[str, Any]] = []

    def write(self, answers: "Sequence[Prediction]") -> None:
        objects = map(self._object, answers)
        if self._lines:
            self._stream.writelines(f"{json.dumps(found)}\n" for found in objects)
        else:
            self._all += objects

    def end(self) -> None:
        if not self._lines:
            self._stream.write(json.dumps(self._all, indent=2) + "\n")

    def _object(self, answer: "Prediction") -> dict[str, Any]:
        if answer.error:
            return {"file": answer.file, "error": answer.error}
        if self._translates:
            best = [{"translation": text, "score": _finite(v)} for text, v in answer.values]
            note = {"note": answer.note} if answer.note else {}
            return {"file": answer.file, "translations": best, **note}
        if not self._probabilities:
            return {"file": answer.file, "values": {n: _finite(v) for n, v in answer.values}}
        classes = [{"class": n, "probability": _finite(v)} for n, v in answer.values]
        return {"file": answer.file, "classes": classes}


def _finite(value: float) -> float | None:
    """A number as JSON has it, which knows neither NaN nor infinity."""
    return value if isfinite(value) else None


def columns(ready: "Predictor", top: int) -> list[tuple[str | None, list[str]]]:
    """Return for each output its name and the ranks of its classes: "1", "2".

    Where it gives values, the name is None, and they are named instead.

    Args:
        ready: the model that answers.
        top: how many classes at the most.
    """
    found: list[tuple[str | None, list[str]]] = []
    for output, task in ready.outputs.items():
        if task.output == "probabilities":
            ranks = range(1, 1 + min(top, len(task.label.classes)))
            found.append((output, [*map(str, ranks)]))
        elif ready.translates:
            found.append((output, [*map(str, range(1, 1 + min(top, ready.beam)))]))
        else:
            names = [name for name, _ in task.named([0.0] * task.units, top)]
            several = [
                name if name == output or not output else f"{output}: {name}" for name in names
            ]
            found.append((None, several))
    return found
