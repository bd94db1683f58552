"""CSV files as people have them: numbers and dates in their notation, an index, no header."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfpipe.data import CSV
from tfpipe.declare.formats import DateFormat, NumberFormat
from tfpipe.declare.spec import Label
from tfpipe.errors import ConfigError, DataError

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes forty rows of a header, each made by a function of its number; gives the path."""

    def write(header: str, row: Callable[[int], str], name: str = "table.csv") -> str:
        lines = [header, *map(row, range(40))] if header else [*map(row, range(40))]
        (tmp_path / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
        return str(tmp_path / name)

    return write


def read(path: str, **fields: Any) -> CSV:
    return CSV(path, **{"label": "y", "validation": None} | fields)


def refused(source: CSV) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


@pytest.mark.parametrize(
    ("cell", "delimiter", "form", "note"),
    [
        (
            lambda i: f'"{1000 + 37 * i:,}"',
            ",",
            NumberFormat(thousands=","),
            "'1,000': decimal='.', thousands=','.",
        ),
        (
            lambda i: f"{i}%",
            ",",
            NumberFormat(unit="%"),
            "'0%': decimal='.', thousands='', without the unit '%'.",
        ),
        (
            lambda i: f"${i}.50",
            ",",
            NumberFormat(unit="$"),
            "'$0.50': decimal='.', thousands='', without the unit '$'.",
        ),
        (
            lambda i: f"{i},5",
            ";",
            NumberFormat(decimal=","),
            "'0,5': decimal=',', thousands=''.",
        ),
        (
            lambda i: f"{1 + i}.234,5",
            ";",
            NumberFormat(decimal=",", thousands="."),
            "'1.234,5': decimal=',', thousands='.'.",
        ),
    ],
    ids=["1,234", "12%", "$5", "0,5", "1.234,5"],
)
def test_numbers_in_one_notation_are_numbers_and_it_is_said(
    write: Write, cell: Callable[[int], str], delimiter: str, form: NumberFormat, note: str
) -> None:
    path = write(delimiter.join("aby"), lambda i: delimiter.join((cell(i), "1", str(i % 2))))
    source = read(path, delimiter=delimiter)
    first, second = source.spec().features
    assert (first.kind, first.dtype, first.format) == ("number", "string", form)
    assert (second.kind, second.format) == ("number", None)
    assert source.notes() == [f"a is read as numbers such as {note}"]


@pytest.mark.parametrize(
    ("cell", "form", "how"),
    [
        (lambda i: f"2024-01-{1 + i % 28:02}", DateFormat(), "'2024-01-01', the year first"),
        (
            lambda i: f"{1 + i % 28:02}/02/2024 14:{i:02}",
            DateFormat("dmy", time=True),
            "'01/02/2024 14:00', the day first",
        ),
        (
            lambda i: f"{1 + i % 12}/{1 + i % 28}/2024",
            DateFormat("mdy"),
            "'1/1/2024', the month first",
        ),
        (
            lambda i: f"{1 + i % 12}.{1 + i % 12}.2024",
            DateFormat("dmy"),
            "'1.1.2024', the day first",
        ),
    ],
)
def test_dates_are_read_in_the_order_that_fits_all_of_them(
    write: Write, cell: Callable[[int], str], form: DateFormat, how: str
) -> None:
    source = read(write("when,y", lambda i: f"{cell(i)},{i % 2}"))
    (feature,) = source.spec().features
    assert (feature.kind, feature.format) == ("date", form)
    parts = ", ".join(form.names)
    assert source.notes() == [f"when is read as dates such as {how}: {parts}."]


def test_dates_that_may_be_read_two_ways_have_to_be_declared(write: Write) -> None:
    path = write("when,y", lambda i: f"{1 + i % 12}/{1 + i % 11}/2024,{i % 2}")
    assert refused(read(path)) == (
        "table.csv: the column 'when' holds dates such as '1/1/2024', of which the day or the "
        "month may come first. Declare it: columns={'when': 'dmy'} or {'when': 'mdy'}."
    )
    source = read(path, columns={"when": "mdy"})
    assert source.spec().feature.format == DateFormat("mdy")
    assert source.notes() == [], "what is declared need not be said"


def test_where_fractions_have_commas_a_point_groups_thousands(write: Write) -> None:
    path = write("a;b;c;y", lambda i: f"{i},5;{1 + i}.000;€{1 + i}.000;{1 + i}.500")
    source = read(path, delimiter=";")
    a, b, c = source.spec().features
    assert (a.format, b.format, c.format) == (
        NumberFormat(decimal=","),
        NumberFormat(decimal=",", thousands="."),
        NumberFormat(decimal=",", thousands=".", unit="€"),
    )
    (_, y) = next(iter(source.input_fn("train", batch_size=2, shuffle=False)))
    assert y.numpy().tolist() == [1500, 2500], "the label too"
    assert source.notes()[-1].startswith("y is read as numbers such as '1.500': decimal=','")

    path = write("a;b;y", lambda i: f"{i},5;{i}.25;{i % 2}")
    mixed = read(path, delimiter=";")
    assert mixed.notes()[0] == (
        "table.csv has fractions with a comma and others with a point: each column is read by "
        "itself. decimal=',' or decimal='.' declares one for all."
    )


def test_declared_marks_decide(write: Write) -> None:
    path = write("a,y", lambda i: f"1.{100 + i},{i % 2}")
    assert read(path).spec().feature.format is None
    declared = read(path, decimal=",", thousands=".")
    assert declared.spec().feature.format == NumberFormat(decimal=",", thousands=".")


def test_cells_in_another_notation_are_listed_with_file_and_line(write: Write) -> None:
    def row(i: int) -> str:
        return f"{'soon' if i == 3 else f'{i}%'},{'2024-02-30' if i == 5 else '2024-02-01'},{i % 2}"

    assert refused(read(write("share,when,y", row))) == (
        "CSV('table.csv'): 2 of 40 rows cannot be used:\n"
        "  table.csv:5: 'soon' in the column 'share' of numbers such as 1234.5%\n"
        "  table.csv:7: '2024-02-30' in the column 'when' of dates such as 2024-01-31\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )


@pytest.mark.parametrize(
    ("cell", "delimiter", "kind", "note"),
    [
        (lambda i: f"0{1000 + i % 5}", ",", "category", "is a category: '01000' and the like are "),
        (lambda i: f"0{1000 + 7 * i}", ",", "category", "is a category: '01000' and the like are "),
        (lambda i: str(15_600_000 + 34_567 * i), ",", "number", "has whole numbers such as '1560"),
        (lambda i: f"{i + 1}.234", ";", "number", "is read as numbers such as '1.234', with the "),
        (lambda i: f"{i + 1}.23", ";", "number", ""),
    ],
)
def test_what_plain_numbers_may_be_is_said(
    write: Write, cell: Callable[[int], str], delimiter: str, kind: str, note: str
) -> None:
    path = write(delimiter.join("ay"), lambda i: f"{cell(i)}{delimiter}{i % 2}")
    source = read(path, delimiter=delimiter)
    assert source.spec().feature.kind == kind
    (said,) = source.notes() or [""]
    assert said.startswith(f"a {note}" if note else "")
    declared = read(path, delimiter=delimiter, columns={"a": "number"})
    assert declared.spec().feature.kind == "number"


def test_what_is_nearly_a_number_or_a_date_is_told_what_these_are(write: Write) -> None:
    for cell in (lambda i: f"{1 + i % 28:02}/02/24", lambda i: f"({i})", lambda i: f"{i}/4"):
        assert refused(read(write("a,y", lambda i, cell=cell: f"{cell(i)},{i % 2}"))).endswith(
            "Numbers are read in one notation, such as 1,234.5, 1.234,5 or 12 %; dates as "
            "2024-01-31, 31/01/2024 or 01/31/2024, with a time or without."
        )


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        (lambda i: f'"{i % 2},{125 + i}"', None),  # no thousands begin with 0
        (lambda i: f"1{'AB'[i % 2]}", "category"),
        (lambda i: f"{i % 9}XL", "category"),
        (lambda i: f"192.168.100.{100 + i % 9}", "category"),
        (lambda i: f"1.234.{560 + i % 9}", "category"),
        (lambda i: f"{12 + i % 4}k", "category"),
        (lambda i: "12%" if i % 4 else "0.12", "category"),
        (lambda i: f"\u2212{i}", "number"),
    ],
)
def test_what_is_no_number_stays_a_word(
    write: Write, cell: Callable[[int], str], values: str | None
) -> None:
    source = read(write("a,y", lambda i: f"{cell(i)},{'no' if i % 2 else 'yes'}"))
    feature = source.spec().feature
    if values is None:
        assert feature.format == NumberFormat(decimal=",")
    else:
        assert feature.kind == values


