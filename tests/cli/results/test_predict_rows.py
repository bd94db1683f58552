"""tfpipe predict on the rows of CSV files: tables and texts, by a run's best model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

JOBS = """
from tfpipe import Pipeline, keras
from tfpipe.data import CSV, TextCSV
from tfpipe.models import MLP, TextClassifier


class Shop(Pipeline):
    data = CSV("shop.csv", "kind", delimiter=";", missing=("", "-"), validation=0.2, test=None)
    model = MLP(units=(8,))
    epochs = 1


class Words(Pipeline):
    data = TextCSV("words.csv", text="review", label="stars", validation=0.2, test=None)
    model = TextClassifier(vocabulary=50, length=5)
    epochs = 1
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [
        f"{1 + i % 28:02}/02/2024;{i}.{100 + i},5 €;{i % 7};{('Oslo', '')[i % 2]};{'ab'[i % 2]}"
        for i in range(1, 61)
    ]
    Path("shop.csv").write_text("\n".join(["when;the price;n;town;kind", *rows]))
    texts = [f"{'good' if i % 2 else 'bad'} film {i},{i % 2}" for i in range(60)]
    Path("words.csv").write_text("\n".join(["review,stars", *texts]))
    Path("jobs.py").write_text(JOBS)
    return tmp_path


def test_rows_of_a_table_are_answered_as_the_export_does(tfpipe: Any, here: Path) -> None:
    assert tfpipe("run", "jobs.py::Shop").code == 0
    rows = ["the price;town;n;when", "1.234,5 €;Rome;3;31/01/2024", ";;;", "cheap;Oslo;1;1/2/2024"]
    Path("new.csv").write_text("\n".join([*rows, "1"]))
    answer = tfpipe("predict", "last", "new.csv", "--json")
    assert answer.code == 1
    assert "2 of 4 rows could not be read." in answer.err
    first, second, *broken = json.loads(answer.out)
    assert [row["file"] for row in (first, second)] == ["new.csv:2", "new.csv:3"]
    assert broken == [
        {
            "file": "new.csv:4",
            "error": "'cheap' in the column 'the price' of numbers such as €1.234,5",
        },
        {"file": "new.csv:5", "error": "1 column where 4 are expected"},
    ]
    serve = tf.saved_model.load("saved_models/jobs.Shop/1").signatures["serving_default"]
    asked = {"when": "31/01/2024", "the_price": "1.234,5 €", "n": 3.0, "town": "Rome"}
    served = serve(**{name: tf.constant([value]) for name, value in asked.items()})
    told = {c["class"]: c["probability"] for c in first["classes"]}
    expected = np.asarray(served["probabilities"])[0]
    np.testing.assert_allclose([told["a"], told["b"]], expected, rtol=1e-4)
    shown = tfpipe("predict", "last", "new.csv").out
    assert "new.csv:2\n" in shown
    assert "new.csv:5  1 column where 4 are expected" in shown
    # The export knows what its files are like; another delimiter is seen.
    Path("comma.csv").write_text('n,the price,town,when\n-,"1.234,5 €",-,31/01/2024\n')
    for form in ("json", "csv"):
        words = ("new.csv", "comma.csv", "--format", form)
        of_run, of_export = (
            tfpipe("predict", t, *words) for t in ("last", "saved_models/jobs.Shop")
        )
        assert of_run == of_export
    *_, row = of_run.out.splitlines()
    assert row.startswith(("comma.csv:2,a,0.", "comma.csv:2,b,0."))


def test_texts_and_what_cannot_be_asked(tfpipe: Any, here: Path) -> None:
    assert tfpipe("run", "jobs.py::Words").code == 0
    Path("new.csv").write_text("id,review\n1,a good film\n2,\n")
    answer = tfpipe("predict", "last", "new.csv", "--json")
    (good, empty) = json.loads(answer.out)
    assert {c["class"] for c in good["classes"]} == {"0", "1"}
    assert empty == {"file": "new.csv:3", "error": "no text in the column 'review'"}
    Path("empty").mkdir()
    Path("other.csv").write_text("id,revue\n1,x\n")
    answer = tfpipe("predict", "last", "other.csv", "new.csv", "empty", "--format", "jsonl")
    assert (answer.code, answer.err) == (1, "3 of 4 rows could not be read.\n")
    first, _, _, last = map(json.loads, answer.out.splitlines())
    (run,) = (f"jobs.Words/{path.name}" for path in Path("runs/jobs.Words").iterdir())
    assert first == {
        "file": "other.csv",
        "error": f"has no column 'review', which {run} reads. Did you mean 'revue'?",
    }
    assert last == {"file": "empty", "error": "has no text file (.txt) in it."}
    for target in ("last", "saved_models/jobs.Words"):
        answer = tfpipe("predict", target, "new.csv", "--format", "csv", "--top", "1")
        assert answer.out.splitlines()[0] == "file,class_1,probability_1,error"
        assert answer.out.splitlines()[2] == "new.csv:3,,,no text in the column 'review'"
