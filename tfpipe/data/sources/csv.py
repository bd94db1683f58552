"""CSV: a table in a file, a row a sample."""

import codecs
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfpipe.data.broken_input import OnBad
from tfpipe.data.columns import Columns
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.declare.formats import Decimal, Thousands
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError, suggest
from tfpipe.text import counted, listed

if TYPE_CHECKING:
    from tfpipe.data.csv.load import TableData

LabelKind = Literal["auto", "class", "number"]
Column = Literal["number", "category", "date", "ymd", "dmy", "mdy"] | tuple[str, ...]


class CSVSplits(StoredSplits):
    """What the sources that read CSV files share: all files are read at once, and once."""

    def validate(self) -> None:
        """Refuse fields that cannot work together."""
        owner, fields, files = type(self).__name__, dict(self.items()), self._files
        if "train" not in files:
            raise ConfigError(f"{owner}.path has no file for 'train', only for {listed(files)}.")
        for split in files:
            if split not in {"train", "test", fields["validation"], fields["test"]}:
                raise ConfigError(
                    f"{owner}.path has a file for {split!r} that nothing uses: declare "
                    f"validation={split!r}, or leave it out."
                )
        delimiter, classes = fields["delimiter"], fields["classes"]
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise ConfigError(
                f"{owner}.delimiter is one character such as ',', ';' or '\\t', got {delimiter!r}."
            )
        check_encoding(owner, fields["encoding"])
        if fields["label_kind"] == "number" and classes:
            raise ConfigError(f"{owner}: numbers have no classes: leave out label_kind or classes.")
        check_classes(owner, classes)
        if len(set(self._label_columns)) < len(self._label_columns):
            raise ConfigError(f"{owner}.label names a column twice: {self._label_columns}.")
        for name in fields["label_kind"] if isinstance(fields["label_kind"], dict) else ():
            if name not in self._label_columns:
                raise ConfigError(
                    f"{owner}.label_kind names {name!r}, which is no label. "
                    f"{suggest(name, self._label_columns)}"
                )
        if len(self._label_columns) != 1 and (classes or not self._label_columns):
            count = counted(len(self._label_columns), "column")
            raise ConfigError(
                f"{owner}.label names {count}, and classes are those of one: leave classes out."
            )

    def _described(self) -> tuple[Feature, ...]:
        """Return the inputs where the declaration says all of them; for use without the files."""
        raise NotImplementedError

    @cached_property
    def _declared(self) -> tuple[tuple[Feature, ...], Label] | None:
        """What one sample is, where the declaration says all of it."""
        from tfpipe.data.csv.columns import identifier

        fields, features = dict(self.items()), self._described()
        if not features or not (fields["classes"] or fields["label_kind"] == "number"):
            return None
        if len(self._label_columns) > 1:
            called = tuple(map(identifier, self._label_columns))
            return features, Label("labels", "real", (len(called),), columns=called)
        kind = "class" if fields["classes"] else "real"
        return features, Label(identifier(fields["label"]), kind, (), fields["classes"])

    @property
    def _label_columns(self) -> tuple[str, ...]:
        """The column to predict; or several."""
        label: str | tuple[str, ...] = dict(self.items())["label"]
        return (label,) if isinstance(label, str) else label

    @property
    def _files(self) -> dict[str, str]:
        """The declared path of each stored split's file."""
        path: str | dict[str, str] = dict(self.items())["path"]
        return {"train": path} if isinstance(path, str) else dict(path)

    @cached_property
    def _loaded(self) -> "TableData":
        from tfpipe.data.csv.load import TableRequest, load
        from tfpipe.data.csv.reader import Format

        sample = ", or run on generated data with --sample" if self._declared else ""
        for path in self._files.values():
            if not Path(path).expanduser().exists():
                splits = ", ".join(f"{split!r}: 'FILE'" for split in self._files)
                value = f'"{{{splits}}}"' if len(self._files) > 1 else "FILE"
                raise DataError(
                    f"There is no file {Path(path).expanduser().absolute()}. Say where it is with "
                    f"data.path={value}{sample}."
                )
        fields = dict(self.items())
        optional = ("missing", "columns", "drop", "text", "weight", "decimal", "thousands")
        return load(
            TableRequest(
                type(self).__name__,
                self._files,
                Format(fields["delimiter"], fields["encoding"], fields["names"]),
                self._label_columns,
                fields["label_kind"],
                fields["classes"],
                skip=fields["on_bad"] == "skip",
                **{name: fields[name] for name in optional if name in fields},
            )
        )

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        if self._declared and not any(Path(f).expanduser().exists() for f in self._files.values()):
            return self._declared
        return self._loaded.features, self._loaded.label

    def label_reading(self) -> str:
        from tfpipe.data.labels import reading_of_column

        return reading_of_column(self._loaded.label, self._read_labels("train"))

    def notes(self) -> list[str]:
        return super().notes() + self._loaded.notes

    def verify(self, cache: bool | str = "auto") -> None:
        _ = self._loaded

    @property
    def _splits(self) -> dict[str, Columns]:
        return self._loaded.splits

    def read_from(self) -> list[Path]:
        return [Path(self._files["train"]).expanduser()]

    def _stored_places(self, stored: str) -> list[str]:
        name = Path(self._files[stored]).name
        return [f"{name}:{line}" for line in self._loaded.lines[stored].tolist()]


