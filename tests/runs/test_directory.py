"""Run directories: made, written whole or not at all, and found again."""

import errno
import fcntl
import json
import os
import platform
import signal
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tfpipe.errors import RunError, StorageError
from tfpipe.runs.directory import (
    Status,
    check_writable,
    create_run,
    find_run,
    list_runs,
    newest_unfinished,
)
from tfpipe.storage import Taken, storage, try_lock, whole_folder, write_whole

NOW = datetime(2026, 11, 20, 10, 15, 2)
LATER = datetime(2026, 11, 21, 9, 0, 0)


def failing(number, name=None):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number), name)

    return fail


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def three(tmp_path):
    """Three runs of two pipelines."""
    made = [create_run(tmp_path, p, t) for p, t in (("b", NOW), ("a", LATER), ("b", LATER))]
    for run in made:
        run.write_json("config.json", {})
    return tmp_path


# Directories


def test_a_run_is_named_after_its_pipeline_and_the_time(tmp_path):
    run = create_run(tmp_path, "cifar10_cnn", NOW)
    assert run.name == "cifar10_cnn/20261120-101502"
    assert run.path == tmp_path / "runs" / "cifar10_cnn" / "20261120-101502"
    assert run.checkpoints.is_dir()


def test_runs_of_one_second_have_directories_of_their_own(tmp_path):
    made = [create_run(tmp_path, "job", NOW).name for _ in range(3)]
    assert made == ["job/20261120-101502", "job/20261120-101502-2", "job/20261120-101502-3"]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageError) as error:
        check_writable(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'runs'} cannot be written (File exists): choose another place with "
        "--root DIR."
    )
    with pytest.raises(StorageError, match=r"/runs/job cannot be written \(Not a directory\)"):
        create_run(tmp_path, "job", NOW)


def test_a_root_that_is_a_file_is_named(tmp_path):
    root = tmp_path / "file"
    root.write_text("")
    with pytest.raises(
        StorageError, match=r"/file/runs(/job)? cannot be written \(Not a directory"
    ):
        create_run(root, "job", NOW)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_an_unwritable_root_is_said(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "mkdir", failing(number))
    with pytest.raises(StorageError) as error:
        create_run(tmp_path, "job", NOW)
    assert str(error.value) == (
        f"{tmp_path} cannot be written ({os.strerror(number)}): choose another place with "
        "--root DIR."
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "mkdir", failing(number))
    with pytest.raises(StorageError) as error:
        create_run(tmp_path, "job", NOW)
    assert str(error.value) == (
        f"The disk of {tmp_path} is full: free some space, or write elsewhere with --root DIR."
    )


def test_looking_whether_a_root_can_be_written_leaves_only_the_root(tmp_path):
    check_writable(tmp_path / "new" / "root")
    assert names(tmp_path) == ["new"]
    assert names(tmp_path / "new" / "root") == ["runs"]


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(OSError, match="strange") as error, storage(tmp_path):
        raise OSError(errno.EIO, "strange")
    assert not isinstance(error.value, StorageError)


# Files


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "status.json"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["status.json"]


