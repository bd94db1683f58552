"""`tfpipe runs`: what was run, and how it ended."""

import json
from datetime import datetime

import pytest

from tfpipe.runs.directory import Status, create_run

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
        "run                state     epochs  parameters  figures",
        "a/20261120-101502  finished  20      552,362     test: loss 0.6758 accuracy 0.7822",
        "b/20261120-111502  failed    0       0           The loss is nan.",
    ]


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
        "  directory   runs/a/20261120-101502",
        "  epochs      20",
        "  parameters  552,362",
        "  exports     saved_models/a/1",
        "  train       loss 0.5000",
        "  test        loss 0.6758  acc 0.7822",
        "Generated data stood in for cifar10.",
    ]


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
