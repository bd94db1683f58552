"""Rows for a model: of CSV and JSON-lines files, text files, and standard input."""

import codecs
import csv
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from io import BufferedReader, FileIO

import numpy as np

from tfpipe.data.csv.columns import Values, formatted, identifier, numbers, texts, value_of, words
from tfpipe.data.csv.parts import read_in_parts, taken
from tfpipe.data.csv.reader import CsvRows, Format, Readable, as_text
from tfpipe.data.text_files import SUFFIX, read_text
from tfpipe.declare.spec import COLUMN_KINDS, ElementSpec
from tfpipe.errors import DataError, suggest
from tfpipe.jobs.predict.json_lines import JsonRows
from tfpipe.jobs.predict.paths import STANDARD_INPUT, InputPath, sources, texts_in
from tfpipe.jobs.predict.prediction import Chunk, refused, without
from tfpipe.jobs.predict.standard_input import StandardInput
from tfpipe.jobs.predict.vectors import as_type
from tfpipe.jobs.predict.written import Written
from tfpipe.text import counted, quoted

JSON_LINES = (".jsonl", ".ndjson")
_DELIMITERS = ",;\t|"
_PEEKED = 1 << 16  # bytes in which a header ends
_COLUMNS, _OTHERS, _BYTES = 4096, 256, 64_000_000

Late = Callable[[], bool] | None


