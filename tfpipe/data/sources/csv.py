"""CSV: a table in a file, a row a sample."""

import codecs
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfpipe.data.columns import Columns
from tfpipe.data.problems import OnBad
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tfpipe.data.csv.load import TableData, TableRequest

LabelKind = Literal["auto", "class", "number"]
Column = Literal["number", "category"] | tuple[str, ...]


class CSVSplits(StoredSplits):
    """What the sources that read CSV files share: all files are read at once, and once."""

    def validate(self) -> None:
        """Refuse fields that cannot work together."""
        check_fields(self)

    @property
    def _wanted(self) -> "TableRequest":
        """What to read of which files."""
        raise NotImplementedError

    @property
    def _described(self) -> tuple[tuple[Feature, ...], Label] | None:
        """What one sample is, where the declaration says all of it; for use without the files."""
        raise NotImplementedError

    @property
    def _files(self) -> dict[str, str]:
        """The declared path of each stored split's file, "train" first."""
        return files_of(dict(self.items())["path"])

    @cached_property
    def _loaded(self) -> "TableData":
        from tfpipe.data.csv.load import load

        sample = ", or run on generated data with --sample" if self._described else ""
        for path in self._files.values():
            if not Path(path).expanduser().exists():
                splits = ", ".join(f"{split!r}: 'FILE'" for split in self._files)
                value = f'"{{{splits}}}"' if len(self._files) > 1 else "FILE"
                raise DataError(
                    f"There is no file {Path(path).expanduser().absolute()}. Say where it is with "
                    f"data.path={value}{sample}."
                )
        return load(self._wanted)

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        described = self._described
        if described and not any(Path(f).expanduser().exists() for f in self._files.values()):
            return described
        return self._loaded.features, self._loaded.label

    def notes(self) -> list[str]:
        return super().notes() + self._loaded.notes

    def verify(self) -> None:
        _ = self._loaded

    def _stored_sizes(self) -> dict[str, int]:
        return {name: len(columns) for name, columns in self._loaded.splits.items()}

    def _read(self, stored: str) -> Columns:
        return self._loaded.splits[stored]


class CSV(CSVSplits):
    """The rows of a CSV file as samples, its columns as the inputs of a model by name.

    A column is a number where nine of ten of its values are numbers, else a category; the training
    file decides. In a model `fixed acidity` is called `fixed_acidity`; here either name will do.
    Numbers that are missing stay missing, for the model to fill in; a missing category is a word of
    its own.

    Args:
        path: the file; or one for each split by name, "train" among them.
        label: the column to predict.
        columns: what columns hold, where it is not to be found out: "number", "category", or a
            tuple with the words of a category. Where all are declared, and the classes too,
            `--sample` needs no file.
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
    label: str
    columns: dict[str, Column] = {}  # noqa: RUF012 (a default is copied when a part is made)
    drop: tuple[str, ...] = ()
    label_kind: LabelKind = "auto"
    classes: tuple[str, ...] = ()
    weight: str | None = None
    validation: HeldOut | None = 0.1
    test: HeldOut | None = "test"
    delimiter: str = ","
    names: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
    encoding: str = "utf-8"
    on_bad: OnBad = "error"

    @property
    def _described(self) -> tuple[tuple[Feature, ...], Label] | None:
        from tfpipe.data.csv.columns import identifier
        from tfpipe.data.csv.load import feature_of

        label = declared_label(self.label, self.label_kind, self.classes)
        dropped = {identifier(name) for name in self.drop}
        used = {identifier(name): kind for name, kind in self.columns.items()}
        features = tuple(feature_of(n, kind) for n, kind in used.items() if n not in dropped)
        return (features, label) if features and label else None

    @property
    def _wanted(self) -> "TableRequest":
        from tfpipe.data.csv.load import TableRequest
        from tfpipe.data.csv.reader import Format

        return TableRequest(
            "CSV",
            self._files,
            Format(self.delimiter, self.encoding, self.names),
            self.label,
            self.label_kind,
            self.classes,
            missing=self.missing,
            columns=dict(self.columns),
            drop=self.drop,
            weight=self.weight,
            skip=self.on_bad == "skip",
        )


def files_of(path: str | dict[str, str]) -> dict[str, str]:
    """The path of each stored split's file."""
    return {"train": path} if isinstance(path, str) else dict(path)


def declared_label(name: str, kind: LabelKind, classes: tuple[str, ...]) -> Label | None:
    """The label where the declaration says all of it, else None."""
    from tfpipe.data.csv.columns import identifier

    if kind == "number":
        return Label(identifier(name), "real")
    return Label(identifier(name), "class", (), classes) if classes else None


def check_fields(source: "CSVSplits") -> None:
    """Refuse fields that cannot work together; raises ConfigError."""
    owner = type(source).__name__
    fields = dict(source.items())
    files = files_of(fields["path"])
    if "train" not in files:
        raise ConfigError(f"{owner}.path has no file for 'train', only for {', '.join(files)}.")
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


def check_encoding(owner: str, encoding: str) -> None:
    """Refuse an encoding that Python does not know; raises ConfigError."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ConfigError(
            f"{owner}.encoding={encoding!r} is unknown. Use 'utf-8', 'latin-1', 'cp1252', 'utf-16' "
            "or another that Python knows."
        ) from None


def check_classes(owner: str, classes: tuple[str, ...]) -> None:
    """Refuse a single class, or one that is named twice; raises ConfigError."""
    if len(classes) == 1:
        raise ConfigError(f"{owner}.classes has one class only, {classes[0]!r}: name two or more.")
    twice = sorted({c for c in classes if classes.count(c) > 1})
    if twice:
        raise ConfigError(f"{owner}.classes has {twice[0]!r} twice.")
