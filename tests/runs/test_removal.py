"""Removing runs: whole or not at all, and what speaks against it."""

import os
from pathlib import Path

import pytest
from recorded import record

from tfpipe.errors import RunError
from tfpipe.runs import removal
from tfpipe.runs.directory import RunDirectory, Status, find_run, list_runs, run_at
from tfpipe.runs.removal import check_removable, remains, remove
from tfpipe.storage import size_on_disk


@pytest.fixture
def two(tmp_path: Path) -> list[RunDirectory]:
    return [record(tmp_path, minutes=minutes) for minutes in (0, 1)]


def refusal(run: RunDirectory, root: Path, force: bool = False) -> str:
    with pytest.raises(RunError) as refused:
        check_removable([run], root, force)
    return str(refused.value)


def test_a_run_is_removed_and_what_it_held_is_said(two: list[RunDirectory], tmp_path: Path) -> None:
    size = size_on_disk(two[0].path)
    assert size > 1000
    check_removable(two, tmp_path)
    assert remove(two[0]) == pytest.approx(size, abs=100)  # its lock says who removes it
    assert list_runs(tmp_path) == [two[1]]
    remove(two[1])
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_is_left_of_a_removal_is_no_run(
    two: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def power_cut(*places: Path) -> None:
        rename(*places)
        raise KeyboardInterrupt

    monkeypatch.setattr(removal.os, "rename", power_cut)
    with pytest.raises(KeyboardInterrupt):
        remove(two[1])
    monkeypatch.undo()
    left = two[1].path.with_name(".20261120-101602.removed")
    assert (left / "config.json").is_file()
    assert remains(tmp_path) == [left]
    assert list_runs(tmp_path) == [two[0]]
    assert find_run(tmp_path, "last") == two[0]
    again = record(tmp_path, minutes=1)
    remove(again)  # with the same name
    assert remains(tmp_path) == []


def test_a_link_to_a_run_is_removed_and_not_the_run(
    two: list[RunDirectory], tmp_path: Path
) -> None:
    link = two[0].path.with_name("20270101-000000")
    link.symlink_to(two[0].path)
    remove(run_at(link))
    assert list_runs(tmp_path) == two


def test_a_run_that_is_being_trained_is_not_removed(
    two: list[RunDirectory], tmp_path: Path
) -> None:
    with two[0].lock():
        for force in (False, True):
            assert refusal(two[0], tmp_path, force).startswith(
                "job/20261120-101502 is being trained by another process (process "
            )
        with pytest.raises(RunError, match="is being trained"):
            remove(two[0])
    assert list_runs(tmp_path) == two


def test_what_is_no_run_is_not_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "bert"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert refusal(run_at(folder), tmp_path, force=True) == (
        f"{folder} is no run: it has no checkpoints/ and no status.json. If it is to go, remove it "
        "yourself."
    )


def test_a_run_that_holds_an_export_is_not_removed(tmp_path: Path) -> None:
    run = record(tmp_path)
    run.write_status(Status("finished", exports=(str(run.path / "saved_models" / "job" / "1"),)))
    assert refusal(run, tmp_path, force=True) == (
        f"job/20261120-101502 holds an export, {run.path / 'saved_models' / 'job' / '1'}, which is "
        "never removed with a run: move it elsewhere first."
    )


def test_a_run_that_others_are_built_on_is_removed_by_force(tmp_path: Path) -> None:
    origin = record(tmp_path)
    fork = record(tmp_path, minutes=1, forked_from={"run": origin.name, "epoch": 2})
    record(
        tmp_path, minutes=2, overrides=[f"model.weights=runs/{origin.name}/checkpoints/best.keras"]
    )
    assert refusal(origin, tmp_path) == (
        "job/20261120-101502 is not removed: job/20261120-101602 was forked from it, "
        "job/20261120-101702 was given a file of it. Remove it all the same with --force."
    )
    check_removable([origin], tmp_path, force=True)
    check_removable([fork], tmp_path)
    check_removable(list_runs(tmp_path), tmp_path)  # all together


def test_a_trial_of_a_search_is_removed_by_force(tmp_path: Path) -> None:
    run = record(tmp_path)
    trial = tmp_path / "searches" / "job" / "20261121-101502" / "trials" / "03"
    trial.parent.mkdir(parents=True)
    run.path.rename(trial)
    (trial / "trial.json").write_text("{}")
    assert refusal(run_at(trial), tmp_path) == (
        "trials/03 is not removed: it is a trial of the search 20261121-101502. Remove it all the "
        "same with --force."
    )
    check_removable([run_at(trial)], tmp_path, force=True)
