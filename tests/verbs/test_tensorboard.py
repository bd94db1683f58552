"""Which runs and searches `tfpipe tensorboard` opens, under which names."""

import shutil
from datetime import datetime
from pathlib import Path

import pytest
from searches import NAME, made, trial

from tfpipe.errors import RunError
from tfpipe.runs.directory import RunDirectory, create_run
from tfpipe.verbs.tensorboard import boards_of

FIRST, SECOND, OTHER = "small/20261120-101502", "small/20261120-111502", "smaller/20261120-121502"


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, RunDirectory]:
    """Three runs of two pipelines, by their names."""
    there = {}
    for name in (FIRST, SECOND, OTHER):
        pipeline, _, moment = name.partition("/")
        run = create_run(tmp_path, pipeline, datetime.strptime(moment, "%Y%m%d-%H%M%S"))
        run.write_json("config.json", {})
        there[run.name] = run
    assert list(there) == [FIRST, SECOND, OTHER]
    return there


@pytest.mark.parametrize(
    ("references", "names"),
    [
        ((), (FIRST, SECOND, OTHER)),
        (("last",), (OTHER,)),
        ((FIRST,), (FIRST,)),
        (("small",), (FIRST, SECOND)),
        (("smal",), (FIRST, SECOND, OTHER)),
        (("small/20261120-11", "20261120-12"), (SECOND, OTHER)),
        ((f"runs/{FIRST}",), (FIRST,)),
    ],
)
def test_runs_are_found_by_name_beginning_path_and_last(
    runs: dict[str, RunDirectory],
    references: tuple[str, ...],
    names: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    boards = boards_of(tmp_path, references)()
    assert {n: p.resolve() for n, p in boards.items()} == {n: runs[n].tensorboard for n in names}


def test_new_runs_are_found_as_they_begin(runs: dict[str, RunDirectory], tmp_path: Path) -> None:
    boards = {words: boards_of(tmp_path, words) for words in ((), ("small",), ("last",))}
    new = create_run(tmp_path, "small", datetime(2026, 12, 1))
    new.write_json("config.json", {})
    shutil.rmtree(runs[FIRST].path)
    assert set(boards[()]()) == {SECOND, OTHER, new.name}
    assert set(boards["small",]()) == {SECOND, new.name}
    assert set(boards["last",]()) == {OTHER}


def test_of_a_search_the_ranges_and_the_trials(small: Path) -> None:
    search = made(small, trial("00", 0.5), trial("01", 0.25))
    for number in ("00", "01"):
        (search.folder(number) / "tensorboard").mkdir()
    for reference in (NAME, "small", "last", str(search.directory.path)):
        assert boards_of(small.parent, [reference])() == {
            f"{NAME}/ranges": search.directory.tensorboard,
            f"{NAME}/00": search.folder("00") / "tensorboard",
            f"{NAME}/01": search.folder("01") / "tensorboard",
        }


def test_what_is_not_there_is_an_error(runs: dict[str, RunDirectory], tmp_path: Path) -> None:
    with pytest.raises(RunError) as error:
        boards_of(tmp_path, ["smalll"])
    assert str(error.value) == (f"There is no run 'smalll'. There is: {FIRST}, {SECOND}, {OTHER}.")