class CSV(CSVSplits):
    """The rows of a CSV file as samples, its columns as the inputs of a model by name.

    A column holds numbers where nine of ten of its values are, in one way of writing them, or
    dates, else a category; the training file decides. In a model `fixed acidity` is called
    `fixed_acidity`; here either name will do. A first column that has no name and numbers the rows,
    as pandas writes it, is left out.

    Numbers that are missing stay missing, for the model to fill in; a missing category is a word of
    its own.

    Args:
        path: the file; or one for each split by name, "train" among them.
        label: the column to predict; or several: of yes/no answers a multilabel task, of numbers
            a regression with as many values, else several outputs, as with a task for each.
        columns: what columns hold, where it is not to be found out: "number", "category", a tuple
            with the words of a category, "date", or the order of a date's parts: "ymd", "dmy",
            "mdy". Where all are declared, and the classes too, `--sample` needs no file.
        drop: columns to leave out.
        label_kind: "class", "number", or "auto": words are classes, so are whole numbers where 0,
            1, 2, ... all occur, up to 100 of them; other numbers are numbers.
        classes: the label's words in order of their index; or, where the file has 0, 1, 2, ...,
            names for them. Found in order of the alphabet, or of their value, when not given.
        weight: a column that says how much each row counts, at least 0.
        validation: what to hold out of the training rows: a share, or a number, which takes the
            last ones; the name of a split; or None.
        test: the same for the test split.
        delimiter: what stands between two cells, such as ";" or "\\t".
        decimal: what stands before a fraction, "." or ","; told by each column when None.
        thousands: what stands between groups of three digits: "", ",", ".", " " or "'"; told by
            each column when None.
        names: the columns' names, where the file has no header.
        missing: the words that stand for a missing value.
        encoding: how the file's characters are stored.
        on_bad: "error" refuses rows that cannot be used and lists them; "skip" leaves them out and
            says how many. Such are rows with too few or too many cells, without a label, with a
            text in a column of numbers, with a quote that is not closed, or in another encoding.

    Raises:
        ConfigError: for a mapping without "train", or a delimiter or encoding that is none.
        DataError: for files, columns or rows that cannot be used.

    Example:
        data = CSV("winequality-white.csv", "quality", delimiter=";", label_kind="number")
    """

    path: str | dict[str, str]
    label: str | tuple[str, ...]
    columns: dict[str, Column] = {}  # noqa: RUF012 (a default is copied when a part is made)
    drop: tuple[str, ...] = ()
    label_kind: LabelKind | dict[str, LabelKind] = "auto"
    classes: tuple[str, ...] = ()
    weight: str | None = None
    validation: HeldOut | None = 0.1
    test: HeldOut | None = "test"
    delimiter: str = ","
    decimal: Decimal | None = None
    thousands: Thousands | None = None
    names: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
    encoding: str = "utf-8"
    on_bad: OnBad = "error"

    def _described(self) -> tuple[Feature, ...]:
        from tfpipe.data.csv.columns import identifier
        from tfpipe.data.csv.load import feature_of

        dropped = {identifier(name) for name in self.drop}
        used = {identifier(name): kind for name, kind in self.columns.items()}
        return tuple(feature_of(name, kind) for name, kind in used.items() if name not in dropped)


def check_encoding(owner: str, encoding: str) -> None:
    """Refuse an encoding that Python does not know; raise ConfigError."""
    try:
        if not codecs.lookup(encoding)._is_text_encoding:  # such as base64
            raise LookupError
    except LookupError:
        raise ConfigError(
            f"{owner}.encoding={encoding!r} is unknown. Use 'utf-8', 'latin-1', 'cp1252', 'utf-16' "
            "or another that Python knows."
        ) from None


def check_classes(owner: str, classes: tuple[str, ...]) -> None:
    """Refuse a single class, or one that is named twice; raise ConfigError."""
    if len(classes) == 1:
        raise ConfigError(f"{owner}.classes has one class only, {classes[0]!r}: name two or more.")
    twice = sorted({c for c in classes if classes.count(c) > 1})
    if twice:
        raise ConfigError(f"{owner}.classes has {twice[0]!r} twice.")
