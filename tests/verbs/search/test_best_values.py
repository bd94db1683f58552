"""A run with the best values of a search: which they are, and what comes before them."""

from pathlib import Path

import pytest
from searches import DROPOUT, NAME, RATE, made, trial

from tfpipe.declare.tree import flatten
from tfpipe.errors import ConfigError, PipelineFileError, RunError
from tfpipe.jobs.restore import Stopped, redeclare
from tfpipe.runs.directory import Status
from tfpipe.verbs.config import config
from tfpipe.verbs.search.best_values import with_best


def test_the_best_values_come_below_the_command_line_and_above_the_file(small: Path) -> None:
    made(small, trial("00", 0.5), trial("01", 0.75, values={RATE: 0.02, DROPOUT: 0.5}))
    best = with_best(str(small), ["model.dropout=0.125", "epochs=3"], NAME, small.parent)
    found = config(best.loaded)
    shown = {name: tuple(found[name].values()) for name in (RATE, DROPOUT, "epochs")}
    assert shown == {
        RATE: (0.02, f"search {NAME}"),
        DROPOUT: (0.125, "command line"),
        "epochs": (3, "command line"),
    }
    assert found["optimizer"]["origin"].endswith("small.py:19")
    assert best.words == ("optimizer.learning_rate=0.02", "model.dropout=0.5")


def test_a_value_that_both_give_is_the_command_lines(small: Path) -> None:
    made(small, trial("00", 0.5))
    best = with_best(str(small), [f"{RATE}=0.01"], "last", small.parent)
    origin = {name: entry["origin"] for name, entry in config(best.loaded).items()}
    assert (origin[RATE], origin[DROPOUT]) == ("command line", f"search {NAME}")


def test_a_part_of_the_command_line_replaces_what_was_found_inside(small: Path) -> None:
    made(small, trial("00", 0.5))
    best = with_best(str(small), ["model=MLP()"], "last", small.parent)
    assert flatten(best.loaded.pipeline)[DROPOUT] == 0.0
    assert flatten(best.loaded.pipeline)[RATE] == 0.01


def test_the_lowest_is_the_best_of_a_loss(small: Path) -> None:
    trials = (trial("00", 0.5), trial("01", 0.75), trial("02", 0.25, state="stopped"))
    made(small, *trials, objective="val_loss", direction="min")
    assert with_best(str(small), [], "last", small.parent).search.best().id == "02"


def test_what_the_search_had_and_the_run_has_not_is_noted(small: Path) -> None:
    ranged = f"{RATE}=hp.Float(0.01, min=0.001, max=0.1)"
    words = ("epochs=3", "batch_size=8", ranged)
    made(small, trial("00", 0.5), words=words, sample=200)
    best = with_best(str(small), ["batch_size=32"], "last", small.parent)
    notes = [
        f"search {NAME} was made with epochs=3, which this run has not: add it for the same "
        "training.",
        f"search {NAME} was made on generated data (--sample): its best values say nothing about "
        "the real data set.",
    ]
    assert best.notes() == notes
    assert best.notes(True) == notes[:1]


def test_a_resumed_run_still_says_where_its_values_came_from(small: Path) -> None:
    search = made(small, trial("00", 0.5))
    loaded = with_best(str(small), ["epochs=3"], "last", small.parent).loaded
    record = {"file": str(small), "class": "Small", "name": "small", "fields": config(loaded)}
    record |= {"overrides": loaded.overrides, "sources": loaded.sources}
    stopped = Stopped(search.directory, record, {}, Status("interrupted"))
    again = config(redeclare(stopped, ("epochs=9",), None))
    assert again[RATE] == {"value": 0.01, "origin": f"search {NAME}"}
    assert again["epochs"] == {"value": 9, "origin": "command line"}


def test_nothing_is_noted_of_a_search_of_the_same(small: Path) -> None:
    made(small, trial("00", 0.5))
    assert with_best(str(small), ["epochs=9"], "last", small.parent).notes() == []


OTHER = """
from tfpipe import Pipeline
from tfpipe.data import Sklearn
from tfpipe.models import Linear


class Other(Pipeline):
    data = Sklearn("digits")
    model = Linear()
"""


def test_values_that_do_not_fit_the_file(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.parent)
    Path("other.py").write_text(OTHER)
    made(small, trial("00", 0.5, values={DROPOUT: 0.5}))
    with pytest.raises(ConfigError) as error:
        with_best("other.py", ["epochs=2"], "last", Path())
    assert str(error.value) == (
        f"The best values of search {NAME} do not fit other.py: model.dropout=0.5: Linear has no "
        "field 'dropout'. There is: categories, initializer, l2, normalize, scale. The search was "
        "made over small.py::Small."
    )


def test_a_mistake_of_the_command_line_is_not_laid_on_the_search(small: Path) -> None:
    made(small, trial("00", 0.5))
    with pytest.raises(ConfigError, match=r"^epoch=2: Small has no field 'epoch'. Did you mean"):
        with_best(str(small), ["epoch=2"], "last", small.parent)
    with pytest.raises(PipelineFileError, match=r"^There is no file 'smal.py'."):
        with_best("smal.py", [], "last", small.parent)


def test_no_such_search(small: Path) -> None:
    with pytest.raises(RunError) as error:
        with_best(str(small), [], "last", small.parent)
    assert str(error.value) == (
        f"There are no searches in {small.parent / 'searches'}. Start one with tfpipe search FILE."
    )
    made(small, trial("00", 0.5))
    with pytest.raises(RunError) as error:
        with_best(str(small), [], "smal/2026", small.parent)
    assert str(error.value) == f"There is no search 'smal/2026'. Did you mean '{NAME}'?"


def test_a_search_without_a_finished_trial(small: Path) -> None:
    reason = "The loss became NaN in epoch 1."
    made(small, trial("00", state="failed", kind="nan", reason=reason), trial("01"))
    with pytest.raises(RunError) as error:
        with_best(str(small), [], "last", small.parent)
    assert str(error.value) == (
        f"Search {NAME} has no finished trial (2 began, 1 failed), so there are no best values "
        f"yet. Trial 00: {reason} Go on with it: tfpipe search --resume {NAME}"
    )