class RowReader:
    """Reads the rows that some paths lead to.

    Args:
        spec: what the model reads.
        name: whose model it is, for messages.
        written: how files are written.
    """

    def __init__(self, spec: ElementSpec, name: str, written: Written) -> None:
        self._spec, self._name = spec, name
        self._form, self._missing = written.form, written.missing
        kinds = {feature.kind for feature in spec.features}
        self._reads_text = [f.kind for f in spec.features] == ["text"]
        # One that reads a sentence at a time takes it as it is, and text files line by line.
        self._by_line = self._reads_text and spec.feature.tokens is not None
        self._is_table = kinds <= {*COLUMN_KINDS, "text"}
        most = _COLUMNS if kinds <= {*COLUMN_KINDS} else _OTHERS
        self._size = max(1, min(most, _BYTES // sum(f.nbytes for f in spec.features)))
        self._json = JsonRows(spec)

    def chunks(self, paths: Iterable[str]) -> Iterator[Chunk]:
        """Yield the rows in order, however many.

        Args:
            paths: CSV files, JSON-lines files, patterns, or "-" for standard input; for a model
                that reads a text also text files and folders of them. For one that reads a sentence
                what names no file is one.
        """
        named = sources(paths, texts_in if self._reads_text else self._refuse_folder)
        for are_texts, group in itertools.groupby(
            named, lambda s: self._reads_text and not s.error and s.path.lower().endswith(SUFFIX)
        ):
            if are_texts and not self._by_line:
                while files := taken(group, self._size):
                    yield self._text_files([source.path for source in files])
                continue
            for source in group:
                if source.error:
                    sentence = self._by_line and not _looks_like_path(source.path)
                    yield (self._sentence if sentence else refused)(source.path, source.error)
                    continue
                try:
                    yield from self._rows(source.path)
                except DataError as error:
                    piped = source.path == STANDARD_INPUT
                    place = StandardInput.shown if piped else source.path
                    yield refused(place, without(place, str(error)))

    def _refuse_folder(self, folder: str) -> list[InputPath]:
        inputs = quoted([feature.name for feature in self._spec.features][:5])
        return [
            InputPath(folder, f"is a folder; {self._name} reads {inputs}: name files with these.")
        ]

    def _rows(self, path: str) -> Iterator[Chunk]:
        """Read a file by its name, or standard input by its first character."""
        if path == STANDARD_INPUT:
            text = StandardInput(self._form.encoding)
            first, shown, late = text.begins_with(), text.shown, text.late
            if not first:
                raise DataError(f"{shown} is empty.")
            if first in ('{"' if self._reads_text else '{["'):
                yield from self._json_lines(text, shown, late)
            elif self._reads_text:
                yield from self._lines(text, shown, late)
            else:
                yield from self._csv(text, text.first_line(), shown, late)
            return
        try:
            raw: BufferedReader = BufferedReader(FileIO(path), _PEEKED)
            is_json = path.lower().endswith(JSON_LINES)
            encoding = "utf-8" if is_json else self._form.encoding
            with raw, as_text(raw, encoding, path) as lines:
                if is_json:
                    yield from self._json_lines(lines, path)
                elif self._by_line and not path.lower().endswith(".csv"):
                    yield from self._lines(lines, path)
                else:
                    first = raw.peek().partition(b"\n")[0].decode(encoding, "replace")
                    yield from self._csv(lines, first, path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from None

    # CSV

    def _csv(self, text: Readable, first: str, shown: str, late: Late = None) -> Iterator[Chunk]:
        if self._is_table:
            called = [feature.name for feature in self._spec.features]
            form = _divided(self._form, first, lambda cells: {*map(identifier, cells)} >= {*called})
            for part in read_in_parts(text, form, shown, self._size, late):
                yield self._chunk(part, *self._columns(part))
            return
        if len(self._spec.features) > 1 or self._spec.feature.kind == "image":
            inputs = ", ".join(f"{f.name} ({f.kind})" for f in self._spec.features)
            raise DataError(f"{shown} is no JSON-lines file, and {self._name} reads {inputs}.")
        size = int(np.prod(self._spec.feature.shape))
        form = _divided(self._form, first, lambda cells: len(cells) == size)
        cells = _cells(first, form.delimiter)
        if len(cells) != size:
            raise DataError(
                f"{shown} has {counted(len(cells), 'column')}, and {self._name} reads "
                f"{counted(size, 'number')}: {self._spec.feature.name}."
            )
        names = tuple(f"number {i}" for i in range(1, size + 1))
        has_header = any(np.isinf(value_of(cell)) for cell in cells)
        form = replace(form, names=() if has_header else names)
        for part in read_in_parts(text, form, shown, self._size, late):
            columns = [numbers(part, name, ()) for name in part.names]
            broken = {row: what for c in reversed(columns) for row, what in c.broken.items()}
            rows = np.stack([c.array for c in columns], axis=-1)
            array, unfit = as_type(rows, self._spec.feature)
            yield self._chunk(part, {self._spec.feature.name: array}, unfit | broken)

    def _columns(self, table: CsvRows) -> tuple[dict[str, np.ndarray], dict[int, str]]:
        """Return the columns that the model reads, and what is wrong with rows."""
        called = {identifier(name): name for name in reversed(table.names)}
        read: dict[str, np.ndarray] = {}
        broken: dict[int, str] = {}
        for feature in self._spec.features:
            if feature.kind not in (*COLUMN_KINDS, "text"):
                continue
            name = feature.name if feature.name in table.names else called.get(feature.name)
            if name is None:
                raise DataError(
                    f"{table.shown} has no column {feature.name!r}, which {self._name} reads. "
                    f"{suggest(feature.name, table.names)}"
                )
            if feature.format is not None:
                values = formatted(table, name, feature.format, self._missing)
            elif feature.kind == "number":
                values = numbers(table, name, self._missing)
            elif feature.kind == "text":
                values = texts(table, name)
            else:
                values = Values(words(table, name, self._missing))
            read[feature.name] = values.array
            broken = values.broken | broken  # of several, the first column's is told
        return read, broken

    # JSON lines and texts

    def _json_lines(self, text: Readable, shown: str, late: Late = None) -> Iterator[Chunk]:
        lines = enumerate(iter(text.readline, ""), 1)
        filled = ((number, line) for number, line in lines if line.strip())
        any_yet = False
        while some := taken(filled, self._size, late):
            any_yet = True
            part, arrays = self._json.read(some, shown)
            columns, broken = self._columns(part)
            yield self._chunk(part, columns | arrays, broken)
        if not any_yet:
            raise DataError(f"{shown} is empty.")

    def _lines(self, text: Readable, shown: str, late: Late = None) -> Iterator[Chunk]:
        lines = enumerate(iter(text.readline, ""), 1)
        filled = ((n, line.rstrip("\r\n")) for n, line in lines if line.strip())
        while some := taken(filled, self._size, late):
            part = CsvRows(shown, (self._spec.feature.name,))
            nul = "a NUL character, which no text has"
            part.read((n, nul if "\0" in line else [line]) for n, line in some)
            yield self._chunk(part, *self._columns(part))

    def _sentence(self, text: str, error: str) -> Chunk:
        """A sentence that was given itself; refused where there is nothing in it."""
        if not text.strip():
            return refused(text, "is an empty sentence.")
        encoded = np.array([text.encode("utf-8", "replace"), b""], object)[:-1]
        return Chunk([text], samples={self._spec.feature.name: encoded})

    def _text_files(self, files: list[str]) -> Chunk:
        utf8 = codecs.lookup(self._form.encoding).name == "utf-8"
        found = [read_text(file, "utf-8-sig" if utf8 else self._form.encoding) for file in files]
        chunk, sound = Chunk([*files]), []
        for index, read in enumerate(found):
            if isinstance(read, bytes):
                sound.append(read)
            else:
                chunk.places[index] += read[0]
                chunk.errors[index] = read[1]
        chunk.samples = {self._spec.feature.name: np.array([*sound, b""], object)[:-1]}
        return chunk

    def _chunk(
        self, table: CsvRows, columns: dict[str, np.ndarray], broken: dict[int, str]
    ) -> Chunk:
        """Put sound rows and broken ones in the order of the file."""
        lines = table.lines.tolist()
        wrong = {lines[row]: what for row, what in broken.items()} | table.problems
        if broken:
            sound = np.setdiff1d(np.arange(len(lines)), [*broken])
            columns = {name: array[sound] for name, array in columns.items()}
        ordered = sorted([*lines, *table.problems]) if table.problems else lines
        errors = (
            {i: wrong[line] for i, line in enumerate(ordered) if line in wrong} if wrong else {}
        )
        return Chunk([f"{table.shown}:{line}" for line in ordered], errors, {}, columns)


def _looks_like_path(text: str) -> bool:
    """Whether what names no file was meant to: it is in a folder, or ends as such files do."""
    return "/" in text or text.lower().endswith((SUFFIX, ".csv", *JSON_LINES))


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a first line; those that the csv module gives up on are one."""
    try:
        return next(
            csv.reader([line.strip("\r\n\ufeff")], delimiter=delimiter, skipinitialspace=True)
        )
    except (csv.Error, StopIteration):
        return [line]


def _divided(form: Format, first: str, fits: Callable[[list[str]], bool]) -> Format:
    """The format with the delimiter that divides a first line into what the model reads."""
    if form.names or fits(_cells(first, form.delimiter)):
        return form
    fitting = (d for d in _DELIMITERS if fits(_cells(first, d)))
    return replace(form, delimiter=next(fitting, form.delimiter))
