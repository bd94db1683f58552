"""From CSV files to samples: the columns to use, what they hold, and the rows to leave out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpipe.data.columns import Columns
from tfpipe.data.csv.columns import (
    Target,
    Values,
    answers,
    identifier,
    identifiers,
    numbers,
    numbers_found,
    target_of,
    texts,
    weights,
    words,
)
from tfpipe.data.csv.reader import CsvRows, Format, read_table
from tfpipe.data.problems import Problem, left_out, refuse
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError, suggest

Declared = str | tuple[str, ...]


@dataclass(frozen=True)
class TableRequest:
    """What is wanted of some CSV files.

    Args:
        owner: the source's class, for messages.
        files: the path of each stored split's file as it was declared; "train" among them.
        form: how the files are written.
        label: the column to predict.
        label_kind: "class", "number" or "auto".
        classes: the label's words in order of their index, or names for 0, 1, 2, ...
        missing: the words that stand for a missing value.
        columns: what columns hold: "number", "category" or its words.
        drop: columns that are left out.
        text: the column of texts, where it is to be the only feature.
        weight: the column that says how much each row counts.
        skip: whether broken rows are left out.
    """

    owner: str
    files: dict[str, str]
    form: Format
    label: str
    label_kind: str = "auto"
    classes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("",)
    columns: dict[str, Declared] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    text: str | None = None
    weight: str | None = None
    skip: bool = False


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

    @property
    def columns(self) -> list[str]:
        return [*self.features, self.label, *filter(None, [self.weight])]


def load(wanted: TableRequest) -> TableData:
    """Read files, find out what their columns hold and make arrays of them.

    Raises:
        DataError: for files or columns that are not there, columns that cannot be used, and broken
            rows unless these are left out.
    """
    names = [Path(path).name for path in wanted.files.values()]
    unique = len(set(names)) == len(names)
    shown = names if unique else list(wanted.files.values())
    tables = {
        split: read_table(Path(path).expanduser(), wanted.form, name)
        for (split, path), name in zip(wanted.files.items(), shown, strict=True)
    }
    train = tables["train"]
    _check_readable(tables, wanted)
    plan = _plan(train, wanted)
    splits, problems = {}, []
    for split, table in tables.items():
        _check_same(table, train, plan)
        splits[split], broken = _columns(table, plan, wanted, plan.read if table is train else {})
        lines = {int(table.lines[row]): what for row, what in broken.items()} | table.problems
        problems += [Problem(f"{table.shown}:{n}", lines[n]) for n in sorted(lines)]
    total = sum(table.total for table in tables.values())
    if not wanted.skip:
        refuse(problems, total, "rows", _called(wanted, shown))
    _check_left(splits, tables, plan, bool(wanted.classes))
    notes = left_out(problems, total, "rows")
    return TableData(tuple(plan.features.values()), _label(plan), splits, notes)


def _label(plan: _Plan) -> Label:
    name = identifier(plan.label)
    if plan.target.words is None:
        return Label(name, "real")
    return Label(name, "class", (), plan.target.names)


def _called(wanted: TableRequest, shown: Iterable[str]) -> str:
    return f"{wanted.owner}({', '.join(map(repr, shown))})"


def _check_readable(tables: dict[str, CsvRows], wanted: TableRequest) -> None:
    """Refuse files of which no row has the right number of columns."""
    for table in tables.values():
        if not len(table):
            problems = [Problem(f"{table.shown}:{n}", w) for n, w in table.problems.items()]
            refuse(problems, table.total, "rows", _called(wanted, [table.shown]))


def _plan(train: CsvRows, wanted: TableRequest) -> _Plan:
    """What to read, told by the declaration and the training file."""
    label = _find(wanted.label, train, "label")
    weight = None if wanted.weight is None else _find(wanted.weight, train, "weight")
    dropped = {_find(name, train, "drop") for name in wanted.drop}
    declared = {_find(name, train, "columns"): kind for name, kind in wanted.columns.items()}
    if wanted.text is not None:
        used = [_find(wanted.text, train, "text")]
        declared = {used[0]: "text"}
    else:
        used = [n for n in train.names if n not in {label, weight, *dropped}]
    for name, use in ((label, "label"), (weight, "weight")):
        if name in dropped or name in declared:
            raise DataError(
                f"{wanted.owner}: the column {name!r} is the {use}, and named once more in drop, "
                "columns or text. Name it once."
            )
    if not used:
        raise DataError(f"{train.shown} has no column to learn from but {label!r}, the label.")
    features, read = _features(train, used, declared, wanted)
    target = target_of(train, label, wanted.label_kind, wanted.classes, wanted.missing)
    return _Plan(features, label, target, weight, read)


def _features(
    train: CsvRows, used: list[str], declared: dict[str, Declared], wanted: TableRequest
) -> tuple[dict[str, Feature], dict[str, Values]]:
    """The inputs by column, and the columns that were read to find out what they hold."""
    features: dict[str, Feature] = {}
    read: dict[str, Values] = {}
    for name, called in identifiers(used, train.shown).items():
        kind = declared.get(name)
        if kind is None:
            values = numbers_found(train, name, wanted.missing)
            kind = "category" if values is None else "number"
            if values is not None:
                read[name] = values
        features[name] = feature_of(called, kind)
    return features, read


def feature_of(name: str, kind: Declared) -> Feature:
    """A column as an input: a number, a category, one with its words, or a text."""
    if isinstance(kind, tuple):
        return Feature(name, (), "string", "category", kind)
    if kind == "number":
        return Feature(name, (), "float32", "number")
    return Feature(name, (), "string", "text" if kind == "text" else "category")


def _find(name: str, table: CsvRows, use: str) -> str:
    """A column as the file names it, from that name or what it is called in a model."""
    if name in table.names:
        return name
    called = [n for n in table.names if identifier(n) == name]
    if called:
        return called[0]
    raise DataError(
        f"{table.shown} has no column {name!r}, which {use} names. {suggest(name, table.names)}"
    )


def _check_same(table: CsvRows, train: CsvRows, plan: _Plan) -> None:
    """Refuse a file that lacks columns of the training file, or has others."""
    lacking = [n for n in plan.columns if n not in table.names]
    others = [n for n in table.names if n not in train.names]
    if not lacking and not others:
        return
    found = [f"lacks {_listed(lacking)}"] if lacking else []
    found += [f"has {_listed(others)} besides"] if others else []
    raise DataError(
        f"{table.shown} {' and '.join(found)}: its columns should be those of {train.shown}."
    )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _columns(
    table: CsvRows, plan: _Plan, wanted: TableRequest, known: dict[str, Values]
) -> tuple[Columns, dict[int, str]]:
    """A file's sound rows, and what is wrong with the others, by row."""
    read: dict[str, Values] = {}
    for name, feature in plan.features.items():
        values = known.get(name) or _READERS[feature.kind](table, name, wanted.missing)
        read[feature.name] = values
    labels = answers(table, plan.label, plan.target, wanted.missing)
    weight = None if plan.weight is None else weights(table, plan.weight, wanted.missing)
    every = [*read.values(), labels, *filter(None, [weight])]
    broken: dict[int, str] = {}
    for values in reversed(every):
        broken |= values.broken  # of several, the first column's is told
    columns = Columns(
        {name: values.array for name, values in read.items()},
        labels.array,
        None if weight is None else weight.array,
    )
    if broken:
        columns = columns.take(np.delete(np.arange(len(table)), list(broken)))
    return columns, broken


_READERS: dict[str, Callable[..., Values]] = {
    "number": numbers,
    "category": lambda *args: Values(words(*args)),
    "text": lambda table, name, _: texts(table, name),
}


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