def test_a_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "ours", b"")
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("usual", "ours")}
    assert len(modes) == 1


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "status.json"
    write_whole(path, b"old")
    monkeypatch.setattr(os, step, failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["status.json"]


def test_a_full_disk_while_writing_is_said_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(StorageError, match=r"^The disk of .* is full: free some space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


# Folders


def test_a_folder_appears_whole(tmp_path):
    final = tmp_path / "job" / "1"
    with whole_folder(final) as temporary:
        (temporary / "variables").mkdir()
        (temporary / "variables" / "data").write_text("x")
        assert not final.exists()
    assert (final / "variables" / "data").read_text() == "x"
    assert names(final.parent) == ["1"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_whose_making_fails_leaves_nothing(tmp_path, error):
    final = tmp_path / "job" / "1"

    def write():
        with whole_folder(final) as temporary:
            (temporary / "half").write_text("x")
            raise error

    with pytest.raises(error):
        write()
    assert names(final.parent) == []


@pytest.mark.parametrize("step", ["fsync", "rename", "chmod"])
def test_a_folder_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch, step):
    monkeypatch.setattr(os, step, failing(errno.ENOSPC))
    with (
        pytest.raises(StorageError, match=r"^The disk of .* is full"),
        whole_folder(tmp_path / "1") as temporary,
    ):
        (temporary / "file").write_text("x")
    assert names(tmp_path) == []


def test_a_folder_that_somebody_else_made_is_not_touched(tmp_path):
    final = tmp_path / "1"

    def write():
        with whole_folder(final) as temporary:
            (temporary / "ours").touch()
            final.mkdir()
            (final / "theirs").touch()

    with pytest.raises(Taken, match=r"/1 exists already\.$"):
        write()
    assert names(tmp_path) == ["1"]
    assert names(final) == ["theirs"]


# Status


def test_a_status_comes_back_as_it_was_written(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    status = Status(
        "finished", 3, 4, 5, {"test": {"loss": 0.5}}, "on generated data", ("saved_models/job/1",)
    )
    run.write_status(status)
    assert run.status() == status
    assert json.loads((run.path / "status.json").read_text())["state"] == "finished"


def test_a_full_disk_has_room_for_the_last_word(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    reserve = run.path / ".reserve"
    run.write_status(Status("running"))
    assert reserve.stat().st_size == 64 * 1024
    run.write_status(Status("failed", message="The disk is full."))
    assert not reserve.exists()
    run.write_status(Status("failed"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"state": "running", "mood": "good"}'])
def test_a_broken_status_is_an_error_of_the_run(tmp_path, text):
    run = create_run(tmp_path, "job", NOW)
    (run.path / "status.json").write_text(text)
    with pytest.raises(RunError, match=r"status\.json (cannot be read|is no run's status): "):
        run.status()


def test_a_missing_file_is_an_error_of_the_run(tmp_path):
    with pytest.raises(RunError, match=r"environment\.json cannot be read: .*No such file"):
        create_run(tmp_path, "job", NOW).read_json("environment.json")


# Finding


def test_runs_are_found_the_oldest_first(three):
    assert [r.name for r in list_runs(three)] == [
        "b/20261120-101502",
        "a/20261121-090000",
        "b/20261121-090000",
    ]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("last", "b/20261121-090000"),
        ("b/20261120-101502", "b/20261120-101502"),
        ("20261120-101502", "b/20261120-101502"),
        ("b/20261120", "b/20261120-101502"),
        ("20261120", "b/20261120-101502"),
        ("a", "a/20261121-090000"),
    ],
)
def test_a_run_is_found_by_its_name_or_a_beginning_of_it(three, reference, name):
    assert find_run(three, reference).name == name


def test_an_exact_name_wins_over_a_longer_one(tmp_path):
    for _ in range(2):
        create_run(tmp_path, "job", NOW).write_json("config.json", {})
    assert find_run(tmp_path, "job/20261120-101502").name == "job/20261120-101502"


def test_a_run_is_found_by_its_path(three, tmp_path, monkeypatch):
    monkeypatch.chdir(three / "runs")
    assert find_run(Path("elsewhere"), "b/20261120-101502").path == (
        three / "runs" / "b" / "20261120-101502"
    )
    assert find_run(Path("elsewhere"), str(three / "runs/a/20261121-090000")).name == (
        "a/20261121-090000"
    )


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "b",
            "'b' may be any of 2 runs: write more of the name, or `last`. "
            "The newest of them: b/20261120-101502, b/20261121-090000.",
        ),
        (
            "20261121-090000",
            "'20261121-090000' may be any of 2 runs: write more of the name, or `last`. "
            "The newest of them: a/20261121-090000, b/20261121-090000.",
        ),
        (
            "b/20261120-101503",
            "There is no run 'b/20261120-101503'. "
            "Did you mean 'b/20261120-101502', 'b/20261121-090000' or 'a/20261121-090000'?",
        ),
        (
            "zzz",
            "There is no run 'zzz'. "
            "There is: a/20261121-090000, b/20261120-101502, b/20261121-090000.",
        ),
    ],
)
def test_what_names_no_single_run_is_refused(three, reference, message):
    with pytest.raises(RunError) as error:
        find_run(three, reference)
    assert str(error.value) == message


def test_without_any_run_the_way_to_the_first_is_said(tmp_path):
    with pytest.raises(RunError) as error:
        find_run(tmp_path, "last")
    assert str(error.value) == (
        f"There are no runs in {tmp_path / 'runs'}. Start one with tfpipe run FILE."
    )


# One process at a time


