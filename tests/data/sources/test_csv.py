"""CSV: what columns hold, which rows cannot be used, and what a declaration may say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfpipe.data import CSV
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

Write = Callable[..., str]
Rows = list[str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines, or bytes, into a file of a name; gives its path."""

    def write(lines: Rows | bytes, name: str = "people.csv") -> str:
        data = lines if isinstance(lines, bytes) else "\n".join([*lines, ""]).encode()
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return write


# Twenty people: a number, a category with one missing, a number with one missing, yes or no.
PEOPLE = [
    "full name,years old,town,income,left",
    *(f"p{i},{20 + i},{('Rome', 'Oslo', '')[i % 3]},{i}.5,{i % 2}" for i in range(19)),
    "p19,39,Rome,NA,1",
]


def source(path: Any, **fields: Any) -> CSV:
    return CSV(path, **{"label": "left", "drop": ("full name",), "validation": None} | fields)


def columns_of(source: CSV, split: str = "train") -> tuple[dict[str, Any], Any]:
    (batch,) = source.input_fn(split, batch_size=source.spec().splits[split]).as_numpy_iterator()
    return batch[0], batch[1]


def refused(source: CSV) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


# What columns hold


def test_numbers_and_categories_are_told_apart(write: Write) -> None:
    spec = source(write(PEOPLE)).spec()
    assert spec.features == (
        Feature("years_old", (), "float32", "number"),
        Feature("town", (), "string", "category"),
        Feature("income", (), "float32", "number"),
    )
    assert spec.label == Label("left", "class", (), ("0", "1"))
    assert spec.splits == {"train": 20}


def test_values_are_those_of_the_file_and_missing_ones_stay_missing(write: Write) -> None:
    x, y = columns_of(source(write(PEOPLE)))
    np.testing.assert_array_equal(x["years_old"], np.arange(20, 40))
    assert x["town"][:4].tolist() == [b"Rome", b"Oslo", b"", b"Rome"]
    np.testing.assert_array_equal(x["income"], [i + 0.5 for i in range(19)] + [np.nan])
    np.testing.assert_array_equal(y, [0, 1] * 10)


def test_a_column_of_mostly_numbers_is_one(write: Write) -> None:
    """Nine of ten are enough; an eighth that are none make a category."""
    rows = ["a,b,y", *(f"{n},{n},{n % 2}" for n in range(8)), "x,8,0", "9,9,1"]
    text = refused(CSV(write(rows), "y"))
    assert "people.csv:10: text 'x' in the numeric column 'a'" in text
    rows[1:3] = ["x,0,0", "?,1,1"]  # 2 of 9 are none; the missing one does not count
    kinds = [f.kind for f in CSV(write(rows), "y").spec().features]
    assert kinds == ["category", "number"]


def test_declared_columns(write: Write) -> None:
    declared = {"years_old": "category", "town": ("Oslo", "Rome", "Pisa"), "full name": "category"}
    found = source(write(PEOPLE), columns=declared, drop=()).spec().features
    assert found == (
        Feature("full_name", (), "string", "category"),
        Feature("years_old", (), "string", "category"),
        Feature("town", (), "string", "category", ("Oslo", "Rome", "Pisa")),
        Feature("income", (), "float32", "number"),
    )


def test_either_name_of_a_column_will_do(write: Write) -> None:
    path = write([line.replace("left", "has left") for line in PEOPLE])
    by_file = CSV(path, "has left", drop=("full name", "years old"))
    by_model = CSV(path, "has_left", drop=("full_name", "years_old"))
    assert by_file.spec() == by_model.spec()
    assert by_file.spec().label.name == "has_left"


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("fixed acidity,pH,y", ["fixed_acidity", "pH"]),
        (" a , b%,y", ["a", "b"]),
        ("1st,Größe (cm),y", ["column_1st", "Groe_cm"]),
        (",%,y", ["column_1", "column"]),
    ],
)
def test_columns_are_called_so_that_models_can_have_them(
    write: Write, header: str, names: list[str]
) -> None:
    spec = CSV(write([header, "1,2,0", "1,4,1"]), "y", validation=None).spec()
    assert [f.name for f in spec.features] == names


def test_spaces_around_cells_do_not_count(write: Write) -> None:
    x, y = columns_of(
        CSV(write(["a, b, y", '1 , "x, z", no', "2 , w , yes"]), "y", validation=None)
    )
    np.testing.assert_array_equal(x["a"], [1, 2])
    assert x["b"].tolist() == [b"x, z", b"w"]
    assert y.tolist() == [0, 1]