@pytest.mark.parametrize(
    ("cell", "classes"),
    [
        (lambda i: f"{2 + i % 2}d", ("2d", "3d")),
        (lambda i: f"{7 + i % 2}A", ("7A", "8A")),
        (lambda i: f"{1 + i % 2}m", ("1m", "2m")),
    ],
)
def test_labels_that_begin_with_a_digit_are_names(
    write: Write, cell: Callable[[int], str], classes: tuple[str, ...]
) -> None:
    assert read(write("a,y", lambda i: f"{i},{cell(i)}")).spec().label.classes == classes


def test_labels_that_the_task_cannot_have(write: Write) -> None:
    words = write("a,y", lambda i: f"{i},{'abc'[i % 3]}")
    assert refused(read(words).with_labels("number")) == (
        "table.csv: the label 'y' holds words such as 'a', and numbers are asked for, by task= or "
        "label_kind=."
    )
    (x, y) = ([f'"{1000 + i},{i:02}"' for i in range(160)], None)
    lines = ["a,y", *(f"{i},{cell}" for i, cell in enumerate(x))]
    Path(words).write_text("\n".join(lines))
    assert y is None
    assert "different numbers in 160 rows" in refused(read(words).with_labels("class"))


def test_declared_marks_are_meant(write: Write) -> None:
    path = write("a,y", lambda i: f"{i}.5,{i % 2}")
    assert refused(read(path, decimal=",", columns={"a": "number"})) == (
        "table.csv: the column 'a' is declared to hold numbers, and holds words such as '0.5', "
        "which are none where decimal=',' and thousands=None."
    )
    assert "which is a lot for a category" in refused(read(path, decimal=","))


