"""Children that begin with everything imported, and outlive nobody."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tfpipe.tuning.nursery import Child, Job, Nursery, why_it_died

MODULE = """
import os, sys, time

def main(argument):
    word, _, rest = argument.partition(" ")
    print("began", word, "tensorflow" in sys.modules, flush=True)
    if word == "exit":
        return int(rest)
    if word == "sleep":
        time.sleep(60)
    return 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the module of the jobs is, for children to import it."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.fixture(scope="module")
def nursery(folder: Path) -> Iterator[Nursery]:
    with Nursery(log=folder / "nursery.log") as nursery:
        yield nursery


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    return lambda argument, **given: Job("jobs", argument, tmp_path / "log.txt", **given)


def ended(nursery: Nursery, child: Child, seconds: float = 60.0) -> Child:
    until = time.monotonic() + seconds
    while child.code is None and time.monotonic() < until:
        nursery.poll(0.1)
    return child


def test_a_child_begins_with_tensorflow_imported(nursery: Nursery, job: Callable[..., Job]) -> None:
    child = ended(nursery, nursery.start(job("exit 7")))
    assert (child.code, child.how, child.forked) == (7, "exit code 7", True)
    assert child.job.log.read_text() == "began exit True\n"


def test_a_child_can_be_asked_to_end(nursery: Nursery, job: Callable[..., Job]) -> None:
    child = nursery.start(job("sleep"))
    child.terminate()
    assert ended(nursery, child).code == -signal.SIGTERM
    assert why_it_died(child)[0] == "killed"