def test_quoted_cells_may_span_lines(write: Write) -> None:
    rows = ["a,b,y", '1,"one', 'and ""more""",0', "2,two,1"]
    x, _ = columns_of(CSV(write(rows), "y", validation=None))
    assert x["b"].tolist() == [b'one\nand "more"', b"two"]


def test_other_ways_to_write_a_file(write: Write) -> None:
    text = "größe;stadt;y\r\n1;Köln;0\r\n\r\n2;Ulm;1\r\n"
    for encoding, declared in (("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252")):
        found = CSV(write(text.encode(encoding)), "y", delimiter=";", encoding=declared)
        x, _ = columns_of(found.replace(validation=None))
        assert list(x) == ["groe", "stadt"]
        assert x["stadt"].tolist() == ["Köln".encode(), b"Ulm"]


def test_a_file_without_a_header(write: Write) -> None:
    found = CSV(write(["1\tx\t0", "2\tx\t1"]), "y", names=("a", "b", "y"), delimiter="\t")
    x, y = columns_of(found.replace(validation=None))
    assert x["a"].tolist() == [1, 2]
    assert y.tolist() == [0, 1]


def test_weights(write: Write) -> None:
    rows = ["a,w,y", *(f"{n},{n / 2},{n % 2}" for n in range(6))]
    found = CSV(write(rows), "y", weight="w", validation=None)
    assert [f.name for f in found.spec().features] == ["a"]
    (batch,) = found.input_fn("train", batch_size=6).as_numpy_iterator()
    np.testing.assert_array_equal(batch[2], np.arange(6) / 2)


@pytest.mark.parametrize(("cell", "weight"), [("{},5", 0.5), ("{}0%", 0.0), ("1.00{},0", 1000.0)])
def test_weights_in_peoples_notation(write: Write, cell: str, weight: float) -> None:
    rows = ["a;w;y", *(f"{n};{cell.format(n)};{n % 2}" for n in range(6))]
    found = CSV(write(rows), "y", weight="w", validation=None, delimiter=";")
    (batch,) = found.input_fn("train", batch_size=6).as_numpy_iterator()
    step = 10 if "%" in cell else 1
    np.testing.assert_allclose(batch[2], weight + step * np.arange(6), rtol=1e-6)


def test_numbers_too_large_for_32_bits_to_tell_apart(write: Write) -> None:
    rows = ["a,y", *(f"{n},{20_000_000_000 + n}" for n in range(150))]
    assert refused(CSV(write(rows), "y")) == (
        "people.csv: the label 'y' is 2e+10 in all 150 rows, and there is nothing to learn: "
        "numbers are rounded to 32 bits, so subtract the smallest from them."
    )
    rows = ["a,y", *(f"{n},{20_000_000 + n}" for n in range(150))]
    assert CSV(write(rows), "y", validation=None).label_reading() == (
        "whole numbers up to 20,000,148, of which those beyond 16,777,216 are rounded to 32 bits: "
        "subtract the smallest, or divide"
    )


def test_columns_of_more_rows_than_are_kept_together(write: Write) -> None:
    size = 25_000
    rows = ["a,b,y", *(f"{n},w{n % 3},{n % 2}" for n in range(size - 1)), "?,,1"]
    x, y = columns_of(CSV(write(rows), "y", validation=None))
    np.testing.assert_array_equal(x["a"][:-1], np.arange(size - 1))
    assert np.isnan(x["a"][-1])
    assert x["b"][[0, 10_001, size - 1]].tolist() == [b"w0", b"w2", b""]
    assert y.sum() == size // 2


# Labels


@pytest.mark.parametrize(
    ("labels", "fields", "label"),
    [
        ("yes no yes no", {}, Label("y", "class", (), ("no", "yes"))),
        ("0 1 1 0", {}, Label("y", "class", (), ("0", "1"))),
        ("0.0 1.0 2.0 1", {}, Label("y", "class", (), ("0.0", "1", "2.0"))),
        ("1 2 1 2", {}, Label("y", "real")),
        ("0 2 0 2", {}, Label("y", "real")),
        ("0.5 1 0 1", {}, Label("y", "real")),
        ("10 9 10 9", {"label_kind": "class"}, Label("y", "class", (), ("9", "10"))),
        ("0 1 1 0", {"label_kind": "number"}, Label("y", "real")),
        ("b a b a", {"classes": ("b", "a", "c")}, Label("y", "class", (), ("b", "a", "c"))),
        ("0 1 1 0", {"classes": ("stays", "goes")}, Label("y", "class", (), ("stays", "goes"))),
    ],
)
def test_labels(write: Write, labels: str, fields: Any, label: Label) -> None:
    rows = ["a,y", *(f"{n},{word}" for n, word in enumerate(labels.split()))]
    assert CSV(write(rows), "y", **fields).spec().label == label


