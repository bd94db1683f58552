"""The networks that a course begins with reach what they should."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tfpipe.declare.loading import load

PIPELINES = Path(__file__).parents[2] / "pipelines"


def trained(tfpipe: Any, name: str, *words: Any) -> tuple[float, float]:
    """The last accuracy in training, and that of the test split, of a pipeline as it is shipped."""
    answer = tfpipe("run", PIPELINES / name, "--no-export", "callbacks=()", *words)
    assert answer.code == 0, answer.err
    run = max(Path("runs").glob("*/*"), key=lambda path: path.stat().st_mtime_ns)
    *_, last = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    report = json.loads((run / "report" / "report.json").read_text())
    return float(last["accuracy"]), report["test"]["metrics"]["accuracy"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_all_four_points_of_xor(tfpipe: Any, precision: str) -> None:
    assert trained(tfpipe, "xor.py", f"precision={precision}") == (1.0, 1.0)


def test_the_flower_and_what_a_line_makes_of_it(tfpipe: Any) -> None:
    """Published: 90% and 47% of the points that were trained on."""
    training, test = trained(tfpipe, "planar.py")
    assert training >= 0.90
    assert test >= 0.88
    training, test = trained(tfpipe, "planar.py::PlanarLine", "epochs=4")
    assert training == pytest.approx(0.47, abs=0.01)
    assert test < 0.55


def test_pictures_are_learnt_by_heart(tfpipe: Any) -> None:
    """On generated ones: those of CIFAR-10 are not at hand."""
    words = ("--sample", 209, "optimizer.learning_rate=0.002")
    training, test = trained(tfpipe, "logistic_images.py", *words)
    assert training > 0.97
    assert test < training - 0.05


def test_pictures_are_those_that_the_course_had() -> None:
    pipeline = load(str(PIPELINES / "logistic_images.py")).pipeline
    data: Any = pipeline.data
    (image,), label = data.element()
    assert (image.shape, label.classes) == ((64, 64, 3), ("cat", "airplane"))
    assert (data.train_size, data.test_size) == (209, 50)
