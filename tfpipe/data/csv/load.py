"""From CSV files to samples: the columns to use, what they hold, and the rows to leave out."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpipe.data.broken_input import Problem, left_out, refuse
from tfpipe.data.columns import Columns
from tfpipe.data.csv.columns import (
    Values,
    count_words,
    formatted,
    identifier,
    identifiers,
    mostly_floats,
    numbers,
    texts,
    value_of,
    weights,
    words,
)
from tfpipe.data.csv.reader import CsvRows, Format, read_table
from tfpipe.data.csv.recognition import Notation, Recognised, recognise_all
from tfpipe.data.csv.targets import Target, answers, joined, label_of, target_of, targets_of
from tfpipe.declare.formats import DateFormat, NumberFormat, Order
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError, suggest
from tfpipe.text import quoted

Declared = str | tuple[str, ...]


_MANY_COLUMNS = 1000
# Rows that were drawn from a table are numbered as there: up to so many times their own number.
_ROWS_OF_WHOLE = 20


@dataclass(frozen=True)
class TableRequest:
    """What to read of some CSV files; the other fields are those of the source `CSV`.

    Args:
        owner: the source's class, for messages.
        files: the path of each stored split's file as it was declared; "train" among them.
        form: how the files are written.
        labels: the column to predict; or several.
        skip: whether broken rows are left out.
        text: the column of texts, where it is to be the only feature.
    """

    owner: str
    files: dict[str, str]
    form: Format
    labels: tuple[str, ...]
    label_kind: str | dict[str, str]
    classes: tuple[str, ...]
    skip: bool
    missing: tuple[str, ...] = ("",)
    columns: dict[str, Declared] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    text: str | None = None
    weight: str | None = None
    decimal: str | None = None
    thousands: str | None = None

    @property
    def notation(self) -> Notation:
        """How the columns are written, as far as it is declared."""
        return Notation(self.missing, self.form.delimiter, self.decimal, self.thousands)


@dataclass(frozen=True)
class TableData:
    """What was found.

    Args:
        features: the inputs, in the order of the training file's columns.
        label: the answer.
        splits: the samples of each stored split.
        notes: what was left out, and how columns were read that say it in words of their own.
        lines: on which line of its file each sample begins, by stored split.
    """

    features: tuple[Feature, ...]
    label: Label
    splits: dict[str, Columns]
    notes: list[str]
    lines: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Plan:
    """What is read of each file: features and targets by column, and the weights' and its format.

    `read` holds what finding out has read of the training file already, `notes` what it found;
    `apart` says whether each target is an output of its own.
    """

    features: dict[str, Feature]
    targets: dict[str, Target]
    weight: str | None
    read: dict[str, Values]
    notes: list[str]
    apart: bool
    weight_format: NumberFormat | None


def load(request: TableRequest) -> TableData:
    """Read files, find out what their columns hold and make arrays of them.

    Raises:
        DataError: for files or columns that are not there, columns that cannot be used, and broken
            rows unless these are left out.
    """
    names = [Path(path).name for path in request.files.values()]
    shown = names if len(set(names)) == len(names) else list(request.files.values())
    tables = {
        split: read_table(Path(path).expanduser(), request.form, name)
        for (split, path), name in zip(request.files.items(), shown, strict=True)
    }
    for table in tables.values():
        if not len(table):  # no row has the right number of columns
            problems = [Problem(f"{table.shown}:{n}", w) for n, w in table.problems.items()]
            refuse(problems, table.total, "rows", f"{request.owner}({table.shown!r})")
    train = tables["train"]
    plan = _plan(train, request)
    called = tuple(identifier(name) for name in plan.targets)
    label = label_of(called, tuple(plan.targets.values()), plan.apart)
    splits: dict[str, Columns] = {}
    places: dict[str, np.ndarray] = {}
    problems = []
    for split, table in tables.items():
        _check_same(table, train, plan)
        known = plan.read if table is train else {}
        splits[split], broken = _columns(table, plan, label, request.missing, known)
        places[split] = np.delete(np.asarray(table.lines), list(broken))
        lines = {int(table.lines[row]): what for row, what in broken.items()} | table.problems
        problems += [Problem(f"{table.shown}:{n}", lines[n]) for n in sorted(lines)]
    total = sum(table.total for table in tables.values())
    if not request.skip:
        refuse(problems, total, "rows", f"{request.owner}({quoted(shown)})")
    _check_left(splits, tables, plan, bool(request.classes))
    return TableData(
        tuple(plan.features.values()),
        label,
        splits,
        plan.notes + left_out(problems, total, "rows"),
        places,
    )


def _plan(train: CsvRows, request: TableRequest) -> _Plan:
    """Return what to read, told by the declaration and the training file."""
    labels = tuple(_find(name, train, "label") for name in request.labels)
    weight = None if request.weight is None else _find(request.weight, train, "weight")
    dropped = {_find(name, train, "drop") for name in request.drop}
    declared = {_find(name, train, "columns"): kind for name, kind in request.columns.items()}
    notes: list[str] = []
    if request.text is not None:
        used = [_find(request.text, train, "text")]
        declared = {used[0]: "text"}
    else:
        used = [n for n in train.names if n not in {*labels, weight, *dropped}]
    for name, use in (*((label, "label") for label in labels), (weight, "weight")):
        if name in dropped or name in declared:
            raise DataError(
                f"{request.owner}: the column {name!r} is the {use}, and named once more in drop, "
                "columns or text. Name it once."
            )
    for name in train.nameless:
        counts = count_words(train, name, ()) if name in used and name not in declared else {}
        distinct = len(counts) == len(train) and all(word.isdigit() for word in counts)
        if distinct and max(map(int, counts)) < _ROWS_OF_WHOLE * len(train):
            used.remove(name)
            notes.append(
                f"The column {name!r} of {train.shown} has no name of its own and numbers the "
                f"rows, as pandas writes it: it is left out. columns={{{name!r}: 'number'}} keeps "
                "it."
            )
    if not used:
        of = " and ".join(map(repr, labels))
        raise DataError(f"{train.shown} has no column to learn from but {of}, the label.")
    called = identifiers(used, train.shown)
    identifiers(labels, train.shown)  # refuses two that come to the same
    undeclared = [name for name in (*used, *labels) if name not in declared]
    notation, mixed = request.notation.of_file(train, undeclared)
    notes += mixed
    recognised = recognise_all(train, used, declared, notation)
    features = {
        name: feature_of(called[name], found.kind, found.format)
        for name, found in recognised.items()
    }
    for name, found in recognised.items():
        if name not in declared and (reading := found.reading(features[name].name)):
            notes.append(reading)
    apart, kind = False, request.label_kind
    numbers_for_names = [n for n in train.names if value_of(n) % 1 and value_of(n) < math.inf]
    if numbers_for_names and not request.form.names:
        notes.append(
            f"The header of {train.shown} has {numbers_for_names[0]!r} for a name: where it is "
            "data, say what the columns are called with names=(...)."
        )
    if len(used) > _MANY_COLUMNS:
        notes.append(
            f"Each of the {len(used):,} columns is an input of the model, which takes a minute or "
            "more to build: Arrays with all of them in one array is much faster."
        )
    if len(labels) == 1:
        of_one = kind if isinstance(kind, str) else kind.get(request.labels[0], "auto")
        target = target_of(train, labels[0], of_one, request.classes, notation)
        targets = {labels[0]: target}
    else:
        several, apart = targets_of(train, labels, kind, notation)
        targets = dict(zip(labels, several, strict=True))
    for name, target in targets.items():
        if target.format is not None:
            example = next(iter(count_words(train, name, request.missing)))
            notes.append(
                Recognised("number", target.format, None, example).reading(identifier(name))
            )
    read = {name: found.values for name, found in recognised.items() if found.values is not None}
    weighed = None
    if weight is not None and not (
        notation.is_plain and mostly_floats(train, weight, request.missing) is not None
    ):
        weighed = notation.format_of(count_words(train, weight, request.missing), declared=True)
    return _Plan(features, targets, weight, read, notes, apart, weighed)


def feature_of(name: str, kind: Declared, form: NumberFormat | DateFormat | None = None) -> Feature:
    """Return a column as an input: a number, a date, a category, one with its words, or a text."""
    if isinstance(form, NumberFormat):
        return Feature(name, (), "string", "number", format=form)
    if form is not None:
        return Feature(name, (), "string", "date", format=form)
    if isinstance(kind, tuple):
        return Feature(name, (), "string", "category", kind)
    if kind in ("date", "ymd", "dmy", "mdy"):
        order: Order = "ymd" if kind == "date" else kind  # type: ignore[assignment]
        return Feature(name, (), "string", "date", format=DateFormat(order))
    if kind == "number":
        return Feature(name, (), "float32", "number")
    return Feature(name, (), "string", "text" if kind == "text" else "category")


def _find(name: str, table: CsvRows, use: str) -> str:
    """Return a column as the file names it, from that name or what it is called in a model."""
    if name in table.names:
        return name
    for column in table.names:
        if identifier(column) == name:
            return column
    number = next((column for column in table.names if value_of(column) < math.inf), None)
    hint = (
        f" Its first row has the number {number!r}: where a file has no header, say what its "
        "columns are called with names=(...)."
    )
    raise DataError(
        f"{table.shown} has no column {name!r}, which {use} names. {suggest(name, table.names)}"
        f"{'' if number is None else hint}"
    )


def _check_same(table: CsvRows, train: CsvRows, plan: _Plan) -> None:
    """Refuse a file that lacks columns of the training file, or has others."""
    needed = [*plan.features, *plan.targets, *filter(None, [plan.weight])]
    lacking = [name for name in needed if name not in table.names]
    others = [name for name in table.names if name not in train.names]
    differences = [f"lacks {quoted(lacking)}"] if lacking else []
    differences += [f"has {quoted(others)} besides"] if others else []
    if differences:
        raise DataError(
            f"{table.shown} {' and '.join(differences)}: its columns should be those of "
            f"{train.shown}."
        )


def _columns(
    table: CsvRows,
    plan: _Plan,
    label: Label,
    missing: tuple[str, ...],
    known: dict[str, Values],
) -> tuple[Columns, dict[int, str]]:
    """Return a file's sound rows, and what is wrong with the others, by row."""
    read: dict[str, Values] = {}
    for name, feature in plan.features.items():
        if name in known:
            read[feature.name] = known[name]
        elif feature.format is not None:
            read[feature.name] = formatted(table, name, feature.format, missing)
        elif feature.kind == "number":
            read[feature.name] = numbers(table, name, missing)
        elif feature.kind == "text":
            read[feature.name] = texts(table, name)
        else:
            read[feature.name] = Values(words(table, name, missing))
    labels = [answers(table, name, target, missing) for name, target in plan.targets.items()]
    weight = (
        None if plan.weight is None else weights(table, plan.weight, missing, plan.weight_format)
    )
    broken: dict[int, str] = {}
    for values in (*filter(None, [weight]), *reversed(labels), *reversed(read.values())):
        broken |= values.broken  # of several, the first column's is told
    columns = Columns(
        {name: values.array for name, values in read.items()},
        joined([values.array for values in labels], label),
        None if weight is None else weight.array,
    )
    if broken:
        columns = columns.take(np.delete(np.arange(len(table)), list(broken)))
    return columns, broken


def _check_left(
    splits: dict[str, Columns], tables: dict[str, CsvRows], plan: _Plan, declared: bool
) -> None:
    """Refuse files of which nothing is left, or not all of the classes that were found."""
    for split, columns in splits.items():
        if not len(columns):
            raise DataError(f"{tables[split].shown}: all {tables[split].total:,} rows are broken.")
    labels = splits["train"].labels
    for column, (name, target) in enumerate(plan.targets.items()):
        several = isinstance(labels, dict)
        own = labels[identifier(name)] if several else labels.reshape(len(labels), -1)[:, column]
        target.check(own, name, tables["train"].shown, declared)
    for split, columns in splits.items():
        if columns.weights is not None and not columns.weights.any():
            raise DataError(f"{tables[split].shown}: all weights in {plan.weight!r} are 0.")