def test_a_run_is_locked_while_it_is_trained(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    assert not run.is_active()
    with run.lock():
        assert run.is_active()
        with pytest.raises(RunError) as error, run.lock():
            pytest.fail("two hold the lock")
        assert str(error.value) == (
            "job/20261120-101502 is being trained by another process "
            f"(process {os.getpid()} on {platform.node()}): wait for it, or stop it first."
        )
        assert run.is_active()
    assert not run.is_active()
    with run.lock():
        pass


def test_an_error_gives_the_lock_back(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    with pytest.raises(ValueError, match="wrong"), run.lock():
        raise ValueError("wrong")
    assert not run.is_active()


def test_who_holds_the_lock_is_written_anew(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    (run.path / ".lock").write_text("process 1 on a computer with a much longer name than ours\n")
    with run.lock():
        assert (run.path / ".lock").read_text() == f"process {os.getpid()} on {platform.node()}\n"


def test_looking_does_not_take_the_lock_away(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    with run.lock():
        pass
    with (run.path / ".lock").open() as file:
        try_lock(file, fcntl.LOCK_SH)  # as `is_active` does for a moment
        with pytest.raises(RunError, match="is being trained by another process"), run.lock():
            pass
    with run.lock():
        pass


def test_a_lock_where_nothing_can_be_written_is_said(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    run.checkpoints.rmdir()
    (run.path / ".reserve").unlink()
    run.path.rmdir()
    with pytest.raises(StorageError, match="cannot be written"), run.lock():
        pass
    assert not run.is_active()


HOLDER = """
import sys, time
from pathlib import Path
from tfpipe.runs.directory import RunDirectory
with RunDirectory(Path(sys.argv[1]), "job/1").lock():
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_dies_with_its_process(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        assert run.is_active()
        with (
            pytest.raises(RunError, match=rf"another process \(process {process.pid} on "),
            run.lock(),
        ):
            pass
        process.send_signal(signal.SIGKILL)
    assert not run.is_active()
    with run.lock():
        assert run.is_active()


# What can go on


@pytest.fixture
def unfinished(three):
    """The three runs, all of them interrupted."""
    for run in list_runs(three):
        run.write_status(Status("interrupted"))
    return three


def status(root, name, state):
    find_run(root, name).write_status(Status(state))


def test_the_newest_unfinished_run_is_found(unfinished):
    assert newest_unfinished(unfinished).name == "b/20261121-090000"


@pytest.mark.parametrize("state", ["running", "interrupted", "failed"])
def test_any_run_that_did_not_finish_is_unfinished(unfinished, state):
    status(unfinished, "b/20261121-090000", state)
    assert newest_unfinished(unfinished).name == "b/20261121-090000"


def test_finished_runs_are_passed_over(unfinished):
    status(unfinished, "b/20261121-090000", "finished")
    assert newest_unfinished(unfinished).name == "a/20261121-090000"
    assert newest_unfinished(unfinished, "b").name == "b/20261120-101502"


def test_a_run_that_is_being_trained_is_passed_over(unfinished):
    with find_run(unfinished, "b/20261121-090000").lock():
        assert newest_unfinished(unfinished).name == "a/20261121-090000"


@pytest.mark.parametrize("text", ["", "[]"])
def test_a_run_with_a_broken_status_is_passed_over(unfinished, text):
    (find_run(unfinished, "b/20261121-090000").path / "status.json").write_text(text)
    assert newest_unfinished(unfinished).name == "a/20261121-090000"


def test_a_run_that_was_killed_before_its_first_status_is_unfinished(unfinished):
    run = find_run(unfinished, "b/20261121-090000")
    (run.path / "status.json").unlink()
    assert newest_unfinished(unfinished) == run
    assert run.status_so_far() == Status("running")


def test_there_may_be_none(unfinished, tmp_path):
    for run in list_runs(unfinished):
        run.write_status(Status("finished"))
    assert newest_unfinished(unfinished) is None
    assert newest_unfinished(unfinished, "c") is None
    assert newest_unfinished(tmp_path / "elsewhere") is None


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    run = create_run(tmp_path, "job", NOW)
    run.write_json("config.json", {})
    (run.checkpoints / "state-0001-000000").mkdir()
    (run.checkpoints / "state-0001-000000" / "arrays.npz").write_text("whole")
    half = run.checkpoints / ".state-0002-000000.x7f"
    (half / ".inside").mkdir(parents=True)
    (half / "arrays.npz").write_text("half")
    (run.checkpoints / ".best.writing.keras").write_text("half")
    (run.path / ".metrics.csv.k3").write_text("half")
    (run.tensorboard / "train").mkdir(parents=True)
    (run.tensorboard / "train" / ".events.writing").write_text("half")
    with run.lock():
        run.tidy()
        assert names(run.path) == [".lock", ".reserve", "checkpoints", "config.json", "tensorboard"]
    assert names(run.checkpoints) == ["state-0001-000000"]
    assert names(run.checkpoints / "state-0001-000000") == ["arrays.npz"]
    assert names(run.tensorboard / "train") == []
