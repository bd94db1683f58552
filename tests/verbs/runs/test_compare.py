"""Runs side by side: what differs, and whether the scores do by more than chance."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pages import EVIL, Read, charts_of, check_self_contained
from recorded import CLASSES, NUMBER, Job, answered, points, record

from tfpipe import keras
from tfpipe.data import Arrays
from tfpipe.declare.spec import Label
from tfpipe.errors import ConfigError
from tfpipe.evaluation.predictions import Answered, Predictions
from tfpipe.models import MLP
from tfpipe.runs.directory import Status
from tfpipe.verbs.runs.compare import RunComparison, compare


def finished(**test: float) -> Status:
    return Status("finished", epoch=2, metrics={"train": {"loss": 0.5}, "test": test})


def compared(root: Path) -> RunComparison:
    return compare(sorted(str(p.parent) for p in root.glob("runs/*/*/config.json")), root=root)


def rows(found: Any) -> list[tuple[Any, ...]]:
    return [(row.name, *row.cells()) for row in found]


TRUE = [0, 1, 2] * 10


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two runs that differ in everything, of which the second answers ten more right."""
    record(
        tmp_path,
        Job(optimizer=keras.optimizers.SGD(0.1, momentum=0.9)),
        status=finished(loss=0.7, accuracy=1 / 3),
        losses=(0.9, 0.5),
        answers=answered(TRUE, [0] * 30),
    )
    record(
        tmp_path,
        Job(optimizer=keras.optimizers.SGD(0.2), batch_size=64, model=MLP(units=(8, 8))),
        minutes=1,
        status=finished(loss=0.6, accuracy=2 / 3),
        losses=(0.8, 0.4, 0.3),
        answers=answered(TRUE, [0, 1, 1] * 10),
        environment={"device": "GPU:0", "packages": {"tensorflow": "2.21.0", "keras": "3.16.0"}},
    )
    return tmp_path


def test_what_differs_is_listed(two: Path) -> None:
    found = compared(two)
    assert rows(found.declaration) == [
        ("batch_size", "32", "64"),
        ("model.units", "(8,)", "(8, 8)"),
        ("optimizer.learning_rate", "0.1", "0.2"),
        ("optimizer.momentum", "0.9", "not given"),
    ]
    assert (found.data, found.same_data) == ([], "Arrays recorded:points, 8 train")
    assert rows(found.environment) == [
        ("device", "CPU", "GPU:0"),
        ("keras", "3.15.1", "3.16.0"),
        ("seconds", "4.0000", "6.0000"),
        ("seconds an epoch", "2.0000", "2.0000"),
        ("examples/s", "100.0000", "100.0000"),
    ]
    assert [(row.name, *row.cells(), row.best) for row in found.metrics] == [
        ("test loss", "0.7000", "0.6000", (1,)),
        ("test accuracy", "0.3333", "0.6667", (1,)),
        ("train loss", "0.5000", "0.5000", ()),
    ]
    assert found.notes == []
    assert {letter: len(rows) for letter, rows in found.curves.items()} == {"A": 2, "B": 3}


def test_the_verdict_is_on_the_kept_answers(two: Path) -> None:
    (score,) = compared(two).scores
    assert (score.first, score.second, score.split, score.pairs) == ("A", "B", "test", 30)
    assert score.verdict == (
        "B answers 10 of 30 more right than A; by chance alone a difference so large would be seen "
        "in 2 of 1,000 comparisons."
    )


def test_json_holds_all_of_it(two: Path) -> None:
    found = json.loads(json.dumps(compared(two).to_json()))
    assert list(found) == [
        "runs",
        "declaration",
        "data",
        "environment",
        "metrics",
        "scores",
        "notes",
    ]
    assert found["runs"]["B"]["name"] == "job/20261120-101602"
    assert found["declaration"][-1] == {"name": "optimizer.momentum", "values": {"A": 0.9}}
    assert found["metrics"][0] == {
        "name": "test loss",
        "values": {"A": 0.7, "B": 0.6},
        "best": ["B"],
    }
    (score,) = found["scores"]
    assert score["result"] == {
        "samples": 30,
        "first": 10,
        "second": 20,
        "only_first": 0,
        "only_second": 10,
        "p_value": pytest.approx(2 / 1024),
        "comparisons": 1,
        "test": "mcnemar",
        "significant": True,
    }