@pytest.mark.parametrize(
    ("labels", "fields", "indices"),
    [
        ("yes no yes", {}, [1, 0, 1]),
        ("10 9 9.0", {"label_kind": "class"}, [1, 0, 0]),
        ("b a b", {"classes": ("b", "a")}, [0, 1, 0]),
        ("1 0 1.0", {"classes": ("stays", "goes")}, [1, 0, 1]),
        ("3 5 3", {"classes": ("5", "3")}, [1, 0, 1]),
        ("1.5 0 2", {}, [1.5, 0, 2]),
    ],
)
def test_label_values(write: Write, labels: str, fields: Any, indices: list[float]) -> None:
    rows = ["a,y", *(f"{n},{word}" for n, word in enumerate(labels.split()))]
    _, y = columns_of(CSV(write(rows), "y", validation=None, **fields))
    assert y.dtype == (np.float32 if 1.5 in indices else np.int64)
    assert y.tolist() == indices


# Several files


def test_each_split_may_have_a_file_and_columns_in_its_own_order(write: Write) -> None:
    test = ["left,income,town,years old", "1,7,Oslo,50", "0,8,Bonn,51"]
    found = source({"train": write(PEOPLE), "test": write(test, "test.csv")}, validation=0.25)
    assert found.spec().splits == {"train": 15, "validation": 5, "test": 2}
    x, y = columns_of(found, "test")
    assert list(x) == ["years_old", "town", "income"]
    assert x["years_old"].tolist() == [50, 51]
    assert x["town"].tolist() == [b"Oslo", b"Bonn"]
    assert y.tolist() == [1, 0]


