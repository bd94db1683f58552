"""Texts and their classes: TextFolder, a file for each, and TextCSV, a row for each."""

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfpipe.data.broken_input import OnBad, Problem, left_out, refuse
from tfpipe.data.columns import Columns
from tfpipe.data.layouts import VALIDATION
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.data.sources.csv import CSVSplits, LabelKind, check_classes, check_encoding
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError

if TYPE_CHECKING:
    from tfpipe.data.text_files import TextListing


class TextFolder(StoredSplits):
    """Texts in a folder for each class: `<class>/*.txt`, or `train/<class>/*.txt` beside `test/`.

    Args:
        path: the folder with the classes; or with train and, where they are there, test and valid,
            val or validation.
        classes: the class folders in order of their index; others are passed over, as `unsup` of
            aclImdb should be. All of them in order of the alphabet when not given. Where they are,
            `--sample` needs no files.
        validation: what to hold out of the training texts: a share, or a number, which takes the
            last ones; the name of a split; or None. "auto" is the folder's own, else a tenth.
        test: the same for the test split.
        encoding: how the files' characters are stored.
        on_bad: "error" refuses texts that cannot be used and lists them; "skip" leaves them out and
            says how many. Such are empty texts, those in another encoding, and empty folders.

    Raises:
        ConfigError: for an encoding that is unknown.
        DataError: for folders or texts that cannot be used.

    Example:
        data = TextFolder("aclImdb", classes=("neg", "pos"), validation=0.2)
    """

    path: str
    classes: tuple[str, ...] = ()
    validation: HeldOut | Literal["auto"] | None = "auto"
    test: HeldOut | None = "test"
    encoding: str = "utf-8"
    on_bad: OnBad = "error"

    def validate(self) -> None:
        check_encoding("TextFolder", self.encoding)
        check_classes("TextFolder", self.classes)

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        classes = self.classes or self._listing.classes
        return (Feature("text", (), "string", "text"),), Label("label", "class", (), classes)

    def label_reading(self) -> str:
        return f"{len(self.element()[1].classes)} classes: the folders of the texts"

    def notes(self) -> list[str]:
        notes = super().notes() + left_out(self._texts[1], self._listing.total, "texts")
        if self._listing.empty:
            names = ", ".join(self._listing.empty)
            notes.append(f"Class folders without a text were left out: {names}.")
        return notes

    def verify(self, cache: bool | str = "auto") -> None:
        _ = self._texts

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        if self.validation != "auto":
            return self.validation, self.test
        return next((n for n in VALIDATION if n in self._listing.splits), 0.1), self.test

    @property
    def _splits(self) -> dict[str, Columns]:
        return self._texts[0]

    def read_from(self) -> list[Path]:
        root = Path(self.path).expanduser()
        return [root / file for files in self._listing.splits["train"].values() for file in files]

    def _stored_places(self, stored: str) -> list[str]:
        broken = {re.sub(r":\d+$", "", problem.where) for problem in self._texts[1]}
        listed = (f for files in self._listing.splits[stored].values() for f in files)
        return [file for file in listed if file not in broken]

    @cached_property
    def _listing(self) -> "TextListing":
        from tfpipe.data.text_files import list_texts

        return list_texts(Path(self.path).expanduser(), self.classes, self.on_bad == "skip")

    @cached_property
    def _texts(self) -> "tuple[dict[str, Columns], list[Problem]]":
        """The texts of each split, and what is wrong with those that were left out."""
        from tfpipe.data.text_files import read_texts

        root = Path(self.path).expanduser()
        splits, problems = read_texts(root, self._listing, self.encoding)
        if self.on_bad == "error":
            refuse(problems, self._listing.total, "texts", f"TextFolder({self.path!r})")
        there = set(splits["train"].labels.tolist())
        for index, name in enumerate(self._listing.classes):
            if index not in there:
                raise DataError(
                    f"TextFolder({self.path!r}): every text of the class {name!r} is broken. "
                    "Repair one, or say which classes to read with classes=(...)."
                )
        return splits, problems


class TextCSV(CSVSplits):
    """Texts in a column of a CSV file, with their labels in another.

    Args:
        path: the file; or one for each split by name, "train" among them.
        text: the column of texts.
        label: the column to predict.
        label_kind: "class", "number", or "auto": words are classes, so are whole numbers where 0,
            1, 2, ... all occur, up to 100 of them; other numbers are numbers.
        classes: the label's words in order of their index; or, where the file has 0, 1, 2, ...,
            names for them. Found in order of the alphabet, or of their value, when not given. Where
            they are, `--sample` needs no file.
        validation: what to hold out of the training rows: a share, or a number, which takes the
            last ones; the name of a split; or None.
        test: the same for the test split.
        delimiter: what stands between two cells, such as ";" or "\\t".
        names: the columns' names, where the file has no header.
        encoding: how the file's characters are stored.
        on_bad: "error" refuses rows that cannot be used and lists them; "skip" leaves them out and
            says how many. Such are rows with too few or too many cells, without a text or a label,
            with a quote that is not closed, or in another encoding.

    Raises:
        ConfigError: for a mapping without "train", or a delimiter or encoding that is none.
        DataError: for files, columns or rows that cannot be used.

    Example:
        data = TextCSV("reviews.csv", text="review", label="stars", label_kind="class")
    """

    path: str | dict[str, str]
    text: str
    label: str
    label_kind: LabelKind = "auto"
    classes: tuple[str, ...] = ()
    validation: HeldOut | None = 0.1
    test: HeldOut | None = "test"
    delimiter: str = ","
    names: tuple[str, ...] = ()
    encoding: str = "utf-8"
    on_bad: OnBad = "error"

    def _described(self) -> tuple[Feature, ...]:
        from tfpipe.data.csv.columns import identifier
        from tfpipe.data.csv.load import feature_of

        return (feature_of(identifier(self.text), "text"),)