def test_identifiers_are_no_category(write: Write) -> None:
    path = write("who,a,y", lambda i: f"u{i // 1.3:.0f}x,{i},{i % 2}")
    assert refused(read(path)) == (
        "table.csv: the column 'who' has 30 different words in 40 rows, such as 'u0x', which is a "
        "lot for a category. Leave it out: drop=('who',); or declare it: columns={'who': "
        "'category'}. Is it the text to learn from? Then use TextCSV(..., text='who')."
    )
    assert len(read(path, columns={"who": "category"}).spec().features) == 2


def test_the_index_that_pandas_writes_is_left_out_and_it_is_said(write: Write) -> None:
    path = write(",a,y", lambda i: f"{(i * 7) % 40},{i},{i % 2}")
    source = read(path)
    assert [f.name for f in source.spec().features] == ["a"]
    assert source.notes() == [
        "The column 'column_1' of table.csv has no name of its own and numbers the rows, as pandas "
        "writes it: it is left out. columns={'column_1': 'number'} keeps it."
    ]
    twice = read(write("Unnamed: 0.1,Unnamed: 0,a,y", lambda i: f"{i},{i},{i},{i % 2}"))
    assert [f.name for f in twice.spec().features] == ["a"]
    assert len(twice.notes()) == 2
    codes = read(write(",a,y", lambda i: f"{i * 7919},{i},{i % 2}"))
    assert [f.name for f in codes.spec().features] == ["column_1", "a"]
    kept = read(path, columns={"column_1": "number"})
    assert [f.name for f in kept.spec().features] == ["column_1", "a"]
    assert kept.notes() == []


def test_times_that_training_has_not_are_no_dates(write: Write) -> None:
    train = write("when,y", lambda i: f"2024-01-{1 + i % 28:02},{i % 2}")
    test = write("when,y", lambda i: f"2024-01-02{' 14:00' * (i == 3)},{i % 2}", "test.csv")
    assert refused(CSV({"train": train, "test": test}, "y", validation=None)).splitlines()[1] == (
        "  test.csv:5: '2024-01-02 14:00' in the column 'when' of dates such as 2024-01-31"
    )


def test_dates_that_are_not_read_are_told_what_is(write: Write) -> None:
    source = read(write("when,y", lambda i: f"0{1 + i % 3}/02/24,{i % 2}"))
    assert source.notes() == [
        "when is a category of words such as '01/02/24'. Numbers are read in one notation, such as "
        "1,234.5, 1.234,5 or 12 %; dates as 2024-01-31, 31/01/2024 or 01/31/2024, with a time or "
        "without."
    ]


def test_yes_and_no_are_the_same_in_capitals(write: Write) -> None:
    words = ("TRUE", "false", "True", "FALSE")
    path = write("a,sea,sun", lambda i: f"{i},{words[i % 4]},{i % 2}")
    source = read(path, label=("sea", "sun"))
    (batch,) = source.input_fn("train", batch_size=40, shuffle=False).as_numpy_iterator()
    np.testing.assert_array_equal(batch[1][:, 0], 1 - np.arange(40) % 2)


def test_label_columns_of_one_name_in_the_model_are_refused(write: Write) -> None:
    path = write("a,b c,b_c", lambda i: f"{i},{i % 2},{i % 3}")
    assert refused(read(path, label=("b c", "b_c"))) == (
        "table.csv: the columns 'b c' and 'b_c' would both be called 'b_c'. Rename one, or leave "
        "one out with drop."
    )


def test_a_file_without_a_header_is_seen(write: Write) -> None:
    path = write("", lambda i: f"{i}.5,{i + 1},{i % 2 + 2 * (i < 1)}")
    assert refused(read(path)) == (
        "table.csv has no column 'y', which label names. There is: 0.5, 1, 2. Its first row has "
        "the number '0.5': where a file has no header, say what its columns are called with "
        "names=(...)."
    )
    assert read(path, names=("a", "b", "y")).spec().splits == {"train": 40}
    assert refused(read(write("", lambda i: "0,0,0"))) == (
        "table.csv has the column '0' twice: is its first row data? Then say what the columns are "
        "called: names=(...), 3 names."
    )


