"""What may go: saved states, caches, failed runs and comparisons, and how much that frees."""

import fcntl
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from recorded import record

from tfpipe.data import disk_cache
from tfpipe.runs.directory import RunDirectory, Status, list_runs
from tfpipe.storage import size_on_disk
from tfpipe.training import checkpoint
from tfpipe.verbs.runs.removal import Cleaning, find_disposable, find_removable, remove


def with_states(run: RunDirectory, *epochs: int, best: bool = True) -> RunDirectory:
    """Give a run saved states, and the best model where it has one."""
    for epoch in epochs:
        folder = run.checkpoints / f"state-{epoch:04}-000000"
        folder.mkdir()
        (folder / "arrays.npz").write_bytes(bytes(1000))
        (folder / "state.json").write_text("{}")
    if best:
        (run.checkpoints / "best.keras").write_bytes(b"a model")
    return run


def found(cleaning: Cleaning, root: Path) -> list[str]:
    return [f"{item.kind} {item.path.relative_to(root / 'runs')}" for item in cleaning.found]


@pytest.fixture
def intact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved states count as intact: the newest is the latest."""

    def latest(folder: Path) -> checkpoint.Checkpoint:
        return checkpoint.Checkpoint(checkpoint.states(folder)[-1], checkpoint.State(1, 0), (), ())

    monkeypatch.setattr(checkpoint, "latest", latest)


def test_states_go_but_the_last_of_an_unfinished_run(tmp_path: Path, intact: None) -> None:
    with_states(record(tmp_path), 1, 2)
    stopped = with_states(record(tmp_path, minutes=1, status=Status("interrupted")), 1, 2)
    with_states(record(tmp_path, minutes=2), 1, best=False)  # all that there is of it
    (stopped.checkpoints / "damaged-0003-000000").mkdir()
    cleaning = find_disposable(root=tmp_path)
    assert found(cleaning, tmp_path) == [
        "state job/20261120-101502/checkpoints/state-0001-000000",
        "state job/20261120-101502/checkpoints/state-0002-000000",
        "state job/20261120-101602/checkpoints/state-0001-000000",
        "state job/20261120-101602/checkpoints/damaged-0003-000000",
    ]
    assert cleaning.bytes == 3 * 1002
    before = size_on_disk(tmp_path)
    assert remove(cleaning) == 3006
    assert before - size_on_disk(tmp_path) == pytest.approx(3006, abs=200)  # its lock is written
    assert sorted(p.name for p in stopped.checkpoints.iterdir()) == [
        "best.keras",
        "state-0002-000000",
    ]
    assert find_disposable(root=tmp_path).found == []


def test_damaged_states_are_left_and_it_is_said(tmp_path: Path) -> None:
    with_states(record(tmp_path, status=Status("interrupted")), 1, 2)
    cleaning = find_disposable(root=tmp_path)
    assert cleaning.found == []
    assert cleaning.notes[0].startswith("All saved states in ")


def test_a_run_that_is_being_trained_is_left_alone(tmp_path: Path) -> None:
    run = with_states(record(tmp_path), 1)
    cleaning = find_disposable(root=tmp_path)
    with run.lock():
        assert find_disposable(failed=True, root=tmp_path).found == []
        with pytest.raises(LookupError, match="is being trained"):
            remove(cleaning)
    assert checkpoint.states(run.checkpoints)


def test_failed_and_killed_runs_go_when_asked(tmp_path: Path) -> None:
    record(tmp_path)
    failed = record(tmp_path, minutes=1, status=Status("failed"))
    record(tmp_path, minutes=2, status=Status("running"))
    record(tmp_path, minutes=3, status=Status("interrupted"))
    broken = record(tmp_path, minutes=4)
    (broken.path / "status.json").write_text("{")
    assert found(find_disposable(root=tmp_path), tmp_path) == []
    cleaning = find_disposable(failed=True, root=tmp_path)
    assert found(cleaning, tmp_path) == ["run job/20261120-101602", "run job/20261120-101702"]
    record(tmp_path, minutes=5, forked_from={"run": failed.name})
    left = find_disposable(failed=True, root=tmp_path)
    assert found(left, tmp_path) == ["run job/20261120-101702"]
    assert "job/20261120-102002 was forked from it" in left.notes[0]
    remove(left)
    assert "job/20261120-101702" not in [run.name for run in list_runs(tmp_path)]


def test_caches_go_while_nothing_is_trained(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / ".cache"
    disk_cache.folder.set(folder)
    for name in ("one", "two"):
        disk_cache.obtain(name, (4, 2), lambda store: store(0, np.zeros((4, 2), np.uint8)))
    cleaning = find_disposable(root=tmp_path)
    names = ["one.npy", "two.npy", "one.json", "two.json"]
    assert found(cleaning, tmp_path) == [f"cache .cache/{name}" for name in names]
    with (folder / ".one.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # it is being written
        (folder / ".one.abc.part").touch()
        assert [item.path.name for item in find_disposable(root=tmp_path).found] == [
            "two.npy",
            "two.json",
        ]
    run = record(tmp_path, status=Status("running"))
    with run.lock():
        left = find_disposable(root=tmp_path)
    assert (left.found, left.notes) == (
        [],
        [f"{folder} is left as it is while job/20261120-101502 is being trained."],
    )
    assert remove(cleaning) == cleaning.bytes
    assert disk_cache.load("one", (4, 2)) is None


def test_comparisons_and_what_is_left_of_removals_go(tmp_path: Path) -> None:
    pages = tmp_path / "runs" / "comparisons"
    pages.mkdir(parents=True)
    (pages / "a_b.html").write_text("a page")
    record(tmp_path).path.rename(tmp_path / "runs" / "job" / ".20261120-101502.removed")
    cleaning = find_disposable(root=tmp_path)
    assert found(cleaning, tmp_path) == [
        "comparison comparisons/a_b.html",
        "remains job/.20261120-101502.removed",
    ]
    assert [item.path.name for item in cleaning.of("comparison")] == ["a_b.html"]
    remove(cleaning)
    assert find_disposable(root=tmp_path).found == []


def test_only_what_is_old_enough_goes(tmp_path: Path) -> None:
    for minutes, days in ((0, 40), (1, 20)):
        run = with_states(record(tmp_path, minutes=minutes), 1)
        moment = datetime(2027, 1, 1).timestamp() - days * 86_400
        os.utime(run.path / "status.json", (moment, moment))
    cleaning = find_disposable(older=30 * 86_400, root=tmp_path, now=datetime(2027, 1, 1))
    assert found(cleaning, tmp_path) == ["state job/20261120-101502/checkpoints/state-0001-000000"]


def test_a_run_that_is_named_twice_is_removed_once(tmp_path: Path) -> None:
    record(tmp_path)
    run = record(tmp_path, minutes=1)
    cleaning = find_removable(["last", run.name, str(run.path)], root=tmp_path)
    assert found(cleaning, tmp_path) == ["run job/20261120-101602"]
    assert remove(cleaning) == cleaning.bytes
    assert len(list_runs(tmp_path)) == 1
