"""Models of all kinds, asked about rows of numbers, texts and pictures."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.formats import NumberFormat
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.jobs.predict.answering import TrainedModel
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.jobs.predict.standard_input import StandardInput
from tfpipe.tasks import task_for

LABEL = Label("kind", "class", (), ("a", "b", "c"))
VECTOR = Feature("x", (3,), "float32", "vector")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ready(model: Callable[..., Any], *features: Feature, label: Label = LABEL) -> Predictor:
    """A predictor with any function of tensors as its model."""
    spec = ElementSpec(features, (label,))
    task = task_for(spec)
    called = lambda x, training: model(x)  # noqa: E731
    return Predictor("it", lambda: TrainedModel(called, task, spec), task, spec)  # type: ignore[arg-type]


def tops(predictor: Predictor, *paths: str) -> list[Any]:
    """For each item its best class, its value, or its error."""
    told = 0 if predictor.has_probabilities else 1
    return [(a.file, a.error or a.values[0][told]) for a in predictor.answers(paths)]


def pipe_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    raw = io.BufferedReader(io.BytesIO(text.encode()))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))


def test_rows_of_numbers_are_read_with_and_without_a_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = ready(lambda x: 9 * x, VECTOR)
    Path("bare.csv").write_text("1,0,0\n0,0,1\n0,x,2\n0,,2\n1,2\n")
    Path("named.csv").write_text("p; q; r\n0;1;0\n")
    Path("wide.csv").write_text("p,q,r,s\n0,1,0,3\n")
    Path("rows.jsonl").write_text(
        '[0, 1, 0]\n{"x": [0, 0, 1]}\n[1, 2]\n["a"]\n{"y": 1}\n[NaN,1,1]\n'
    )
    assert tops(it, "bare.csv", "named.csv", "wide.csv", "rows.jsonl") == [
        ("bare.csv:1", "a"),
        ("bare.csv:2", "c"),
        ("bare.csv:3", "text 'x' in the numeric column 'number 2'"),
        ("bare.csv:4", "text '' in the numeric column 'number 2'"),
        ("bare.csv:5", "2 columns where 3 are expected"),
        ("named.csv:2", "b"),
        ("wide.csv", "has 4 columns, and it reads 3 numbers: x."),
        ("rows.jsonl:1", "b"),
        ("rows.jsonl:2", "c"),
        ("rows.jsonl:3", "numbers of shape (2,) in 'x', where (3,) is read"),
        ("rows.jsonl:4", "'[\"a\"]' in 'x' is no numbers"),
        ("rows.jsonl:5", "there is no 'x'. There is: y."),
        ("rows.jsonl:6", "a number in 'x' that is not finite"),
    ]
    pipe_in(monkeypatch, "1 0 0\n".replace(" ", ","))
    assert tops(it, "-") == [("stdin:1", "a")]
    pipe_in(monkeypatch, " [0, 0, 1]")
    assert tops(it, "-") == [("stdin:1", "c")]
    pipe_in(monkeypatch, " \n")
    assert tops(it, "-") == [("stdin", "is empty.")]


def test_bytes_and_arrays_have_their_type_and_shape() -> None:
    square = Feature("x", (2, 2), "uint8", "array")
    label = Label("sum", "real")
    it = ready(
        lambda x: tf.reduce_sum(tf.cast(x, tf.float32), [1, 2])[:, None], square, label=label
    )
    Path("rows.csv").write_text("1,2,3,4\n1,2,3,256\n1,2,3,0.5\n")
    Path("rows.jsonl").write_text("[[1, 2], [3, 5]]\n[1, 2, 3, -1]\n")
    assert tops(it, "rows.csv", "rows.jsonl") == [
        ("rows.csv:1", 10.0),
        ("rows.csv:2", "numbers that are no uint8"),
        ("rows.csv:3", "numbers that are no uint8"),
        ("rows.jsonl:1", 11.0),
        ("rows.jsonl:2", "numbers that are no uint8 in 'x'"),
    ]


def test_a_table_in_json_lines_is_read_as_its_csv_file_is() -> None:
    price = Feature("price", (), "string", "number", format=NumberFormat(",", ".", "€"))
    columns = (Feature("n", (), "float32", "number"), Feature("town", (), "string", "category"))

    def model(x: dict[str, tf.Tensor]) -> tf.Tensor:
        length = tf.cast(tf.strings.length(x["price"]), tf.float32)
        town = tf.cast(x["town"] == "Oslo", tf.float32)
        return tf.stack([100 * x["n"] + 10 * length + town], axis=1)

    it = ready(model, price, *columns, label=Label("y", "real"))
    rows = [
        {"price": "1.234,5 €", "n": 2, "town": "Oslo"},
        {"price": 1234.5, "n": True, "town": "Bergen", "more": [1]},
        {"price": None, "n": 1, "town": None},
        {"price": "cheap", "n": 1, "town": ""},
        {"price": 1, "n": "two", "town": ""},
        {"price": 1, "n": [2], "town": ""},
        {"price": 1, "n": 2},
        [1, 2, 3],
    ]
    Path("rows.ndjson").write_text("\n".join(map(json.dumps, rows)) + "\n{")
    assert tops(it, "rows.ndjson") == [
        ("rows.ndjson:1", 311.0),
        ("rows.ndjson:2", 190.0),
        ("rows.ndjson:3", 100.0),
        ("rows.ndjson:4", "'cheap' in the column 'price' of numbers such as €1.234,5"),
        ("rows.ndjson:5", "text 'two' in the numeric column 'n'"),
        ("rows.ndjson:6", "'[2]' in 'n', which is a number"),
        ("rows.ndjson:7", "there is no 'town'. There is: n, price."),
        ("rows.ndjson:8", "'[1, 2, 3]' is no object with a value for each column"),
        (
            "rows.ndjson:9",
            "no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
    ]


def test_texts_come_in_lines_json_csv_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    review = Feature("review", (), "string", "text")
    label = Label("length", "real")
    it = ready(lambda x: tf.cast(tf.strings.length(x), tf.float32)[:, None], review, label=label)
    Path("a.jsonl").write_text('"ab"\n{"text": "abc"}\n{"review": "abcd"}\n{"review": 3}\n" "\n')
    Path("texts").mkdir()
    for number, text in ((10, "0123456789"), (9, "012345678"), (11, " ")):
        Path(f"texts/t{number}.txt").write_text(text)
    Path("texts/b\xe9.csv").write_text("id,review\n1,abcde\n")
    assert tops(it, "a.jsonl", "texts", "texts/b\xe9.csv") == [
        ("a.jsonl:1", 2.0),
        ("a.jsonl:2", 3.0),
        ("a.jsonl:3", 4.0),
        ("a.jsonl:4", "'3' in 'review', which is a text"),
        ("a.jsonl:5", "no text in the column 'review'"),
        ("texts/t9.txt", 9.0),
        ("texts/t10.txt", 10.0),
        ("texts/t11.txt", "the file is empty"),
        ("texts/b\xe9.csv:2", 5.0),
    ]
    pipe_in(monkeypatch, "four\r\n\n three, \nnul\0\n")
    assert tops(it, "-") == [
        ("stdin:1", 4.0),
        ("stdin:3", 8.0),
        ("stdin:4", "a NUL character, which no text has"),
    ]
    pipe_in(monkeypatch, '{"text": "abc"}\n')
    assert tops(it, "-") == [("stdin:1", 3.0)]


def test_several_inputs_take_pictures_by_name_and_several_outputs_answer() -> None:
    picture = Feature("photo", (2, 2, 1), "uint8", "image")
    age = Feature("age", (), "float32", "number")
    parts = (LABEL, Label("size", "real"))

    def model(x: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        mean = tf.reduce_mean(tf.cast(x["photo"], tf.float32), [1, 2])
        return {"kind": tf.concat([mean, 0 * mean, 0 * mean], 1), "size": x["age"][:, None]}

    it = ready(model, picture, age, label=Label("labels", "several", parts=parts))
    pixels = np.full((2, 2, 1), 9, np.uint8)
    Path("a.png").write_bytes(tf.io.encode_png(pixels).numpy())
    rows = [{"photo": "a.png", "age": 3}, {"photo": "b.png", "age": 3}]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("rows.csv").write_text("age\n3\n")
    first, missing, csv = it.answers(["rows.jsonl", "rows.csv"], top=1)
    assert first.outputs["kind"] == (("a", pytest.approx(0.99975, abs=1e-5)),)
    assert first.outputs["size"] == (("size", 3.0),)
    assert [name for name, _ in first.values] == ["kind: a", "size"]
    assert (missing.file, missing.error) == (
        "rows.jsonl:2",
        "b.png in 'photo' cannot be read: No such file or directory",
    )
    assert csv.error == "is no JSON-lines file, and it reads photo (image), age (number)."


def test_a_table_is_read_in_parts_and_its_model_traced_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tfpipe.jobs.predict.rows._COLUMNS", 4)
    traces: list[int] = []

    def model(x: tf.Tensor) -> tf.Tensor:
        traces.append(1)
        return x[:, None]

    it = ready(model, Feature("n", (), "float32", "number"), label=Label("y", "real"))
    Path("rows.csv").write_text("m,n\n" + "".join(f"0,{i}\n" for i in range(10)) + "0,x\n")
    parts = list(it.in_parts(["rows.csv"]))
    assert [len(part) for part in parts] == [4, 4, 3]
    found = [a.values[0][1] for part in parts for a in part if not a.error]
    assert found == [*map(float, range(10))]
    assert parts[-1][-1].error == "text 'x' in the numeric column 'n'"
    assert len(traces) == 1


def test_what_is_piped_is_answered_before_more_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = ready(
        lambda x: x[:, None], Feature("n", (), "float32", "number"), label=Label("y", "real")
    )
    reading, writing = os.pipe()
    with os.fdopen(reading) as piped, os.fdopen(writing, "w") as program:
        monkeypatch.setattr(sys, "stdin", piped)
        program.write("n\n1\n2\n")
        program.flush()
        parts = it.in_parts(["-"])
        assert [a.file for a in next(parts)] == ["stdin:2", "stdin:3"]
        program.write("3\n")
        program.close()
        assert [(a.file, a.values[0][1]) for a in next(parts)] == [("stdin:4", 3.0)]
        assert next(parts, None) is None


def test_standard_input_keeps_lines_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe_in(monkeypatch, "\ufeff é\nlast")
    given = StandardInput()
    assert given.begins_with() == "\xc3"
    assert given.first_line() == " é\n"
    assert [*iter(given.readline, "")] == [" é\n", "last"]
    assert not given.late()


def test_keras_and_the_compiled_model_agree() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    spec = ElementSpec((VECTOR,), (LABEL,))
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    found = TrainedModel(model, task_for(spec), spec)({"x": rows})
    np.testing.assert_allclose(found, tf.nn.softmax(model(rows)), rtol=1e-5)
