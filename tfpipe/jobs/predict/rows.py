"""A model that is ready to answer the rows of CSV files: columns of a table, or a text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tfpipe.data.csv.columns import Values, formatted, identifier, numbers, texts, words
from tfpipe.data.csv.reader import CsvRows, Format, read_table
from tfpipe.errors import DataError, suggest
from tfpipe.jobs.predict.predictor import Prediction, Predictor
from tfpipe.tasks.several import rows_of
from tfpipe.text import quoted


@dataclass(frozen=True)
class RowPredictor(Predictor):
    """A model that reads columns by name, and answers row by row.

    Args:
        form: how its training data was written.
        missing: the words that stood for a missing value there.
    """

    nouns: ClassVar[str] = "rows"
    form: Format = Format()  # noqa: RUF009 (it is frozen)
    missing: tuple[str, ...] = ("",)

    def answers(self, files: Iterable[str], top: int = 5) -> Iterator[Prediction]:
        """What the model says of each row of some CSV files, in order.

        Args:
            files: CSV files with the columns of the training data; the label may be missing.
            top: how many answers of each to give.

        Raises:
            DataError: for a file that cannot be read, or lacks a column.
        """
        from tfpipe.evaluation.predict import answers

        for file in files:
            table = read_table(Path(file), self.form, file)
            read, broken = self._columns(table)
            sound = np.setdiff1d(np.arange(len(table)), [*broken])
            values: Iterator[Any] = iter(())
            if len(sound):
                taken = {name: array[sound] for name, array in read.items()}
                alone = next(iter(taken.values())) if len(taken) == 1 else taken
                values = iter(rows_of(answers(self.model, self.task, alone)))
            said = {
                int(table.lines[row]): Prediction(
                    f"{file}:{table.lines[row]}", self.task.named(next(values), top)
                )
                for row in sound.tolist()
            }
            wrong = {int(table.lines[row]): what for row, what in broken.items()} | table.problems
            said |= {n: Prediction(f"{file}:{n}", error=what) for n, what in wrong.items()}
            yield from (said[line] for line in sorted(said))

    def find(self, paths: Iterable[str]) -> tuple[list[str], list[str]]:
        folders = [path for path in paths if Path(path).is_dir()]
        if folders:
            inputs = quoted([feature.name for feature in self.spec.features][:5])
            raise DataError(
                f"{folders[0]} is a folder; {self.name} reads {inputs}: name CSV files with these "
                "columns."
            )
        return [*paths], []

    def _columns(self, table: CsvRows) -> tuple[dict[str, np.ndarray], dict[int, str]]:
        """Return the columns that the model reads, and what is wrong with rows."""
        called = {identifier(name): name for name in reversed(table.names)}
        read: dict[str, np.ndarray] = {}
        broken: dict[int, str] = {}
        for feature in self.spec.features:
            name = feature.name if feature.name in table.names else called.get(feature.name)
            if name is None:
                raise DataError(
                    f"{table.shown} has no column {feature.name!r}, which {self.name} reads. "
                    f"{suggest(feature.name, table.names)}"
                )
            if feature.format is not None:
                values = formatted(table, name, feature.format, self.missing)
            elif feature.kind == "number":
                values = numbers(table, name, self.missing)
            elif feature.kind == "text":
                values = texts(table, name)
            else:
                values = Values(words(table, name, self.missing))
            read[feature.name] = values.array
            broken = values.broken | broken  # of several, the first column's is told
        return read, broken
