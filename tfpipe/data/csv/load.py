"""From CSV files to samples: the columns to use, what they hold, and the rows to leave out."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpipe.data.broken_input import Problem, left_out, refuse
from tfpipe.data.columns import Columns
from tfpipe.data.csv.columns import (
    Target,
    Values,
    answers,
    identifier,
    identifiers,
    numbers,
    numbers_or_category,
    target_of,
    texts,
    weights,
    words,
)
from tfpipe.data.csv.reader import CsvRows, Format, read_table
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError, suggest
from tfpipe.text import quoted

Declared = str | tuple[str, ...]


@dataclass(frozen=True)
class TableRequest:
    """What to read of some CSV files; the other fields are those of the source `CSV`.

    Args:
        owner: the source's class, for messages.
        files: the path of each stored split's file as it was declared; "train" among them.
        form: how the files are written.
        skip: whether broken rows are left out.
        text: the column of texts, where it is to be the only feature.
    """

    owner: str
    files: dict[str, str]
    form: Format
    label: str
    label_kind: str
    classes: tuple[str, ...]
    skip: bool
    missing: tuple[str, ...] = ("",)
    columns: dict[str, Declared] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    text: str | None = None
    weight: str | None = None


@dataclass(frozen=True)
class TableData:
    """What was found.

    Args:
        features: the inputs, in the order of the training file's columns.
        label: the answer.
        splits: the samples of each stored split.
        notes: what was left out.
    """

    features: tuple[Feature, ...]
    label: Label
    splits: dict[str, Columns]
    notes: list[str]


@dataclass(frozen=True)
class _Plan:
    """What is read of each file: features by column, the label's column, and the weights'.

    `read` holds what finding out has read of the training file already.
    """

    features: dict[str, Feature]
    label: str
    target: Target
    weight: str | None
    read: dict[str, Values]


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
    splits: dict[str, Columns] = {}
    problems = []
    for split, table in tables.items():
        _check_same(table, train, plan)
        known = plan.read if table is train else {}
        splits[split], broken = _columns(table, plan, request.missing, known)
        lines = {int(table.lines[row]): what for row, what in broken.items()} | table.problems
        problems += [Problem(f"{table.shown}:{n}", lines[n]) for n in sorted(lines)]
    total = sum(table.total for table in tables.values())
    if not request.skip:
        refuse(problems, total, "rows", f"{request.owner}({quoted(shown)})")
    _check_left(splits, tables, plan, bool(request.classes))
    kind = "real" if plan.target.words is None else "class"
    label = Label(identifier(plan.label), kind, (), plan.target.names)
    return TableData(
        tuple(plan.features.values()), label, splits, left_out(problems, total, "rows")
    )


def _plan(train: CsvRows, request: TableRequest) -> _Plan:
    """Return what to read, told by the declaration and the training file."""
    label = _find(request.label, train, "label")
    weight = None if request.weight is None else _find(request.weight, train, "weight")
    dropped = {_find(name, train, "drop") for name in request.drop}
    declared = {_find(name, train, "columns"): kind for name, kind in request.columns.items()}
    if request.text is not None:
        used = [_find(request.text, train, "text")]
        declared = {used[0]: "text"}
    else:
        used = [n for n in train.names if n not in {label, weight, *dropped}]
    for name, use in ((label, "label"), (weight, "weight")):
        if name in dropped or name in declared:
            raise DataError(
                f"{request.owner}: the column {name!r} is the {use}, and named once more in drop, "
                "columns or text. Name it once."
            )
    if not used:
        raise DataError(f"{train.shown} has no column to learn from but {label!r}, the label.")
    features: dict[str, Feature] = {}
    read: dict[str, Values] = {}
    for name, called in identifiers(used, train.shown).items():
        kind = declared.get(name)
        if kind is None:
            values = numbers_or_category(train, name, request.missing)
            kind = "category" if values is None else "number"
            read |= {} if values is None else {name: values}
        features[name] = feature_of(called, kind)
    target = target_of(train, label, request.label_kind, request.classes, request.missing)
    return _Plan(features, label, target, weight, read)


def feature_of(name: str, kind: Declared) -> Feature:
    """Return a column as an input: a number, a category, one with its words, or a text."""
    if isinstance(kind, tuple):
        return Feature(name, (), "string", "category", kind)
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
    raise DataError(
        f"{table.shown} has no column {name!r}, which {use} names. {suggest(name, table.names)}"
    )


def _check_same(table: CsvRows, train: CsvRows, plan: _Plan) -> None:
    """Refuse a file that lacks columns of the training file, or has others."""
    needed = [*plan.features, plan.label, *filter(None, [plan.weight])]
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
    table: CsvRows, plan: _Plan, missing: tuple[str, ...], known: dict[str, Values]
) -> tuple[Columns, dict[int, str]]:
    """Return a file's sound rows, and what is wrong with the others, by row."""
    read: dict[str, Values] = {}
    for name, feature in plan.features.items():
        if name in known:
            read[feature.name] = known[name]
        elif feature.kind == "number":
            read[feature.name] = numbers(table, name, missing)
        elif feature.kind == "text":
            read[feature.name] = texts(table, name)
        else:
            read[feature.name] = Values(words(table, name, missing))
    labels = answers(table, plan.label, plan.target, missing)
    weight = None if plan.weight is None else weights(table, plan.weight, missing)
    broken: dict[int, str] = {}
    for values in (*filter(None, [weight]), labels, *reversed(read.values())):
        broken |= values.broken  # of several, the first column's is told
    columns = Columns(
        {name: values.array for name, values in read.items()},
        labels.array,
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
    train, known = splits["train"], plan.target.words
    first = train.labels[0]
    if (train.labels == first).all():
        always = f"{first:g}" if known is None else repr(known[int(first)])
        why = "there is nothing to learn" if known is None else "telling classes apart takes two"
        raise DataError(
            f"{tables['train'].shown}: the label {plan.label!r} is {always} in all "
            f"{len(train):,} rows, and {why}."
        )
    lost = sorted(set(range(len(known or ()))) - set(train.labels.tolist()))
    if lost and known is not None and not declared:
        raise DataError(
            f"{tables['train'].shown}: every row of the class {known[lost[0]]!r} is broken. Repair "
            "one, or say which classes there are with classes=(...)."
        )
    for split, columns in splits.items():
        if columns.weights is not None and not columns.weights.any():
            raise DataError(f"{tables[split].shown}: all weights in {plan.weight!r} are 0.")
