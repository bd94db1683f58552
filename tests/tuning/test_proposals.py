"""Trials of one search, given out to several processes."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from searches import made

from tfpipe.declare.tree import resolve
from tfpipe.tuning import claims as claims_module
from tfpipe.tuning.claims import Claims
from tfpipe.tuning.oracles.make import make_oracle
from tfpipe.tuning.proposals import WAIT, Proposals
from tfpipe.tuning.space import space_of
from tfpipe.tuning.store import Search, Trial, read_search


@pytest.fixture
def search(small: Path) -> Search:
    """A search of 3 random trials that nobody has begun."""
    return made(small, tuner="random", trials=3, words=("epochs=9",))


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes processes that run trials of a search, each as on a machine of its own."""
    opened: list[Claims] = []

    def make(search: Search) -> Proposals:
        search = read_search(search.directory.path, search.root)
        monkeypatch.setattr(claims_module, "_machine", lambda: f"machine-{len(opened)}")
        claims = Claims(search.directory.path / "claims", heartbeat=0.02, lease=0.3)
        opened.append(claims)
        monkeypatch.setattr(claims_module, "_machine", lambda: "another")
        pipeline = search.load().pipeline
        space, asked = space_of(pipeline), search.options
        project = search.directory.path / "tuner"
        with claims.turn("oracle"):
            oracle = make_oracle(
                asked.tuner,
                space.hyperparameters(),
                objective=asked.objective,
                direction=asked.direction,
                trials=asked.trials,
                seed=asked.seed,
                epochs=resolve(pipeline).all_epochs,
                project=project,
                size=space.size,
                reload=project.exists(),
            )
        return Proposals(search, space, oracle, claims)

    yield make
    for claims in opened:
        claims.close()


def done(trial: Trial, objective: float = 0.5) -> Trial:
    measured = {"objective": objective, "epoch": 1, "metrics": {"val_accuracy": objective}}
    return replace(trial, state="finished", ended=5.0, **measured)


def silence(proposals: Proposals) -> None:
    """As if its machine had lost its power."""
    proposals._claims._closed.set()
    proposals._claims._thread.join()


def waited_for(proposals: Proposals, slot: str = "tuner0") -> Trial:
    """The next trial of a slot, waiting for it as the scheduler does."""
    until = time.monotonic() + 20
    while (trial := proposals.next(slot)) is WAIT and time.monotonic() < until:
        time.sleep(0.02)
    assert isinstance(trial, Trial)
    return trial


def test_no_trial_is_given_out_twice_and_all_learn_from_each(search: Search, member: Any) -> None:
    one, another = member(search), member(search)
    first, second, third = one.next("tuner0"), another.next("tuner0"), one.next("tuner1")
    assert [t.id for t in (first, second, third)] == ["00", "01", "02"]
    assert len({str(t.values) for t in (first, second, third)}) == 3
    assert another.next("tuner1") is WAIT  # what the first trains may come back
    one.end(done(first))
    one.end(done(third))
    assert another.next("tuner1") is None  # what is left is its own
    another.end(done(second, 0.7))
    assert one.next("tuner0") is None
    assert [t.state for t in search.trials()] == ["finished"] * 3
    assert one.oracle.end_order == another.oracle.end_order == ["00", "02", "01"]


def test_what_is_left_is_given_to_others_at_once(search: Search, member: Any) -> None:
    one, another = member(search), member(search)
    trial = one.next("tuner0")
    one.leave(replace(trial, state="interrupted"))
    again = another.next("tuner0")
    assert (again.id, again.values, again.state) == (trial.id, trial.values, "running")


def test_the_trial_of_a_lost_machine_goes_to_one_other(search: Search, member: Any) -> None:
    lost, one, another = member(search), member(search), member(search)
    trial = lost.next("tuner0")
    silence(lost)
    taken = [waited_for(p) for p in (one, another)]
    assert sorted(t.id for t in taken) == ["00", "01"] or sorted(t.id for t in taken) == [
        "01",
        "02",
    ]
    ids = {t.id for t in taken} | {waited_for(one, "tuner1").id}
    assert trial.id in ids


def test_who_was_only_slow_has_lost_its_trial_and_records_nothing(
    search: Search, member: Any
) -> None:
    slow, one = member(search), member(search)
    trial = slow.next("tuner0")
    silence(slow)
    mine = [waited_for(one, f"tuner{n}") for n in range(3)]
    again = next(t for t in mine if t.id == trial.id)
    slow.end(done(trial, 0.1))
    assert slow.lost == {trial.id}
    one.end(done(again, 0.9))
    assert Trial.read(search.folder(trial.id)).objective == 0.9
    assert one.oracle.get_trial(trial.id).score == 0.9


def test_a_run_that_is_still_written_is_not_taken_up(search: Search, member: Any) -> None:
    slow, one = member(search), member(search)
    trial = slow.next("tuner0")
    silence(slow)
    with search.run(trial).lock():
        time.sleep(0.5)
        assert one.next("tuner0").id == "01"
        assert one.next("tuner1").id == "02"
        assert one.next("tuner2") is WAIT
    assert waited_for(one, "tuner2").id == trial.id


def test_hyperband_with_a_machine_that_left(small: Path, member: Any) -> None:
    search = made(small, tuner="hyperband", trials=None, words=("epochs=9",))
    lost, one = member(search), member(search)
    lost.next("tuner0")
    silence(lost)
    objective = 0.0
    while (trial := one.next("tuner0")) is not None:
        if trial is WAIT:
            time.sleep(0.02)
            continue
        objective += 0.01
        one.end(done(trial, objective))
    trials = search.trials()
    assert all(t.state == "finished" for t in trials)
    assert len(trials) == 23
