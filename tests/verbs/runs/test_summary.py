"""The runs that are asked for: filtered, sorted, limited."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from recorded import NOW, Job, record

from tfpipe import keras
from tfpipe.errors import ConfigError
from tfpipe.runs.directory import Status
from tfpipe.verbs.runs.summary import runs


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Four runs: three that finished, 10 minutes apart, and one that was killed."""
    for minutes, accuracy in ((0, 0.7), (10, 0.9), (20, 0.8)):
        record(
            tmp_path,
            Job(batch_size=32 + minutes, optimizer=keras.optimizers.Adam(0.1)),
            minutes=minutes,
            name="cats" if minutes else "dogs",
            losses=(0.5,) * (3 - minutes // 10),
            status=Status(
                "finished",
                metrics={
                    "train": {"loss": 0.1},
                    "validation": {"loss": 0.2},
                    "test": {"accuracy": accuracy},
                },
            ),
        )
    killed = record(tmp_path, minutes=30, name="cattle", status=Status("running", epoch=1))
    (killed.path / "large").write_bytes(bytes(100_000))
    return tmp_path


def asked(root: Path, *pattern: str, **asked: Any) -> str:
    """The minutes at which the runs began that are asked for."""
    later = NOW + timedelta(hours=1)
    return " ".join(run.began[14:16] for run in runs(*pattern, root=root, now=later, **asked))


def test_all_runs_the_newest_last(several: Path) -> None:
    assert asked(several) == "15 25 35 45"
    found = runs(root=several)
    assert [(r.pipeline, r.state, r.seconds) for r in found] == [
        ("dogs", "finished", 6.0),
        ("cats", "finished", 4.0),
        ("cats", "finished", 2.0),
        ("cattle", "killed", 0.0),
    ]
    assert found[-1].bytes > 100_000 > found[0].bytes
    assert found[-1].message == (
        "Its process is gone. Go on with: tfpipe resume cattle/20261120-104502"
    )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ({"states": ["killed"]}, "45"),
        ({"states": ["killed", "finished"]}, "15 25 35 45"),
        ({"since": 3600 - 20 * 60}, "35 45"),
        ({"where": ["test_accuracy>0.75"]}, "25 35"),
        ({"where": ["test_accuracy >= 0.9"]}, "25"),
        ({"where": ["test_accuracy<0.9", "batch_size!=32"]}, "35"),
        ({"where": ["batch_size=42"]}, "25"),
        ({"where": ["batch_size==42.0"]}, "25"),
        ({"where": ["batch_size<=32"]}, "15 45"),
        ({"where": ["optimizer=Adam", "epochs=10"]}, "15 25 35 45"),
        ({"where": ["optimizer.learning_rate>0.01"]}, "15 25 35"),
        (
            {"where": ["val_loss=0.2", "validation_loss=0.2", "loss=0.1", "train_loss<1"]},
            "15 25 35",
        ),
        ({"where": ["shuffle=true"]}, "15 25 35 45"),
        ({"where": ["state=killed"]}, "45"),
        ({"where": ["size>1e5"]}, "45"),
        ({"where": ["seconds>3"]}, "15 25"),
        ({"sort": "test_accuracy"}, "15 35 25 45"),  # the one without is last
        ({"sort": "-test_accuracy"}, "25 35 15 45"),
        ({"sort": "-size", "limit": 1}, "45"),
        ({"sort": "seconds", "limit": 2}, "45 35"),
        ({"sort": "name"}, "25 35 45 15"),
        ({"sort": "-time"}, "45 35 25 15"),
        ({"limit": 2}, "35 45"),
        ({"limit": 9}, "15 25 35 45"),
    ],
)
def test_a_question_and_its_answer(several: Path, question: Any, answer: str) -> None:
    assert asked(several, **question) == answer


def test_patterns_are_of_the_pipelines_name(several: Path) -> None:
    assert asked(several, "cat*") == "25 35 45"
    assert asked(several, "cats") == "25 35"
    assert asked(several, "horse") == ""


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            {"where": ["accuracy"]},
            "--where 'accuracy' is no condition. Write a metric or a field, one of > >= < <= = !=, "
            "and a value: test_accuracy>0.9 or batch_size=32.",
        ),
        (
            {"where": ["model>MLP"]},
            "--where 'model>MLP': > compares numbers, and 'MLP' is none. Use = or !=.",
        ),
        (
            {"where": ["test_acuracy>0.9"]},
            "--where: no run has 'test_acuracy'. Did you mean 'test_accuracy'?",
        ),
        (
            {"sort": "-batchsize"},
            "--sort: no run has 'batchsize'. Did you mean 'batch_size' or 'size'?",
        ),
    ],
)
def test_a_wrong_question_is_refused(several: Path, question: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        runs(root=several, **question)
    assert str(refused.value) == message


def test_without_runs_nothing_is_wrong(tmp_path: Path) -> None:
    assert runs(where=["anything>1"], sort="else", root=tmp_path) == []


def test_a_broken_run_can_be_asked_for(several: Path) -> None:
    (several / "runs" / "cattle" / "20261120-104502" / "config.json").write_text("{")
    (several / "runs" / "cattle" / "20261120-104502" / "status.json").write_text("{")
    assert asked(several, states=["failed"]) == "45"
    assert asked(several, where=["batch_size>0"]) == "15 25 35"
