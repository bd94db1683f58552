"""report.html: one file that holds all it needs, says what is so, and takes nothing for granted."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pages import EVIL, Read, charts_of, check_self_contained, points
from searches import DROPOUT, NAME, RATE, made, trial

from tfpipe.training.metrics_file import write_rows
from tfpipe.training.reporting import EpochRow
from tfpipe.tuning.report import report_of, scale_of, write_report
from tfpipe.tuning.store import Search, Trial

CONDITIONAL = (
    "optimizer=hp.Choice(keras.optimizers.SGD(0.1), values=(keras.optimizers.SGD(0.1), "
    "keras.optimizers.Adam(hp.Float(0.01, min=0.001, max=0.1, log=True))))",
    "model.batch_norm=hp.Bool(True)",
    "batch_size=hp.Int(16, min=8, max=64, step=8)",
)


def train(search: Search, number: str, *values: float) -> None:
    """Leave the metrics.csv of a trial's run."""
    named = ({"val_accuracy": v, "accuracy": v + 0.125} for v in values)
    rows = [EpochRow(i, 9, 1.0, 1.0, metrics) for i, metrics in enumerate(named, 1)]
    write_rows(search.folder(number) / "metrics.csv", rows)


def many(count: int, values: Any = None) -> list[Trial]:
    """Trials of which the first is the worst."""
    return [
        trial(
            f"{i:03}",
            0.5 + 0.4 * i / count,
            values=values(i) if values else {RATE: 0.001 + 0.099 * i / count, DROPOUT: 0.25},
            ended=1000.0 + 50 * i,
        )
        for i in range(count)
    ]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives a search trials without writing them."""

    def keep(search: Search, trials: list[Trial]) -> Search:
        monkeypatch.setattr(Search, "trials", lambda self: trials)
        return search

    return keep


def test_the_best_comes_first_with_its_settings_and_the_command(small: Path) -> None:
    search = made(
        small,
        trial("00", 0.5, ended=10.0),
        trial("01", 0.625, values={RATE: 0.002, DROPOUT: 0.25}, ended=20.0),
        trial("02", 0.75, state="stopped", values={RATE: 0.05, DROPOUT: 0.125}, ended=30.0),
        trial("03", None, state="failed", kind="nan", reason="The loss became nan.", ended=40.0),
        trial("04"),
        words=("epochs=1", "data.validation=0.3"),
    )
    search.active_seconds = 3725.0
    train(search, "02", 0.5, 0.75)
    write_report(search)
    page = (search.directory.path / "report.html").read_text("utf-8")
    words = " ".join(Read(page).words.split())
    assert f"{NAME} running" in words
    assert "Best val_accuracy: 0.7500 Trial 02, epoch 4. Train fully with these values:" in words
    assert "model.dropout 0.125 0.25 optimizer.learning_rate 0.05 0.01" in words
    assert "trials done 4 of 12 2 finished, 1 stopped, 1 failed, 1 running" in words
    assert "searched for 1:02:05" in words
    assert "epochs trained 2 " in words
    command = f"tfpipe run {small}::Small data.validation=0.3 --best {NAME} --root {small.parent}"
    assert f"Train fully with these values: {command}" in words
    assert "1: 03 nan The loss became nan." in words
    assert "The best 3 side by side" in words
    assert "trial 02 trial 01 trial 00" in words
    assert [points(c) for c in charts_of(page)[:3]] == [3, 3, 3]
    assert [points(c, "best") for c in charts_of(page)[:3]] == [1, 1, 1]  # which was stopped
    assert [points(c, "failed") for c in charts_of(page)[:3]] == [1, 0, 0]
    assert "the best so far. Hollow points were stopped by the median rule. Crosses are" in words
    assert "03 failed" in words
    assert '<tr class="differs"><th>optimizer.learning_rate</th><td>0.05</td>' in page


def test_the_page_asks_nobody_for_anything(small: Path) -> None:
    links = check_self_contained(report_of(made(small, trial("00", 0.5))))
    assert links == ["table.csv", "search.json"]


def test_each_chart_has_a_text_and_ids_of_its_own(small: Path) -> None:
    page = report_of(made(small, trial("00", 0.5), trial("01", 0.75)))
    charts = charts_of(page)
    assert [c.attrib["aria-label"] for c in charts] == [
        "val_accuracy (higher is better) of each trial",
        "The objective against model.dropout",
        "The objective against optimizer.learning_rate",
        "Parallel coordinates of the trials",
    ]
    ids = [e.attrib["id"] for c in charts for e in c.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))


def test_what_others_wrote_is_text_and_nothing_else(small: Path) -> None:
    bad = {"kind": EVIL, "reason": f"{EVIL} it says", "ended": 20.0}
    values = {RATE: 0.01, DROPOUT: 0.25, EVIL: EVIL}
    search = made(
        small,
        trial("00", 0.5, values=values, metrics={EVIL: 0.25, "val_accuracy": 0.5}, worker=EVIL),
        trial("01", None, state="failed", **bad),
        trial("02", 0.4, ended=30.0, values=values),
        objective=EVIL,
    )
    choice = {"part": "tfpipe.hp.Choice", "value": EVIL, "values": [EVIL, "b"]}
    label = {"name": EVIL, "range": choice, "when": []}
    search.space["dimensions"] += [label, {**label, "name": "x", "when": [[EVIL, EVIL]]}]
    search.overrides, search.reason, search.target = (EVIL,), EVIL, f"{EVIL}.py::{EVIL}"
    search.pipeline = {EVIL: EVIL}
    page = report_of(search)
    check_self_contained(page)
    assert Read(page).words.count(EVIL) > 10
    assert len(charts_of(page)) == 1 + 4 + 1, "the objective's, each range, all together"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_trials(small: Path, count: int) -> None:
    trials = [trial(f"0{i}", 0.5, ended=10.0 * i) for i in range(count)]
    page = report_of(made(small, *trials))
    words = " ".join(Read(page).words.split())
    said = "There is no trial yet." in words
    assert said == (count == 0)
    few = f"finished to say which ranges matter: {count} of at least 10 for 2 ranges."
    assert (few in words) == (count > 0)
    assert len(charts_of(page)) == (4 if count else 0)
    assert "Failures" not in words


def test_nothing_but_failures(small: Path) -> None:
    reasons = ["The memory ran out.", "It is\n broken.", "The memory ran out."]
    failed = [
        trial(f"0{i}", None, state="failed", kind="memory", reason=r, ended=10.0 * i)
        for i, r in enumerate(reasons)
    ]
    page = report_of(made(small, *failed))
    words = " ".join(Read(page).words.split())
    assert "No trial has finished: all of them failed." in words
    assert "2: 00, 02 memory The memory ran out. 1: 01 memory It is broken." in words
    assert charts_of(page) == []


def test_many_reasons_are_not_all_listed(small: Path, kept: Any) -> None:
    failed = [
        trial(f"{i:03}", None, state="failed", reason=f"No. {i}. {'x' * 900}") for i in range(60)
    ]
    failed += [trial(f"{i:03}", None, state="failed", reason="Again.") for i in range(60, 80)]
    page = report_of(kept(made(small), failed))
    words = Read(page).words
    assert "The 20 most frequent reasons of 61." in words
    assert "20: 060, 061, 062, 063, 064, 065, 066, 067, 068, 069, 070, 071 and 8 more" in words
    assert "x" * 590 in words
    assert "x" * 600 not in words


def test_a_range_that_some_trials_have_not(small: Path) -> None:
    sgd = {DROPOUT: 0.25, "model.batch_norm": True, "batch_size": 8, "optimizer": "SGD"}
    adam = {**sgd, "optimizer": "Adam", "optimizer[Adam].learning_rate": 0.01, "batch_size": 64}
    search = made(
        small,
        trial("00", 0.5, values=sgd, ended=10.0),
        trial("01", 0.75, values=adam, ended=20.0),
        words=CONDITIONAL,
    )
    page = report_of(search)
    words = " ".join(Read(page).words.split())
    assert "optimizer[Adam].learning_rate 0.01 0.01" in words
    assert "optimizer[Adam].learning_rate 0.01 - " in words
    assert "where optimizer is Adam" in words
    assert "0.001 to 0.1 (logarithmic) 0.01 optimizer is Adam" in words
    [drawn] = [c for c in charts_of(page) if c.attrib["aria-label"].endswith("].learning_rate")]
    assert points(drawn) == 1


def test_one_range(small: Path) -> None:
    search = made(small, *(trial(f"0{i}", i / 8, values={RATE: 0.01}) for i in range(3)))
    del search.space["dimensions"][0]
    assert len(charts_of(report_of(search))) == 3


def test_thirty_ranges_and_five_hundred_trials_are_still_a_page(small: Path, kept: Any) -> None:
    search = made(small)
    search.space["dimensions"] = [
        {**search.space["dimensions"][0], "name": f"part.{i}"} for i in range(30)
    ]
    trials = many(500, lambda i: {f"part.{j}": (i * (j + 1) % 101) / 202 for j in range(30)})
    page = report_of(kept(search, trials))
    assert len(page) < 5_000_000
    charts = charts_of(page)
    assert [points(c) for c in charts] == [500] + [160] * 30 + [0] * (len(charts) - 31)


def test_a_trial_that_ran_away_does_not_press_the_others_flat(small: Path) -> None:
    losses = [0.5, 0.625, 0.75, 1.0, 1.25, 1e30, 1e12, float("inf"), float("nan")]
    trials = [trial(f"0{i}", v, ended=10.0 * i, epoch=1) for i, v in enumerate(losses)]
    search = made(small, *trials, objective="val_loss", direction="min")
    scale = scale_of([0.5, 0.625, 0.75, 1.0, 1.25, 1e12, 1e30])
    assert (scale.low < 0.5, 1.25 < scale.high < 1.5) == (True, True)
    assert (scale.clip(1e30), scale.clip(0.75)) == (scale.high, 0.75)
    page = report_of(search)
    words = " ".join(Read(page).words.split())
    assert "2 trials are far worse than most, and drawn at the edge." in words
    assert points(charts_of(page)[0]) == 7
    assert "val_loss (lower is better)" in words


def test_trials_that_go_on_with_one_another_stand_side_by_side_as_one(small: Path) -> None:
    rung = {"epochs": 2, "epoch": 2, "ended": 10.0}
    search = made(
        small,
        trial("00", 0.5, **rung),
        trial("01", 0.75, **{**rung, "epochs": 4, "epoch": 4, "first_epoch": 2, "run": "00"}),
        trial("02", 0.25, **rung),
        tuner="hyperband",
    )
    train(search, "00", 0.25, 0.5, 0.625, 0.75)
    train(search, "02", 0.25, float("nan"))
    page = report_of(search)
    words = " ".join(Read(page).words.split())
    assert "trial 01 trial 02 val_accuracy" in words
    assert "epoch 4 of 4 2 of 2" in words
    assert "Trials of Hyperband that go on with one another are one." in words
    assert "epochs trained 6 " in words
    [curves] = [
        c for c in charts_of(page) if c.attrib["aria-label"] == "val_accuracy in each epoch"
    ]
    text = ElementTree.tostring(curves, encoding="unicode")
    assert "trial 01" in text
    assert "trial 02" in text


def test_what_was_asked_is_said(small: Path) -> None:
    search = made(
        small,
        tuner="hyperband",
        trials=None,
        seed=7,
        workers=2,
        budget=7200.0,
        hard=True,
        sample=64,
        median=True,
        memory=4_000_000_000,
        declared_first=True,
    )
    words = " ".join(Read(report_of(search)).words.split())
    assert (
        "tuner Hyperband trials as many as the tuner takes objective val_accuracy, the higher the "
        "better seed 7 workers 2 budget 2:00:00, hard data a generated sample of 64 memory of a "
        "trial 4.0 GB median rule on first trial the declared values given "
        "optimizer.learning_rate=hp.Float(0.01, min=0.001, max=0.1, log=True) "
    ) in words
    assert "trials done 0 searched for 0:00" in words