def test_types_are_those_of_the_training_file(write: Write) -> None:
    test = ["years old,town,income,left", "50,1,2,1", "old,2,4,2"]
    files = {"train": write(PEOPLE), "test": write(test, "test.csv")}
    assert refused(source(files)) == (
        "CSV('people.csv', 'test.csv'): 1 of 22 rows cannot be used:\n"
        "  test.csv:3: text 'old' in the numeric column 'years old'\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )
    files["test"] = write([*test[:2], "51,2,4,2"], "test.csv")
    assert "test.csv:3: the label '2' is none of '0', '1'" in refused(source(files))


def test_a_test_file_with_other_columns(write: Write) -> None:
    test = write(["years old,town,pay,left", "50,Rome,2,1"], "test.csv")
    assert refused(source({"train": write(PEOPLE), "test": test})) == (
        "test.csv lacks 'income' and has 'pay' besides: its columns should be those of people.csv."
    )


def test_files_of_one_name_are_told_apart_by_their_paths(write: Write, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
    train = write(PEOPLE, "train/data.csv")
    test = write([PEOPLE[0], "p1,x,Rome,3,1"], "test/data.csv")
    assert f"  {test}:2: text 'x'" in refused(source({"train": train, "test": test}))


# Broken rows

BROKEN = [
    *PEOPLE[:6],
    "p5,25,Rome,5.5",  # line 7: 4 columns
    *PEOPLE[7:12],
    "p11,abc,Rome,11.5,1",  # line 13
    *PEOPLE[13:16],
    "p15,35,Oslo,15.5,",  # line 17: no label
    *PEOPLE[17:],
]


def test_broken_rows_are_listed_with_their_lines(write: Write) -> None:
    assert refused(source(write(BROKEN))) == (
        "CSV('people.csv'): 3 of 20 rows cannot be used:\n"
        "  people.csv:7: 4 columns where 5 are expected\n"
        "  people.csv:13: text 'abc' in the numeric column 'years old'\n"
        "  people.csv:17: no label in the column 'left'\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )


def test_broken_rows_are_found_by_verify(write: Write) -> None:
    with pytest.raises(DataError, match="3 of 20 rows cannot be used"):
        source(write(BROKEN)).verify()


def test_broken_rows_are_left_out(write: Write) -> None:
    found = source(write(BROKEN), on_bad="skip")
    assert found.spec().splits == {"train": 17}
    x, y = columns_of(found)
    kept = [i for i in range(20) if i not in (5, 11, 15)]
    assert x["years_old"].tolist() == [20 + i for i in kept]
    assert y.tolist() == [i % 2 for i in kept]
    assert found.notes() == [
        "3 of 20 rows could not be used and were left out (data.on_bad=skip); the first is "
        "people.csv:7: 4 columns where 5 are expected."
    ]
    assert source(write(PEOPLE)).notes() == []


ROWS = [f"{n},w{n % 2},{n % 2}" for n in range(20)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"1,2", "2 columns where 3 are expected"),
        (b"1", "1 column where 3 are expected"),
        (b"1,w1,0,", "4 columns where 3 are expected"),
        (b"inf,w1,0", "'inf' in the column 'a' is not a finite number"),
        (b"1e999,w1,0", "'1e999' in the column 'a' is not a finite number"),
        (b"1e39,w1,0", "'1e39' in the column 'a' is not a finite number"),
        (b"1_000,w1,0", "text '1_000' in the numeric column 'a'"),
        (b"1,w1,NA", "no label in the column 'y'"),
        (b"1,w1,x", "the label 'x' is none of '0', '1'"),
        (b"1,w1,7.5", ""),
        (b'1,"w1,0', "a quote is opened and not closed"),
        (b'1,"w"1,0', "text follows a closing quote"),
        (b"1,w\x001,0", "a NUL byte, which no text has"),
        (b"1,caf\xe9,0", "byte 0xe9 is not utf-8; encoding='latin-1' would read it"),
        (b"1,caf\x80,0", "byte 0x80 is not utf-8; encoding='cp1252' would read it"),
        (b"1,caf\x81,0", "byte 0x81 is not utf-8"),
        (b"x,w1,", "text 'x' in the numeric column 'a'"),
        (b"x" * 50 + b",w1,0", f"text '{'x' * 37}...' in the numeric column 'a'"),
    ],
)
def test_what_is_wrong_with_a_row(write: Write, line: bytes, what: str) -> None:
    """One line among twenty, after a blank one and a row of two lines; all others are sound."""
    before = b'a,b,y\n\n1,"two\nlines",1\n'
    after = "\n".join(ROWS).encode()
    found = CSV(write(before + line + b"\n" + after), "y", validation=None)
    if not what:  # one number that is no class makes them numbers
        assert found.spec().label.kind == "real"
        return
    assert refused(found) == (
        f"CSV('people.csv'): 1 of 22 rows cannot be used:\n  people.csv:5: {what}\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )
    x, _ = columns_of(found.replace(on_bad="skip"))
    assert x["a"].tolist() == [1, *range(20)]


def test_a_quote_that_another_line_closes_costs_one_line(write: Write) -> None:
    rows = ["a,b,y", *ROWS[:3], '3,"open,1', *ROWS[4:6], '6,"closed",0', *ROWS[7:]]
    found = CSV(write(rows), "y", validation=None, on_bad="skip")
    assert columns_of(found)[0]["a"].tolist() == [0, 1, 2, *range(4, 20)]
    assert found.notes() == [
        "1 of 20 rows could not be used and were left out (data.on_bad=skip); the first is "
        "people.csv:5: a quote is opened and not closed."
    ]


def test_weights_that_are_none(write: Write) -> None:
    rows = ["a,w,y", *(f"{n},1,{n % 2}" for n in range(20)), "1,,0", "2,-1,0"]
    text = refused(CSV(write(rows), "y", weight="w"))
    assert "  people.csv:22: no weight in the column 'w'\n" in text
    assert "  people.csv:23: the weight -1 is below 0\n" in text


def test_ten_broken_rows_are_listed_and_all_counted(write: Write) -> None:
    text = refused(CSV(write(["a,b,y", *ROWS, *["x"] * 12]), "y"))
    assert text.startswith("CSV('people.csv'): 12 of 32 rows cannot be used:\n")
    assert text.count("people.csv:") == 10
    assert "\n  and 2 more\n" in text


# Files that cannot be used at all


@pytest.mark.parametrize(
    ("rows", "fields", "message"),
    [
        ([], {}, "people.csv is empty."),
        (["a,y"], {}, "people.csv has a header and no rows."),
        (["", ""], {"names": ("a", "y")}, "people.csv is empty."),
        (
            ["a;b;y", "1;2;0"],
            {},
            "people.csv has one column, 'a;b;y'. Is the delimiter ';'? Declare delimiter=';'.",
        ),
        (
            ['"a"\t"y"', "1\t0"],
            {},
            "people.csv has one column, '\"a\"\\t\"y\"'. Is the delimiter '\\t'? Declare "
            "delimiter='\\t'.",
        ),
        (
            ["a,left", "1,0"],
            {},
            "people.csv has no column 'y', which label names. There is: a, left.",
        ),
        (
            ["a,y", "1,0"],
            {"drop": ("aa",)},
            "people.csv has no column 'aa', which drop names. Did you mean 'a'?",
        ),
        (
            ["a,y", "1,0"],
            {"columns": {"bb": "number"}},
            "people.csv has no column 'bb', which columns names. There is: a, y.",
        ),
        (["a,a,y", "1,2,0"], {}, "people.csv has the column 'a' twice: rename one of them."),
        (
            ["a b,a_b,y", "1,2,0", "1,2,1"],
            {},
            "people.csv: the columns 'a b' and 'a_b' would both be called 'a_b'. Rename one, or "
            "leave one out with drop.",
        ),
        (["y", "0", "1"], {}, "people.csv has no column to learn from but 'y', the label."),
        (
            ["a,y", "1,0", "2,1"],
            {"drop": ("y",)},
            "CSV: the column 'y' is the label, and named once more in drop, columns or text. Name "
            "it once.",
        ),
        (
            ["a,b,y", "1,,0", "2,?,1"],
            {},
            "people.csv: the column 'b' is empty in every row. Leave it out: drop=('b',).",
        ),
        (
            ["a,y", "1,no", "2,no", "3,no"],
            {},
            "people.csv: the label 'y' is 'no' in all 3 rows, and telling classes apart takes two.",
        ),
        (
            ["a,y", *(f"name {n},{n % 2}" for n in range(101))],
            {},
            "people.csv: the column 'a' has 101 different words in 101 rows, such as 'name 0', "
            "which is a lot for a category. Leave it out: drop=('a',); or declare it: "
            "columns={'a': 'category'}. Is it the text to learn from? Then use TextCSV(..., "
            "text='a').",
        ),
        (
            ["a,y", *(f"{n},name {n}" for n in range(101))],
            {},
            "people.csv: the label 'y' has 101 different words in 101 rows, such as 'name 0', "
            "which is a lot for classes. Choose another label, or declare label_kind='class'.",
        ),
        (
            ["a,w,y", "1,0,0", "2,0,1"],
            {"weight": "w"},
            "people.csv: all weights in 'w' are 0.",
        ),
        (
            ["a,y", "1,x", "2,y"],
            {"classes": ("b", "c"), "on_bad": "skip"},
            "people.csv: all 2 rows are broken.",
        ),
        (
            ['"a,y', "1,0"],
            {},
            "people.csv:1: the header cannot be read: a quote is opened and not closed.",
        ),
        (
            b"caf\xe9,y\n1,0\n",
            {},
            "people.csv:1: the header cannot be read: byte 0xe9 is not utf-8; encoding='latin-1' "
            "would read it.",
        ),
        (
            ["1,2,0"],
            {"names": ("a", "y")},
            "CSV('people.csv'): 1 of 1 rows cannot be used:\n"
            "  people.csv:1: 3 columns where 2 are expected\n"
            "Repair them, or leave them out with data.on_bad=skip.",
        ),
    ],
)
def test_refused(write: Write, rows: Any, fields: Any, message: str) -> None:
    assert refused(CSV(write(rows), **{"label": "y"} | fields)) == message


def test_a_label_that_never_changes_is_no_number_to_predict(write: Write) -> None:
    assert refused(CSV(write(["a,y", "1,0", "2,0"]), "y")) == (
        "people.csv: the label 'y' is 0 in all 2 rows, and there is nothing to learn."
    )


def test_a_class_of_which_every_row_is_broken(write: Write) -> None:
    rows = ["a,y", *(f"{n},{'ab'[n % 2]}" for n in range(20)), "x,c"]
    found = CSV(write(rows), "y", validation=None, on_bad="skip")
    assert refused(found) == (
        "people.csv: every row of the class 'c' is broken. Repair one, or say which classes there "
        "are with classes=(...)."
    )
    assert found.replace(classes=("a", "b", "c")).spec().splits == {"train": 20}


def test_many_words_may_be_declared(write: Write) -> None:
    rows = ["a,y", *(f"name {n},tag {n}" for n in range(101))]
    spec = CSV(write(rows), "y", columns={"a": "category"}, label_kind="class").spec()
    assert spec.feature.kind == "category"
    assert len(spec.classes) == 101


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refused(CSV(str(tmp_path / "no.csv"), "y")) == (
        f"There is no file {tmp_path}/no.csv. Say where it is with data.path=FILE."
    )
    assert refused(CSV(str(tmp_path), "y")) == f"{tmp_path} cannot be read: Is a directory."
    files = {"train": str(tmp_path / "no.csv"), "test": "other.csv"}
    assert refused(CSV(files, "y")) == (
        f"There is no file {tmp_path}/no.csv. Say where it is with "
        "data.path=\"{'train': 'FILE', 'test': 'FILE'}\"."
    )


def test_a_path_is_looked_up_from_the_current_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(PEOPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert source("people.csv").spec().splits == {"train": 20}
    assert source("~/people.csv").spec().splits == {"train": 20}
    assert refused(source("other.csv")).startswith(f"There is no file {tmp_path}/other.csv.")


def test_a_file_in_utf_16(write: Write) -> None:
    path = write("a,y\n1,0\n".encode("utf-16"))
    assert refused(CSV(path, "y")) == (
        f"{path} is not utf-8: it begins as utf-16 does. Declare encoding='utf-16'."
    )


# Declarations


DECLARED: dict[str, Any] = {"years old": "number", "town": ("Oslo", "Rome")}


def test_a_full_declaration_needs_no_file(tmp_path: Path) -> None:
    found = source(str(tmp_path / "no.csv"), columns=DECLARED, classes=("0", "1")).element()
    features = (
        Feature("years_old", (), "float32", "number"),
        Feature("town", (), "string", "category", ("Oslo", "Rome")),
    )
    assert found == (features, Label("left", "class", (), ("0", "1")))
    real = source("no.csv", columns=DECLARED, label_kind="number")
    assert real.element() == (features, Label("left", "real"))
    assert refused(real).endswith(
        "/no.csv. Say where it is with data.path=FILE, or run on generated data with --sample."
    )


@pytest.mark.parametrize("fields", [{"columns": DECLARED}, {"classes": ("0", "1")}])
def test_half_a_declaration_needs_the_file(fields: Any) -> None:
    with pytest.raises(DataError, match=r"There is no file .*no\.csv"):
        source("no.csv", **fields).element()


def test_the_file_has_the_last_word_where_it_is_there(write: Write) -> None:
    found = source(write(PEOPLE), columns=DECLARED, classes=("0", "1"))
    assert [f.name for f in found.element()[0]] == ["years_old", "town", "income"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": {"test": "a.csv"}}, "CSV.path has no file for 'train', only for test."),
        (
            {"path": {"train": "a.csv", "valid": "b.csv"}},
            "CSV.path has a file for 'valid' that nothing uses: declare validation='valid', or "
            "leave it out.",
        ),
        (
            {"delimiter": ";;"},
            "CSV.delimiter is one character such as ',', ';' or '\\t', got ';;'.",
        ),
        ({"delimiter": '"'}, "CSV.delimiter is one character such as ',', ';' or '\\t', got '\"'."),
        (
            {"encoding": "utf8000"},
            "CSV.encoding='utf8000' is unknown. Use 'utf-8', 'latin-1', 'cp1252', 'utf-16' or "
            "another that Python knows.",
        ),
        (
            {"label_kind": "number", "classes": ("a", "b")},
            "CSV: numbers have no classes: leave out label_kind or classes.",
        ),
        ({"classes": ("a",)}, "CSV.classes has one class only, 'a': name two or more."),
        ({"classes": ("a", "b", "a")}, "CSV.classes has 'a' twice."),
    ],
)
def test_declarations_that_contradict_themselves(fields: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CSV(**{"path": "a.csv", "label": "y"} | fields)
    assert str(caught.value) == message


def test_a_file_for_validation(write: Write) -> None:
    files = {"train": write(PEOPLE), "valid": write(PEOPLE[:6], "valid.csv")}
    assert source(files, validation="valid").spec().splits == {"train": 20, "validation": 5}