@pytest.mark.parametrize(
    ("row", "kind", "classes"),
    [
        (lambda i: f"{i},{i % 2},{i % 3 // 2}", "multilabel", ("sea", "sun")),
        (lambda i: f"{i},{('no', 'yes')[i % 2]},{('NO', 'YES')[i % 3 // 2]}", "multilabel", None),
        (lambda i: f"{i},{('TRUE', 'FALSE')[i % 2]},{i % 3 // 2}", "multilabel", None),
        (lambda i: f"{i},{i / 4},{i * 2}", "real", ()),
    ],
)
def test_several_label_columns(
    write: Write, row: Callable[[int], str], kind: str, classes: tuple[str, ...] | None
) -> None:
    source = read(write("a,sea,sun", row), label=("sea", "sun"))
    label = source.spec().label
    assert (label.kind, label.shape) == (kind, (2,))
    assert label.classes == (("sea", "sun") if classes is None else classes)
    assert label.columns == (() if classes != () else ("sea", "sun"))
    (batch,) = source.input_fn("train", batch_size=40, shuffle=False).as_numpy_iterator()
    rows = np.arange(40)
    if kind == "multilabel":
        sea = rows % 2 if "TRUE" not in row(0) else 1 - rows % 2
        np.testing.assert_array_equal(batch[1], np.stack([sea, rows % 3 // 2], axis=1))
    else:
        np.testing.assert_array_equal(batch[1], np.stack([rows / 4, rows * 2], axis=1))


def test_label_columns_of_different_kinds_are_outputs_of_their_own(write: Write) -> None:
    path = write("a,sea,who", lambda i: f"{i},{i / 8},{'abc'[i % 3]}")
    source = read(path, label=("sea", "who"))
    assert source.spec().label == Label(
        "labels",
        "several",
        parts=(Label("sea", "real"), Label("who", "class", (), ("a", "b", "c"))),
    )
    assert source.label_reading() == "sea: real numbers; who: words of 3 classes"
    (batch,) = source.input_fn("train", batch_size=40, shuffle=False).as_numpy_iterator()
    np.testing.assert_array_equal(batch[1]["sea"], np.arange(40) / 8)
    np.testing.assert_array_equal(batch[1]["who"], np.arange(40) % 3)

    # Words of two classes are no yes and no.
    path = write("a,sea,who", lambda i: f"{i},{'ab'[i % 2]},{'xy'[i // 3 % 2]}")
    assert [p.kind for p in read(path, label=("sea", "who")).spec().label.parts] == ["class"] * 2

    # With a task for each, also those of one kind are.
    path = write("a,sea,sun", lambda i: f"{i},{i % 2},{i % 3}")
    apart = read(path, label=("sea", "sun")).with_labels({"sea": "class", "sun": "number"})
    sea, sun = apart.spec().label.parts
    assert (sea.kind, sun.kind) == ("class", "real")


def test_classes_are_those_of_one_label(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        read("no.csv", label=("sea", "sun"), classes=("a", "b"))
    assert str(caught.value) == (
        "CSV.label names 2 columns, and classes are those of one: leave classes out."
    )


@pytest.mark.parametrize(
    ("cell", "fields", "label"),
    [
        (lambda i: f'"{1000 + i:,}"', {}, Label("y", "real")),
        (lambda i: str(1 + i % 3), {}, Label("y", "real")),
        (lambda i: str(1 + i % 3), {"label_kind": "class"}, Label("y", "class", (), tuple("123"))),
        (lambda i: ("no", "yes")[i % 2], {}, Label("y", "class", (), ("no", "yes"))),
        (lambda i: ("TRUE", "FALSE")[i % 2], {}, Label("y", "class", (), ("FALSE", "TRUE"))),
        (lambda i: str(2 * (i % 2) - 1), {}, Label("y", "class", (), ("-1", "1"))),
    ],
)
def test_labels(
    write: Write, cell: Callable[[int], str], fields: dict[str, Any], label: Label
) -> None:
    source = read(write("a,y", lambda i: f"{i},{cell(i)}"), **fields)
    assert source.spec().label == label
    (batch,) = source.input_fn("train", batch_size=40, shuffle=False).as_numpy_iterator()
    if label.kind == "class":
        cells = [cell(i) for i in range(40)]
        assert [label.classes[index] for index in batch[1]] == cells
    elif fields == {} and batch[1][0] >= 1000:
        np.testing.assert_array_equal(batch[1], 1000 + np.arange(40))
