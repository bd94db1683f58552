"""Which ranges matter: what decides is found, and where nothing is known that is said."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from searches import trial

from tfpipe import hp
from tfpipe.tuning.dimension import Dimension
from tfpipe.tuning.importance import evenly, importance
from tfpipe.tuning.store import Trial

A = Dimension("a", hp.Float(0.5, min=0.0, max=1.0))
RATE = Dimension("rate", hp.Float(0.1, min=1e-5, max=1.0, log=True))
CHOICE = Dimension("choice", hp.Choice("x", values=("x", "y", "z")))
INSIDE = Dimension("choice[x].inside", hp.Float(0.5, min=0.0, max=1.0), when=(("choice", "x"),))


def trials(
    count: int, objective: Callable[[dict[str, Any], Any], float]
) -> list[tuple[Trial, float]]:
    """Trials with random values, the best first."""
    chance = random.Random(3)
    made = []
    for number in range(count):
        values: dict[str, Any] = {"a": chance.random(), "rate": 10 ** chance.uniform(-5, 0)}
        values["choice"] = chance.choice(CHOICE.range.labels)
        if values["choice"] == "x":
            values["choice[x].inside"] = chance.random()
        value = objective(values, chance)
        made.append((trial(f"{number:02}", value, values=values), value))
    return sorted(made, key=lambda pair: -pair[1])


def test_what_decides_has_the_larger_share() -> None:
    found = importance((A, RATE), trials(60, lambda v, _: 3 * v["a"] - abs(v["a"] - 0.5)))
    assert found.shares["a"] > 0.95
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.explained > 0.8
    assert found.note == f"It foretells {found.explained:.0%} of the differences between trials."


def test_a_logarithmic_range_is_seen_as_one() -> None:
    """The best rate is 0.001: on a plain axis that is the same as 0."""
    found = importance(
        (A, RATE), trials(60, lambda v, _: -abs(RATE.range.position(v["rate"]) - 0.4))
    )
    assert found.shares["rate"] > 0.9


def test_a_choice_matters_and_what_stands_inside_of_it_does_not() -> None:
    better = {"x": 1.0, "y": 0.2, "z": 0.5}
    found = importance((A, CHOICE, INSIDE), trials(60, lambda v, _: better[v["choice"]]))
    assert found.shares["choice"] > 0.95


def test_a_range_inside_of_a_choice_may_matter() -> None:
    found = importance(
        (A, CHOICE, INSIDE), trials(90, lambda v, _: 3 * v.get("choice[x].inside", 0.5))
    )
    assert found.shares["choice[x].inside"] > 0.8


def test_the_epochs_of_a_trial_are_no_merit_of_its_values() -> None:
    """Trials that train longer are better, and most of them happen to have a high rate."""
    found = trials(80, lambda v, _: v["a"])
    longer = [(t, t.values["rate"] > 0.003 or int(t.id) % 5 == 0) for t, _ in found]
    judged = [(t, (2.0 if more else 0.0) + t.values["a"]) for t, more in longer]
    assert importance((A, RATE), judged).shares["rate"] > 0.7
    for one, more in longer:
        one.epochs = 9 if more else 3
    known = importance((A, RATE), judged)
    assert known.shares["rate"] < 0.2
    assert known.note.endswith("between trials, told how many epochs each has trained.")


def test_chance_is_not_taken_for_a_cause() -> None:
    found = importance((A, RATE), trials(40, lambda _, chance: chance.random()))
    assert found.shares == {}
    assert found.note == (
        "The forest cannot foretell a trial from the others, so it cannot say which ranges "
        "matter: more trials may help, or chance decides more than the ranges do."
    )


def test_little_that_is_foretold_is_called_little() -> None:
    noisy = trials(60, lambda v, chance: v["a"] + chance.gauss(0, 0.5))
    found = importance((A, RATE), noisy)
    assert 0 < found.explained < 0.3
    assert found.note.endswith("That is little: read the shares with care.")


@pytest.mark.parametrize(
    ("count", "axes", "note"),
    [
        (0, (A,), "0 of at least 10 for 1 range."),
        (9, (A,), "9 of at least 10 for 1 range."),
        (11, (A,) * 6, "11 of at least 12 for 6 ranges."),
    ],
)
def test_too_few_trials_say_nothing(count: int, axes: tuple[Dimension, ...], note: str) -> None:
    found = importance(axes, trials(count, lambda v, _: v["a"]))
    assert (found.shares, found.explained) == ({}, 0.0)
    assert found.note == f"Too few trials have finished to say which ranges matter: {note}"


def test_equal_trials_say_nothing() -> None:
    found = importance((A, RATE), trials(12, lambda _, __: 0.5))
    assert (found.shares, found.note) == ({}, "All trials are equally good, so no range matters.")


def test_the_same_trials_give_the_same_answer() -> None:
    some = trials(30, lambda v, chance: v["a"] + 0.1 * chance.random())
    assert importance((A, RATE), some) == importance((A, RATE), some)


def test_of_many_some_are_taken_from_the_first_on() -> None:
    assert evenly(4, 9) == [0, 1, 2, 3]
    assert evenly(10, 5) == [0, 2, 4, 6, 8]
    assert evenly(0, 5) == []
    some = evenly(1000, 240)
    assert (len(set(some)), some[0], some[-1]) == (240, 0, 995)