def test_a_page_holds_all_that_it_needs(two: Path) -> None:
    found = compared(two)
    page = found.write(two)
    assert page == two / "runs" / "comparisons" / "job-20261120-101502_job-20261120-101602.html"
    text = page.read_text()
    assert check_self_contained(text) == []
    words = " ".join(Read(text).words.split())
    for said in (
        "job/20261120-101502 and job/20261120-101602",
        found.scores[0].verdict,
        "0.6667 ★",
        "optimizer.momentum 0.9 not given",
        "The same: Arrays recorded:points, 8 train.",
        "keras 3.15.1 3.16.0",
    ):
        assert said in words
    [chart] = charts_of(text)
    lines = [e.attrib["id"] for e in chart.iter() if "validation" in e.attrib.get("id", "")]
    assert [re.sub("^[0-9a-f]*-", "", line) for line in lines] == ["A validation", "B validation"]
    assert found.write(two, two / "elsewhere" / "page.html").read_text() == text


def test_one_figure_has_the_curves_of_all(two: Path) -> None:
    found = compared(two)
    assert found.write_figure(two / "new" / "curves.png") == two / "new" / "curves.png"
    assert (two / "new" / "curves.png").read_bytes()[:4] == b"\x89PNG"
    drawing = found.write_figure(two / "curves.svg").read_text()
    lines = re.findall(r'id="[0-9a-f]*-([AB] \w+)"', drawing)
    assert lines == ["A validation", "A train", "B validation", "B train"]
    assert "curves of all runs" in drawing


def test_a_figure_that_cannot_be_drawn_is_refused(two: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        compared(two).write_figure(Path("curves.pdf"))
    assert str(caught.value) == (
        "A figure is a PNG or an SVG: name it so that it ends in .png or .svg, not curves.pdf."
    )
    for minutes in (3, 4):
        record(two, name="others", minutes=minutes)
    others = compare(sorted(str(p) for p in two.glob("runs/others/*")), root=two)
    with pytest.raises(ConfigError) as caught:
        others.write_figure(Path("curves.png"))
    assert str(caught.value) == "None of the runs has finished an epoch: there are no curves."


def test_what_people_named_stays_text_in_the_page(tmp_path: Path) -> None:
    for minutes in (0, 1):
        record(tmp_path, minutes=minutes, status=finished(**{EVIL: minutes}), stands_for=EVIL)
    assert check_self_contained(compared(tmp_path).html()) == []


def test_several_runs_are_each_compared_with_the_first(two: Path) -> None:
    record(two, minutes=2, answers=answered(TRUE[:15], [0] * 15, range(15)))
    found = compared(two)
    assert [score.verdict.partition(";")[0] for score in found.scores] == [
        "B answers 10 of 30 more right than A",
        "A and C answer the same 5 of 15 right. Compared on 15 samples, those in the test "
        "split of both: A has 30, C 15.",
    ]
    assert found.notes == [
        "2 comparisons are made at once: a difference counts as more than chance only where it is "
        "2 times as rare as for one (Bonferroni)."
    ]
    assert compare(["job/20261120-101502"] * 2 + ["last"], root=two).letters == ["A", "B"]


def test_numbers_are_compared_by_bootstrap(tmp_path: Path) -> None:
    truth = [float(i) for i in range(40)]
    for minutes, far in ((0, 1.0), (1, 0.5)):
        answers = answered(truth, [t + far for t in truth])
        record(tmp_path, label=NUMBER, minutes=minutes, answers=answers)
    (score,) = compared(tmp_path).scores
    assert score.verdict == (
        "B's answers are closer than A's by 0.5 on average over 40 samples (95% interval 0.5 to "
        "0.5), which is more than chance."
    )
    assert score.to_json()["result"]["test"] == "bootstrap"


def test_each_of_several_outputs_is_compared(tmp_path: Path) -> None:
    label = Label("y", "several", parts=(CLASSES, NUMBER))
    of_class, of_number = answered([0, 1], [0, 1]), answered([1.0, 2.0], [1.0, float("nan")])
    outputs: dict[str, Answered] = {"kind": of_class.outputs[""], "size": of_number.outputs[""]}
    for minutes in (0, 1):
        answers = Predictions(of_class.ids, outputs)
        record(tmp_path, label=label, minutes=minutes, answers=answers)
    assert [(s.output, s.verdict) for s in compared(tmp_path).scores] == [
        ("kind", "kind: A and B answer the same 2 of 2 right."),
        (
            "size",
            "size: B's answers are as far off as A's on 1 sample. 1 sample with an answer that "
            "is no number left out.",
        ),
    ]


UNPAIRED = (
    "B and A have no sample of the test split in common, so nothing says whether their scores "
    "differ by more than chance: "
)


@pytest.mark.parametrize(
    ("pipeline", "labels", "config", "why"),
    [
        (Job(seed=3), [0], {}, "they differ in seed (0 -> 3)."),
        (
            Job(data=Arrays(points, validation=0.3)),
            [0],
            {},
            "they differ in data.validation (0.2 -> 0.3).",
        ),
        (Job(), [0], {"sample": True}, "the data of one of them was generated."),
        (Job(), [0], {}, "the samples are not the same, although the data is declared alike."),
    ],
)
def test_why_no_samples_pair_up_is_said(
    tmp_path: Path, pipeline: Job, labels: list[int], config: dict[str, Any], why: str
) -> None:
    record(tmp_path, answers=answered(labels, [0], [1]))
    record(tmp_path, pipeline, minutes=1, answers=answered(labels, [0], [2]), **config)
    (score,) = compared(tmp_path).scores
    assert (score.verdict, score.result) == (UNPAIRED + why, None)


def test_samples_with_other_labels_are_not_compared(tmp_path: Path) -> None:
    record(tmp_path, answers=answered([0, 0], [0, 0]))
    record(tmp_path, minutes=1, answers=answered([1, 0], [0, 0]))
    (score,) = compared(tmp_path).scores
    assert score.verdict == (
        "A and B answer the same 1 of 1 right. Compared on 1 sample, those in the test split of "
        "both: A has 2, B 2; 1 more have other labels."
    )


def test_without_kept_answers_only_the_metrics_are_compared(two: Path) -> None:
    record(two, minutes=2)
    found = compared(two)
    assert found.scores == []
    assert found.notes == [
        "No answers are kept of C, so nothing says whether the scores differ by more than chance. "
        "They are kept at the end of a run, and by tfpipe evaluate RUN."
    ]
    (two / "runs" / "job" / "20261120-101502" / "predictions" / "test.npz").write_bytes(b"torn")
    (note,) = compare(["job/20261120-101502", "job/20261120-101602"], root=two).notes
    assert note.startswith("The answers that are kept cannot be compared: ")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (Label("kind", "class", (), ("cat", "dog")), "B: one of cat, dog"),
        (NUMBER, "B: real numbers"),
    ],
)
def test_scores_of_other_questions_are_not_compared(
    tmp_path: Path, label: Label, said: str
) -> None:
    record(tmp_path, answers=answered([0], [0]), status=finished(accuracy=0.5))
    record(
        tmp_path,
        label=label,
        minutes=1,
        answers=answered([0], [0]),
        status=finished(accuracy=0.6),
    )
    found = compared(tmp_path)
    assert found.scores == []
    assert found.notes == [
        "The runs answer different questions, and their scores are not compared. A: one of cat, "
        f"dog, owl; {said}"
    ]
    assert all(row.best == () for row in found.metrics)


