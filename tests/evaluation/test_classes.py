"""The confusion matrix of a split, and what is read from it."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.evaluation.classes import Confusion, confusion
from tfpipe.tasks import task_for

CLASSES = ("cat", "dog", "owl")
ANSWERED = [0, 0, 1, 1, 2, 2, 0]
TRUE = [0, 1, 1, 1, 2, 0, 0]


def identity(width: int) -> Any:
    inputs = keras.Input((width,))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


def head(classes: tuple[str, ...]) -> Any:
    feature = Feature("x", (len(classes),), "float32", "vector")
    return task_for(ElementSpec((feature,), (Label("label", "class", (), classes),)))


def test_answers_are_counted_by_true_class() -> None:
    logits = 5.0 * np.eye(3, dtype=np.float32)[ANSWERED]
    batches = tf.data.Dataset.from_tensor_slices((logits, TRUE)).batch(3)
    found = confusion(identity(3), head(CLASSES), CLASSES, batches)
    assert found.matrix.tolist() == [[2, 0, 1], [1, 2, 0], [0, 0, 1]]


def test_a_binary_answer_is_the_second_class_from_one_half_on() -> None:
    logits = np.array([[-0.1], [0.1], [3.0], [-3.0]], np.float32)
    batches = tf.data.Dataset.from_tensor_slices((logits, [0, 0, 1, 1], [1.0] * 4)).batch(3)
    found = confusion(identity(1), head(("no", "yes")), ("no", "yes"), batches)
    assert found.matrix.tolist() == [[1, 1], [1, 1]]


def test_what_is_read_from_the_counts() -> None:
    found = Confusion(
        (*CLASSES, "yak"), np.array([[8, 1, 1, 0], [0, 2, 0, 0], [3, 0, 1, 0], [0] * 4])
    )
    np.testing.assert_allclose(found.right, [0.8, 1.0, 0.25, np.nan])
    assert found.rows() == [
        ("cat", "10", "80.0%", "dog (1)"),
        ("dog", "2", "100.0%", ""),
        ("owl", "4", "25.0%", "cat (3)"),
        ("yak", "0", "", ""),
    ]
    assert found.to_json()["right"] == {"cat": 0.8, "dog": 1.0, "owl": 0.25}


def report() -> Any:
    (run,) = Path("runs").glob("*/*")
    return json.loads((run / "report" / "report.json").read_text())["test"]


def test_a_run_tells_how_each_class_did(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("run", small, "--no-export")
    assert answer.code == 0, answer.err
    assert "class   samples  right" in answer.out
    found = report()
    matrix = np.array(found["confusion"])
    assert matrix.shape == (3, 3)
    assert matrix.sum() == 24
    assert np.trace(matrix) / 24 == pytest.approx(found["metrics"]["accuracy"], abs=1e-6)
    (run,) = Path("runs").glob("*/*")
    assert (run / "report" / "test_confusion.png").read_bytes().startswith(b"\x89PNG")
    page = (run / "report" / "report.html").read_text()
    assert page.count("<svg") == 3, "the confusion matrix, loss and accuracy"
    assert "<image" not in page, "which the page's own policy would not show"
    assert "<th>bright</th>" in page
    assert "default-src 'none'" in page


def test_a_regression_has_no_classes_to_report(tfpipe: Any, small: Path) -> None:
    text = small.read_text().replace('return x.astype("uint8"), y', "return x, y / 7")
    small.write_text(text.replace(', classes=("dark", "grey", "bright")', ""))
    answer = tfpipe("run", small, "augment=()", "--no-export")
    assert answer.code == 0, answer.err
    assert set(report()) == {"metrics"}


def test_a_run_does_not_fail_for_its_report(
    tfpipe: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> str:
        raise RuntimeError("out of ink")

    monkeypatch.setattr("tfpipe.jobs.report.run_report", broken)
    answer = tfpipe("run", small, "--no-export")
    assert answer.code == 0, answer.err
    assert "The report could not be drawn (RuntimeError: out of ink)." in answer.out
    assert set(report()) > {"metrics", "confusion"}
    assert not list(Path("runs").rglob("report.html"))
