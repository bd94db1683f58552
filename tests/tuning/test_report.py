"""report.html: one file that holds all it needs, says what is so, and takes nothing for granted."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from searches import DROPOUT, NAME, RATE, made, trial

from tfpipe.training.metrics import write_rows
from tfpipe.training.reporting import EpochRow
from tfpipe.tuning.charts import over_time, over_trials
from tfpipe.tuning.picture import picture_of
from tfpipe.tuning.report import report_of, write_report
from tfpipe.tuning.store import Search, Trial

CONDITIONAL = (
    "optimizer=hp.Choice(keras.optimizers.SGD(0.1), values=(keras.optimizers.SGD(0.1), "
    "keras.optimizers.Adam(hp.Float(0.01, min=0.001, max=0.1, log=True))))",
    "model.batch_norm=hp.Bool(True)",
    "batch_size=hp.Int(16, min=8, max=64, step=8)",
)
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Read(HTMLParser):
    """A page as a browser reads it: its tags balance, its text is told from its marks."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.inside: dict[str, str] = {}
        self.words = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.inside[self.open[-1]] = self.inside.get(self.open[-1], "") + data
            return
        self.words += f"{data} "


def charts_of(page: str) -> list[ElementTree.Element]:
    """The charts, each of which is XML."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]


def marks(page: str, style: str) -> list[str]:
    """The trials whose marks have a class, in all charts."""
    found = [mark for chart in charts_of(page) for mark in chart.iter() if "data-t" in mark.attrib]
    return [mark.attrib["data-t"] for mark in found if style in mark.attrib["class"].split()]


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
    assert "best val_accuracy 0.7500 trial 02, epoch 4 range best declared" in words
    assert "model.dropout 0.125 0.25 optimizer.learning_rate 0.05 0.01" in words
    assert "trials done 4 of 12 2 finished, 1 stopped, 1 failed, 1 running" in words
    assert "searched for 1:02:05" in words
    assert "epochs trained 2 " in words
    command = f"tfpipe run {small}::Small data.validation=0.3 --best {NAME} --root {small.parent}"
    assert f"Train fully with these values: {command}" in words
    assert "1: 03 nan The loss became nan." in words
    assert "The best 3 side by side" in words
    assert "trial 02 trial 01 trial 00" in words
    assert set(marks(page, "best")) == {"02"}
    assert set(marks(page, "stopped")) == {"02"}
    assert set(marks(page, "cross")) == {"03"}
    assert set(marks(page, "p")) == set(marks(page, "l")) == {"00", "01", "02"}
    assert '<tr class="differs"><th>optimizer.learning_rate</th><td>0.05</td>' in page


def test_the_page_asks_nobody_for_anything(small: Path) -> None:
    page = report_of(made(small, trial("00", 0.5)))
    read = Read(page)
    links = [value for _, named in read.found for key, value in named.items() if key == "href"]
    assert links == ["table.csv", "search.json"]
    assert not [named for _, named in read.found if "src" in named or "srcset" in named]
    assert "url(" not in read.inside["style"]
    assert "@import" not in read.inside["style"]
    assert not re.search(r"fetch|XMLHttp|WebSocket|import\(|innerHTML", read.inside["script"])
    [policy] = [n["content"] for t, n in read.found if "http-equiv" in n]
    assert policy == ("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
    assert "prefers-color-scheme: dark" in read.inside["style"]


EVIL = "</script><script>alert(1)</script><img src=x onerror='alert(1)'>\"&"


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
    label = {"name": EVIL, "type": "Choice", "declared": EVIL, "labels": [EVIL, "b"], "when": []}
    search.space["dimensions"] += [label, {**label, "name": "x", "when": [[EVIL, EVIL]]}]
    search.overrides, search.reason, search.target = (EVIL,), EVIL, f"{EVIL}.py::{EVIL}"
    search.pipeline = {EVIL: EVIL}
    page = report_of(search)
    read = Read(page)
    plain = Read(report_of(made(small, trial("00", 0.5), root=small.parent / "plain")))
    scripts = [tag for tag, _ in read.found].count("script")
    assert scripts == [tag for tag, _ in plain.found].count("script") == 2
    assert not [named for tag, named in read.found if tag == "img" or "onerror" in named]
    assert read.words.count(EVIL) > 10
    assert len(charts_of(page)) == 2 + 1 + 4, "the objective's, parallel coordinates, each range"
    data = json.loads(re.search(r'id="trials">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert data["objective"] == EVIL
    assert data["trials"]["01"][3] == f"{EVIL} it says"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_trials(small: Path, count: int) -> None:
    trials = [trial(f"0{i}", 0.5, ended=10.0 * i) for i in range(count)]
    page = report_of(made(small, *trials))
    words = " ".join(Read(page).words.split())
    said = "There is no trial yet." in words
    assert said == (count == 0)
    few = f"finished to say which ranges matter: {count} of at least 10 for 2 ranges."
    assert (few in words) == (count > 0)
    assert len(set(marks(page, "p"))) == count
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
    assert "Parallel coordinates" not in words
    assert sorted(marks(page, "cross")) == ["00", "00", "01", "01", "02", "02"]


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
    assert [mark.attrib["data-t"] for mark in drawn.iter() if "data-t" in mark.attrib] == ["01"]
    [wide] = [c for c in charts_of(page) if c.attrib["aria-label"].startswith("Parallel")]
    heights = {
        mark.attrib["data-t"]: [float(p.split(" ")[1]) for p in mark.attrib["d"][1:].split("L")]
        for mark in wide.iter()
        if "data-t" in mark.attrib
    }
    place = [d["name"] for d in search.space["dimensions"]].index("optimizer[Adam].learning_rate")
    assert heights["00"][place] > 342 >= heights["01"][place], "below the axis, and on it"


def test_one_range(small: Path) -> None:
    search = made(small, *(trial(f"0{i}", i / 8, values={RATE: 0.01}) for i in range(3)))
    del search.space["dimensions"][0]
    assert len(charts_of(report_of(search))) == 2


def test_thirty_ranges_and_five_hundred_trials_are_still_a_page(small: Path, kept: Any) -> None:
    search = made(small)
    search.space["dimensions"] = [
        {**search.space["dimensions"][0], "name": f"part.{i}"} for i in range(30)
    ]
    trials = many(500, lambda i: {f"part.{j}": (i * (j + 1) % 101) / 202 for j in range(30)})
    page = report_of(kept(search, trials))
    assert len(page) < 1_100_000
    assert len(marks(page, "l")) == 500
    assert 8_000 > len(marks(page, "p")) > 5_000
    assert marks(page, "best").count("499") == 30 + 1 + 2, "the best is in every chart"


def test_a_trial_that_ran_away_does_not_press_the_others_flat(small: Path) -> None:
    losses = [0.5, 0.625, 0.75, 1.0, 1.25, 1e30, 1e12, float("inf"), float("nan")]
    trials = [trial(f"0{i}", v, ended=10.0 * i, epoch=1) for i, v in enumerate(losses)]
    search = made(small, *trials, objective="val_loss", direction="min")
    drawn = picture_of(search)
    assert [t.id for t, _ in drawn.ranked] == [f"0{i}" for i in (0, 1, 2, 3, 4, 6, 5)]
    assert (drawn.scale.low < 0.5, 1.25 < drawn.scale.high < 1.5) == (True, True)
    assert [drawn.level(v) for v in (0.5, 0.85, 1.25, 1e30)] == [7, 4, 0, 0]
    words = Read(report_of(search)).words
    assert "2 trials are far worse than most, and drawn at the edge." in words
    assert "val_loss (lower is better)" in words


def test_the_line_of_the_best_so_far(small: Path) -> None:
    values = (0.5, 0.25, 0.75, 0.625, 1.0)
    ended = (40.0, 90.0, 80.0, 170.0, 210.0)
    trials = [
        trial(f"0{i}", v, ended=e, began=e - 40)
        for i, (v, e) in enumerate(zip(values, ended, strict=True))
    ]
    search = made(small, *trials)
    search.began = 0.0
    drawn = picture_of(search)
    for chart, steps in ((over_trials(drawn), [0, 2, 4]), (over_time(drawn), [0, 2, 4])):
        root = ElementTree.fromstring(chart)
        [line] = [e for e in root.iter() if e.attrib.get("class") == "sofar"]
        corners = [tuple(map(float, p.split(" "))) for p in line.attrib["d"][1:].split("L")]
        points = {
            e.attrib["data-t"]: (float(e.attrib["cx"]), float(e.attrib["cy"]))
            for e in root.iter("circle")
        }
        best = [points[f"0{i}"] for i in steps]
        expected = [best[0], (best[1][0], best[0][1]), best[1], (best[2][0], best[1][1]), best[2]]
        assert corners[:-1] == expected
        assert corners[-1][1] == best[2][1]


def test_pauses_are_no_time_of_searching(small: Path) -> None:
    """Two workers search for 100 s; a day later the search goes on."""
    spans = [(0, 50), (0, 60), (50, 100), (86_500, 86_540), (86_545, 86_590)]
    trials = [
        trial(f"0{i}", 0.5, began=float(a), ended=float(b), seconds=float(b - a))
        for i, (a, b) in enumerate(spans)
    ]
    resumed = trial("05", 0.5, began=90.0, ended=86_600.0, seconds=70.0)
    search = made(small, *trials, resumed)
    search.began = 0.0
    assert picture_of(search).times == {
        "00": 50,
        "01": 60,
        "02": 100,
        "03": 140,
        "04": 190,
        "05": 200,
    }


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
    assert "trial 01 trial 02 model.dropout" in words
    assert "epoch 4 of 4 2 of 2" in words
    assert "Hyperband trains few trials for all epochs, and most for some." in words
    assert "epochs trained 6 " in words
    curves = [c for c in charts_of(page) if c.attrib["aria-label"] == "val_accuracy in each epoch"]
    styles = [[e.attrib.get("class") for e in curve] for curve in curves]
    assert [("measured" in s, "dot" in s) for s in styles] == [(True, False), (False, True)]
    [line] = [e for e in curves[0] if e.attrib.get("class") == "measured"]
    assert line.attrib["d"].count("L") == 3, "all four epochs, those of the first trial too"


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