def test_losses_of_another_kind_are_not_ranked(tmp_path: Path) -> None:
    record(tmp_path, status=finished(loss=0.1, accuracy=0.1))
    record(tmp_path, Job(loss="mse"), minutes=1, status=finished(loss=0.2, accuracy=0.2))
    best = {row.name: row.best for row in compared(tmp_path).metrics}
    assert best == {"test loss": (), "test accuracy": (1,), "train loss": ()}


def test_data_code_and_generated_samples(tmp_path: Path) -> None:
    first = record(tmp_path, Job(data=Arrays(points, validation=0.2)))
    second = record(tmp_path, minutes=1, sample=True, stands_for="Arrays")
    for run, body in ((first, "return 1"), (second, "return 2")):
        code = f"class Job:\n    def build_model(self):\n        {body}\n"
        (run.path / "pipeline.py").write_text(code)
    found = compared(tmp_path)
    assert rows(found.data) == [("generated", "no", "in place of Arrays")]
    assert rows(found.declaration) == [
        ("the code of Job.build_model", "its own", "other code"),
    ]
    assert found.notes[0] == "Trained on generated data, which says nothing of the real: B."


def test_fewer_than_two_runs_are_refused(two: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        compare(["last", "job/20261120-101602"], root=two)
    assert str(refused.value) == (
        "1 run to compare: name two or more that are not the same, such as tfpipe runs compare "
        "churn_mlp/20261127 last"
    )
