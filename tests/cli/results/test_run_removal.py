"""`tfpipe runs rm` and `tfpipe runs clean`: said first, asked, and said again."""

import os
import pty
import sys
from io import StringIO

import pytest
from recorded import record

from tfpipe.runs.directory import Status


@pytest.fixture
def two(tmp_path):
    """A finished run with a state and an export, and one that failed."""
    run = record(tmp_path)
    run.write_status(Status("finished", exports=("saved_models/job/1",)))
    (run.checkpoints / "best.keras").write_bytes(bytes(500))
    (run.checkpoints / "state-0001-000000").mkdir()
    (run.checkpoints / "state-0001-000000" / "arrays.npz").write_bytes(bytes(12_000))
    record(tmp_path, minutes=1, status=Status("failed"))
    return tmp_path


@pytest.fixture
def answering(monkeypatch):
    """Standard input is a terminal at which somebody types an answer."""
    opened = []

    def answer(text):
        ours, theirs = pty.openpty()
        os.write(ours, f"{text}\n".encode())
        opened.extend((os.fdopen(ours), os.fdopen(theirs)))
        monkeypatch.setattr(sys, "stdin", opened[-1])

    yield answer
    for file in opened:
        file.close()


def names(root):
    return sorted(p.name for p in (root / "runs" / "job").iterdir())


def test_a_run_is_removed_after_a_yes(tfpipe, two, answering):
    (two / "saved_models" / "job" / "1").mkdir(parents=True)
    answering("n")
    done = tfpipe("runs", "rm", "job/20261120-1015")
    assert done.code == 0
    assert done.out.endswith("Nothing was removed.\n")
    assert len(names(two)) == 2
    answering("y")
    done = tfpipe("runs", "rm", "job/20261120-1015")
    assert (done.code, done.err) == (0, "")
    said, exports, asked = done.out.splitlines()
    assert said.startswith("job/20261120-101502  runs/job/20261120-101502  1")
    assert said.endswith(" kB")
    assert exports == "its exports stay: saved_models/job/1"
    assert asked.startswith("Remove 1 run, 1")
    assert asked.endswith("kB freed.")
    assert names(two) == ["20261120-101602"]
    assert (two / "saved_models" / "job" / "1").is_dir()


def test_without_a_terminal_and_a_yes_nothing_is_removed(tfpipe, two, monkeypatch):
    monkeypatch.setattr(sys, "stdin", StringIO())
    done = tfpipe("runs", "rm", "last")
    assert done.code == 2
    assert done.err.startswith("Error: Remove 1 run, ")
    assert done.err.endswith(
        "? Nothing was removed: there is no terminal to ask at. Give --yes to do it.\n"
    )
    assert tfpipe("runs", "clean").code == 2
    assert len(names(two)) == 2
    done = tfpipe("runs", "rm", "job/20261120-1015", "job/20261120-1016", "--yes")
    assert "Removed 2 runs: " in done.out
    assert not (two / "runs" / "job").exists()


def test_what_may_not_go_is_refused(tfpipe, two):
    record(two, minutes=2, forked_from={"run": "job/20261120-101502"})
    done = tfpipe("runs", "rm", "job/20261120-1015", "--yes")
    assert (done.code, done.out) == (2, "")
    assert "was forked from it. Remove it all the same with --force." in done.err
    assert tfpipe("runs", "rm", "job/20261120-1015", "--yes", "--force").code == 0


def test_states_are_freed(tfpipe, two):
    done = tfpipe("runs", "clean", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "1 saved state: 12 kB",
        "  runs/job/20261120-101502/checkpoints/state-0001-000000  12 kB",
        "12 kB would be freed; nothing was removed.",
    ]
    done = tfpipe("runs", "clean", "--yes")
    assert done.out.splitlines() == ["1 saved state: 12 kB", "12 kB freed."]
    assert tfpipe("runs", "clean", "--yes").out == "There is nothing to free in runs.\n"
    assert len(names(two)) == 2


def test_failed_runs_are_freed_when_asked(tfpipe, two):
    done = tfpipe("runs", "--root", ".", "clean", "--failed", "--yes")
    first, second, third, last = done.out.splitlines()
    assert first.startswith("1 run: ")
    assert second.startswith("  runs/job/20261120-101602  ")
    assert third == "1 saved state: 12 kB"
    assert last.endswith(" kB freed.")
    assert names(two) == ["20261120-101502"]


def test_a_time_that_is_none_is_refused(tfpipe, two):
    done = tfpipe("runs", "clean", "--older", "soon")
    assert done.code == 2
    assert "'soon' is no duration: write it as 30s, 10m or 2h" in done.err
    assert tfpipe("runs", "clean", "--older", "3000d", "--dry-run").out.startswith("There is noth")
