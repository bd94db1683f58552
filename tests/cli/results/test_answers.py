"""How answers are printed, of every kind of output."""

import io
import json

import numpy as np
import pytest

from tfpipe.cli.results.answers import BlockWriter, writer_of
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.jobs.predict.prediction import Prediction
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.tasks import task_for
from tfpipe.terminal import Terminal

KIND = Label("kind", "class", (), ("ape", "bee", "[cow]"))
SIZE = Label("size", "real", (2,), columns=("width", "height"))
BOTH = Label("labels", "several", parts=(KIND, SIZE))
ANSWERS = {
    "kind": np.float32([0.25, 0.125, 0.625]),
    "labels": {"kind": np.float32([0.25, 0.125, 0.625]), "labels": 0},
    "size": np.float32([1.5, 1e-7]),
}
ANSWERS["labels"] = {"kind": ANSWERS["kind"], "size": ANSWERS["size"]}


def written(form: str, label: Label, top: int | None = None) -> str:
    """An answer and an error in a format; "block" for the blocks of a terminal."""
    spec = ElementSpec((Feature("x", (), "float32", "number"),), (label,))
    task = task_for(spec)
    ready = Predictor("it", lambda: pytest.fail("It is loaded."), task, spec)
    stream = io.StringIO()
    if form == "block":
        writer = BlockWriter(ready, Terminal(stream, live=False))
    else:
        writer = writer_of(form, ready, stream, top)
    answer = Prediction("a.csv:2", task.named_outputs(ANSWERS[label.name], top or 5))
    writer.write([answer])
    writer.write([Prediction("b", error="is [empty]")])
    writer.end()
    return stream.getvalue()


@pytest.mark.parametrize(
    ("form", "label", "top", "lines"),
    [
        (
            "table",
            KIND,
            2,
            [
                "file     answer        2",
                "a.csv:2  [cow]  62.5%  ape    25.0%",
                "b        error: is [empty]",
            ],
        ),
        (
            "table",
            BOTH,
            1,
            [
                "file     kind           size: width  size: height",
                "a.csv:2  [cow]  62.5%           1.5         1e-07",
                "b        error: is [empty]",
            ],
        ),
        (
            "csv",
            SIZE,
            None,
            ["file,width,height,error", "a.csv:2,1.5,1.00000001e-07,", "b,,,is [empty]"],
        ),
        (
            "csv",
            BOTH,
            1,
            [
                "file,kind_class_1,kind_probability_1,size: width,size: height,error",
                "a.csv:2,[cow],0.625,1.5,1.00000001e-07,",
                "b,,,,,is [empty]",
            ],
        ),
        (
            "block",
            KIND,
            None,
            ["a.csv:2", "   62.5%  [cow]", "   25.0%  ape", "   12.5%  bee", "", "b  is [empty]"],
        ),
        (
            "block",
            SIZE,
            None,
            ["a.csv:2", "           1.5  width", "         1e-07  height", "", "b  is [empty]"],
        ),
    ],
)
def test_lines(form: str, label: Label, top: int | None, lines: list[str]) -> None:
    assert written(form, label, top).splitlines() == lines


def test_json_has_classes_or_values() -> None:
    first, second = map(json.loads, written("jsonl", KIND, 1).splitlines())
    assert first == {"file": "a.csv:2", "classes": [{"class": "[cow]", "probability": 0.625}]}
    assert second == {"file": "b", "error": "is [empty]"}
    first, _ = json.loads(written("json", BOTH, 1))
    assert first["values"] == {
        "kind: [cow]": 0.625,
        "size: width": 1.5,
        "size: height": pytest.approx(1e-7),
    }


def test_what_is_no_number_is_said_and_written_as_json_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ANSWERS, "kind", np.float32([np.nan] * 3))
    first, _ = map(json.loads, written("jsonl", KIND, 1).splitlines())
    assert first["classes"] == [{"class": "ape", "probability": None}]
    assert written("csv", KIND, 1).splitlines()[1] == "a.csv:2,ape,nan,"
    assert "nan%" in written("block", KIND)
