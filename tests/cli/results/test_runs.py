"""`tfpipe runs`: what was run, and how it ended."""

import json
import math
from datetime import datetime

import pytest
from recorded import Job, record

from tfpipe import keras
from tfpipe.runs.directory import Status, create_run
from tfpipe.training.metrics_file import append_rows
from tfpipe.training.reporting import EpochRow

NOW = datetime(2026, 11, 20, 10, 15, 2)
FINISHED = Status(
    "finished",
    epoch=20,
    parameters=552362,
    metrics={"train": {"loss": 0.5}, "test": {"loss": 0.6758, "accuracy": 0.7822}},
    message="Generated data stood in for cifar10.",
    exports=("saved_models/a/1",),
)


def make(root, pipeline, status, now=NOW):
    run = create_run(root, pipeline, now)
    run.write_json("config.json", {})
    run.write_status(status)
    return run


@pytest.fixture
def two(tmp_path):
    """A finished run, and one that failed at once."""
    make(tmp_path, "a", FINISHED)
    make(tmp_path, "b", Status("failed", message="The loss is nan."), NOW.replace(hour=11))
    return tmp_path


@pytest.mark.parametrize("words", [("runs",), ("runs", "ls")])
def test_runs_are_listed_the_newest_last(tfpipe, two, words):
    done = tfpipe(*words)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "run                state     epochs  parameters  time  size   figures",
        "a/20261120-101502  finished  20      552,362     0:00  304 B  test: loss 0.6758 accuracy "
        "0.7822",
        "b/20261120-111502  failed    0       0           0:00  140 B  The loss is nan.",
    ]


def test_runs_are_chosen_and_sorted(tfpipe, two):
    def listed(*words):
        done = tfpipe("runs", "ls", "--json", *words)
        assert (done.code, done.err) == (0, "")
        return [entry["pipeline"] for entry in json.loads(done.out)]

    assert listed("--sort", "-time") == ["b", "a"]
    assert listed("--sort", "-size", "--limit", "1") == ["a"]
    assert listed("--state", "failed", "--state", "killed") == ["b"]
    assert listed("--where", "test_accuracy>0.7") == ["a"]
    assert listed("b*") == ["b"]
    assert listed("--since", "1s") == []
    assert tfpipe("runs", "ls", "c*").out == "None of the 2 runs in runs is asked for.\n"
    done = tfpipe("runs", "ls", "--since", "yesterday")
    assert (done.code, done.out) == (2, "")
    assert "'yesterday' is no duration: write it as 30s, 10m or 2h" in done.err


def test_without_runs_it_says_how_to_start_one(tfpipe):
    done = tfpipe("runs", "ls")
    assert (done.code, done.out) == (
        0,
        "There are no runs in runs. Start one with tfpipe run FILE.\n",
    )
    assert json.loads(tfpipe("runs", "ls", "--json").out) == []


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "ls", "--root", "elsewhere", "--json"),
        ("runs", "--root", "elsewhere", "ls", "--json"),
        ("runs", "--root", "elsewhere", "--json"),
        ("runs", "--json", "--root", "elsewhere", "ls"),
    ],
)
def test_root_and_json_may_stand_before_or_after_the_verb(tfpipe, tmp_path, words):
    make(tmp_path / "elsewhere", "c", FINISHED)
    found = json.loads(tfpipe(*words).out)
    assert [entry["name"] for entry in found] == ["c/20261120-101502"]


def test_a_run_is_shown(tfpipe, two):
    done = tfpipe("runs", "show", "a")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "a/20261120-101502",
        "  state       finished",
        "  directory   runs/a/20261120-101502, 304 B",
        "  epochs      20",
        "  time        0:00",
        "  parameters  552,362",
        "  exports     saved_models/a/1",
        "  report      none",
        "  train       loss 0.5000",
        "  test        loss 0.6758  acc 0.7822",
        "Generated data stood in for cifar10.",
    ]


def test_a_run_is_shown_with_its_curves_phases_and_origin(tfpipe, tmp_path):
    run = record(
        tmp_path,
        Job(callbacks=(keras.callbacks.EarlyStopping(monitor="val_accuracy"),)),
        status=Status("finished", epoch=4),
        forked_from={"run": "job/20261119-101502", "epoch": 1},
    )
    for epoch, accuracy in ((1, 0.25), (2, 0.75), (3, 0.5), (4, 0.75)):
        metrics = {"loss": 1 / epoch, "accuracy": accuracy, "val_accuracy": accuracy}
        metrics |= {"val_loss": math.nan if epoch == 2 else 1 / epoch, "learning_rate": 0.1}
        row = EpochRow(epoch, 4, 40.0, 100.0, {**metrics, "phase": 1 + epoch // 4})
        append_rows(run.metrics_file, [row])
    run.report.mkdir()
    (run.report / "report.html").touch()
    lines = tfpipe("runs", "show", "last").out.splitlines()
    assert lines[4:11] == [
        "  time         2:40",
        "  parameters   0",
        "  best epoch   2, by val_accuracy 0.7500",
        "  phases       2: epochs 1 to 3, 4",
        "  forked from  job/20261119-101502 after epoch 1",
        "  exports      none",
        "  report       runs/job/20261120-101502/report/report.html",
    ]
    assert lines[11:] == [
        "",
        "  loss     train █▃▂▁  1.0000 → 0.2500",
        "           val   █.▂▁  1.0000 → 0.2500",
        "  accuracy train ▁█▅█  0.2500 → 0.7500",
        "           val   ▁█▅█  0.2500 → 0.7500",
    ]
    found = json.loads(tfpipe("runs", "show", "last", "--json").out)
    assert found["curves"]["val_loss"] == [1.0, None, pytest.approx(1 / 3), 0.25]
    assert (found["monitor"], found["best_epoch"]) == ("val_accuracy", 2)
    assert found["phases"] == [[1, 3], [4, 4]]


def test_a_run_in_the_middle_of_an_epoch_says_its_step(tfpipe, tmp_path):
    make(tmp_path, "a", Status("interrupted", epoch=2, step=30))
    assert "  epochs      2 and 30 steps\n" in tfpipe("runs", "show", "last").out


def test_json_is_the_status(tfpipe, two):
    done = tfpipe("runs", "show", "a", "--json")
    assert json.loads(done.out) == {
        "name": "a/20261120-101502",
        "directory": "runs/a/20261120-101502",
        "state": "finished",
        "epoch": 20,
        "step": 0,
        "parameters": 552362,
        "metrics": FINISHED.metrics,
        "message": FINISHED.message,
        "exports": ["saved_models/a/1"],
        "pipeline": "a",
        "began": "2026-11-20T10:15:02",
        "seconds": 0,
        "bytes": 304,
        "monitor": "loss",
        "best_epoch": None,
        "phases": [],
        "report": None,
        "forked_from": None,
        "curves": {},
    }


def test_one_broken_run_does_not_hide_the_others(tfpipe, two):
    (two / "runs" / "a" / "20261120-101502" / "status.json").write_text("{")
    done = tfpipe("runs", "ls")
    assert done.code == 0
    assert "status.json cannot be read: Expecting property name" in done.out
    assert "b/20261120-111502" in done.out
    shown = tfpipe("runs", "show", "a")
    assert shown.code == 2
    assert "status.json cannot be read" in shown.err


def test_an_unknown_run_is_suggested(tfpipe, two):
    done = tfpipe("runs", "show", "c")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: There is no run 'c'. There is: a/20261120-101502, b/20261120-111502.\n"
    )
