"""What each worker of `--workers N` is told, at the start and after a death."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tfpipe.devices.cluster.membership import Cluster
from tfpipe.processes import launch
from tfpipe.runs.directory import RunDirectory

ADDRESSES = ("127.0.0.1:1", "127.0.0.1:2")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "runs" / "job" / "1", "job/1")
    directory.path.mkdir(parents=True)
    return directory


@pytest.fixture
def told(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The words of a worker: of its index and the attempt, after what begins the job."""
    commands: list[Callable[[Cluster, int], Sequence[str]]] = []

    class Supervisor:
        def __init__(self, command: Any, *_: Any) -> None:
            commands.append(command)

        def run(self) -> int:
            return 0

    monkeypatch.setattr(launch, "Supervisor", Supervisor)

    def words(begin: list[str]) -> Callable[[int, int], list[str]]:
        launch.launch(run, begin, ["--root", "R"], 2, 60.0, print)
        return lambda index, attempt: list(commands[-1](Cluster(ADDRESSES, index), attempt))[3:]

    return words


def place(index: int) -> list[str]:
    cluster = ["--worker", str(index), "--cluster", ",".join(ADDRESSES)]
    return ["--root", "R", *cluster, "--start-deadline", "60.0"]


def test_a_run_is_begun_and_then_resumed(told: Any, run: RunDirectory) -> None:
    words = told(["run", "FILE", "epochs=2"])
    assert words(0, 0) == ["run", "FILE", "epochs=2", *place(0)]
    (run.path / "config.json").touch()  # the chief is quick
    assert words(1, 0) == ["run", "FILE", "epochs=2", *place(1)]
    for index in range(2):
        assert words(index, 1) == ["resume", str(run.path), *place(index)]


def test_a_run_that_died_before_it_began_is_begun_again(told: Any) -> None:
    words = told(["run", "FILE"])
    assert words(0, 1) == ["run", "FILE", *place(0)]


def test_a_run_is_resumed_with_what_is_to_change(told: Any, run: RunDirectory) -> None:
    (run.path / "config.json").touch()
    words = told(["resume", "RUN", "epochs=4"])
    for attempt in range(2):
        assert words(1, attempt) == ["resume", "RUN", "epochs=4", *place(1)]
