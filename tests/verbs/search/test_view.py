"""What a person sees of a search: header, live lines, a line for each trial, the end."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from searches import DROPOUT, NAME, RATE, made, trial

from tfpipe.declare.loading import load
from tfpipe.errors import Interrupted, TrainingError
from tfpipe.terminal import Terminal
from tfpipe.tuning.space import space_of
from tfpipe.verbs.search.trial_view import line, short_names
from tfpipe.verbs.search.view import (
    SearchView,
    header,
    show,
    show_resume_command,
    state_of,
    summary,
)

NAN = "The loss became NaN in epoch 1. Lower the learning rate."


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(act: Any, live: bool = False, width: int = 100) -> str:
    stream = io.StringIO()
    act(Terminal(stream, live=live, width=width))
    return stream.getvalue()


def plain(markup: str) -> str:
    return Text.from_markup(markup).plain


def commands(text: str) -> dict[str, str]:
    """The next commands, each with what it does."""
    lines = text.partition("Next:\n")[2].splitlines()
    return {
        command.strip(): does.strip()
        for command, _, does in (n.strip().partition("  ") for n in lines)
    }


class Clock:
    """Time that goes by when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# The header


def test_the_header_says_what_is_searched_where_and_how(small: Path) -> None:
    search = made(small, root=Path())
    assert said(lambda t: header(search, t)) == (
        "small · search\n"
        "  directory  searches/small/20261121-101502\n"
        "  pipeline   small.py::Small\n"
        "  tuner      Bayesian optimization · 12 trials · seed 0\n"
        "  objective  val_accuracy, the highest; of a trial its best epoch counts\n"
        "  ranges     model.dropout            0 to 0.5\n"
        "             optimizer.learning_rate  0.001 to 0.1 (logarithmic)\n"
        "\n"
    )


def test_the_header_says_what_was_asked_for(small: Path) -> None:
    asked = {"tuner": "grid", "budget": 5400.0, "workers": 2, "declared_first": True}
    asked |= {"median": True, "memory": 4_000_000_000, "sample": 200}
    asked |= {"objective": "val_loss", "direction": "min", "trials": None}
    search = made(small, trial("00", 0.5), words=("epochs=3",), root=Path(), **asked)
    lines = said(lambda t: header(search, t, 1)).splitlines()
    assert lines[2:6] == [
        "  pipeline   small.py::Small epochs=3",
        "  tuner      grid search · 1 trial, 1 done · at most 90m · 2 at a time · seed 0 · the "
        "declared values first · hopeless trials are stopped (median rule) · at most 4.0 GB of "
        "memory a trial",
        "  objective  val_loss, the lowest; of a trial its best epoch counts",
        "  data       generated in place of the declared data",
    ]


def test_a_range_inside_of_a_choice_says_when_it_counts(small: Path) -> None:
    search = made(small, root=Path())
    choice = (
        "optimizer=hp.Choice(Adam(0.001), values=(Adam(0.001), "
        "SGD(hp.Float(0.01, min=0.001, max=0.1))))"
    )
    search.space = space_of(load(str(small), [choice]).pipeline).to_json()
    lines = said(lambda t: header(search, t)).splitlines()
    assert lines[5:7] == [
        "  ranges     optimizer                     Adam, SGD",
        "             optimizer[SGD].learning_rate  0.001 to 0.1, where optimizer is SGD",
    ]


# A line for each trial


LINES = {
    "finished": (
        trial("03", 0.7134),
        "trial 03  val acc 0.7134 at epoch 4 of 5  0:40  learning_rate=0.01 dropout=0.25",
    ),
    "stopped": (
        trial("03", 0.25, state="stopped", seconds=61.0),
        "trial 03  val acc 0.2500 at epoch 4 of 5  stopped by the median rule  1:01  "
        "learning_rate=0.01 dropout=0.25",
    ),
    "failed": (
        trial("03", state="failed", kind="nan", reason=f"The loss\nis [red]NaN. {NAN}"),
        "trial 03  failed (nan)  learning_rate=0.01 dropout=0.25  The loss is [red]NaN.",
    ),
    "interrupted": (
        trial("03", state="interrupted", values={RATE: 0.00123456}),
        "trial 03  interrupted  0:40  learning_rate=0.001235",
    ),
}


@pytest.mark.parametrize("state", LINES)
def test_a_line_says_what_became_of_a_trial(small: Path, state: str) -> None:
    one, expected = LINES[state]
    assert plain(line("", one, made(small))) == expected


def test_names_are_as_short_as_they_are_clear() -> None:
    assert short_names(
        [
            "optimizer",
            "optimizer[SGD(0.1)].learning_rate",
            "optimizer[Adam].learning_rate",
            "optimizer[SGD(0.1)].momentum",
            "model.units.0",
            "batch_size",
        ]
    ) == {
        "optimizer": "optimizer",
        "optimizer[SGD(0.1)].learning_rate": "optimizer[SGD(0.1)].learning_rate",
        "optimizer[Adam].learning_rate": "optimizer[Adam].learning_rate",
        "optimizer[SGD(0.1)].momentum": "momentum",
        "model.units.0": "units.0",
        "batch_size": "batch_size",
    }


# The view


def test_piped_there_is_a_line_for_each_trial_that_has_ended(small: Path) -> None:
    search = made(small, trial("00", 0.5))

    def act(terminal: Terminal) -> None:
        with SearchView(terminal, search, 12) as view:
            for one in (trial("01", 0.25), trial("02", 0.75), trial("03", state="interrupted")):
                view.began(one)
                view.tick({one.id: "epoch 1 of 5, 3 of 9"})
                view.ended(one)
            view.note("A word.")

    values = "learning_rate=0.01 dropout=0.25"
    assert said(act).splitlines() == [
        f" 2/12  trial 01  val acc 0.2500 at epoch 4 of 5  0:40  {values}",
        f" 3/12  trial 02  val acc 0.7500 at epoch 4 of 5  0:40  {values}  the best so far",
        f" 3/12  trial 03  interrupted  0:40  {values}",
        "A word.",
    ]


def test_a_worker_that_is_stopped_does_not_say_that_all_is_done(small: Path) -> None:
    def act(terminal: Terminal) -> None:
        with pytest.raises(Interrupted), SearchView(terminal, made(small)):
            raise Interrupted("Stopped.")

    assert "no more trials" not in said(act)


def test_the_lines_that_change(small: Path) -> None:
    failed = trial("02", state="failed", kind="nan", reason=NAN, seconds=10.0)
    search = made(small, trial("00", 0.5), trial("01", 0.75, values={RATE: 0.02}), failed)
    clock = Clock()
    view = SearchView(Terminal(io.StringIO(), live=True), search, 12, now=clock)
    view.began(trial("03", values={DROPOUT: 0.125}))
    clock.now += 15.0
    view.began(trial("04"))
    # 30 seconds a trial so far: 15 and 30 of those that run, and 7 others.
    assert [plain(text) for text in view.lines({"04": "starting", "03": "epoch 2 of 5"})] == [
        "3 of 12 trials done · 2 running · 1 failed · about 2:08 left",
        "best  val acc 0.7500  trial 01  learning_rate=0.02",
        "trial 03  epoch 2 of 5  dropout=0.125",
        "trial 04  starting  learning_rate=0.01 dropout=0.25",
    ]


@pytest.mark.parametrize(("hard", "word"), [(False, "finished"), (True, "stopped")])
def test_a_budget_that_is_used_up_is_said(small: Path, hard: bool, word: str) -> None:
    search = made(small, trial("00", 0.5), budget=60.0, hard=hard)
    search.active_seconds = 60.0
    view = SearchView(Terminal(io.StringIO(), live=True), search, 12)
    assert plain(view.lines({"01": "epoch 1 of 5"})[0]) == (
        f"1 of 12 trials done · 1 running · the budget is used up: what runs is {word}"
    )


def test_on_a_terminal_they_are_drawn_below_what_has_ended_and_go_away(small: Path) -> None:
    search, clock = made(small), Clock()

    def act(terminal: Terminal) -> None:
        with SearchView(terminal, search, 12, now=clock) as view:
            view.began(trial("01"))
            view.tick({"01": "epoch 1 of 5, 3 of 9"})
            clock.now += 0.01
            view.tick({"01": "too soon to be drawn"})
            clock.now += 1.0
            view.tick({"01": "epoch 2 of 5, 6 of 9"})
            view.ended(trial("01", 0.25))
        terminal.say("over")

    text = said(act, live=True, width=60)
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "trial 01  epoch 1 of 5, 3 of 9  learning_rate=0.01 dropout=…" in re.split(
        "[\r\n]", drawn
    )
    assert [word in text for word in ("3 of 9", "too soon", "6 of 9")] == [True, False, True]
    assert text.endswith("over\n")
    assert text.rindex("\x1b[2K") < text.index("over")


def test_the_time_that_is_left(small: Path) -> None:
    clock = Clock()

    def left(*trials: Any, total: int = 12, epochs: int | None = None, **asked: Any) -> Any:
        search = made(small, *trials, **asked)
        search.active_seconds = 100.0
        view = SearchView(Terminal(io.StringIO()), search, total, epochs, now=clock)
        clock.now += 10.0
        return view.seconds_left()

    failed = trial("00", state="failed", reason=NAN, seconds=1.0)
    assert left() is None
    assert left(failed) is None, "what failed says little of those that do not"
    assert left(trial("00", 0.5)) == 11 * 40.0
    assert left(trial("00", 0.5), workers=4) == 11 * 40.0 / 4
    assert left(trial("00", 0.5), trial("01", 0.5), total=2) == 0.0
    assert left(budget=300.0) == 300.0 - 100.0 - 10.0
    assert left(trial("00", 0.5), budget=300.0) == 190.0
    assert left(trial("00", 0.5), total=3, budget=300.0) == 80.0
    assert left(budget=50.0) == 0.0
    # Two trials of 5 epochs and one that goes on from 5 to 15, of 40 in all: 6 seconds an epoch.
    rung = trial("02", 0.5, epochs=15, first_epoch=5)
    assert left(trial("00", 0.5), trial("01", 0.5), rung, total=9, epochs=40) == 20 * 6.0


def test_one_that_runs_longer_than_the_mean_is_about_to_end(small: Path) -> None:
    clock = Clock()
    search = made(small, trial("00", 0.5), workers=4)
    view = SearchView(Terminal(io.StringIO()), search, 2, now=clock)
    view.began(trial("01"))
    clock.now += 10.0
    assert view.seconds_left() == 30.0, "the other workers cannot help with the last trial"
    clock.now += 100.0
    assert view.seconds_left() == 0.0


def test_what_a_trial_took_before_it_was_stopped_counts(small: Path) -> None:
    clock = Clock()
    view = SearchView(Terminal(io.StringIO()), made(small, trial("00", 0.5)), 2, now=clock)
    view.began(trial("01", seconds=15.0))
    clock.now += 5.0
    assert view.seconds_left() == 20.0


# The end


def test_the_summary_has_the_best_five_why_others_failed_and_what_is_next(small: Path) -> None:
    values = [0.5, 0.75, 0.25, 0.625, 0.125, 0.375]
    trials = [trial(f"{n:02}", v, seconds=40.0 + n) for n, v in enumerate(values)]
    trials[0].state = "stopped"
    trials += [trial(f"{n:02}", state="failed", kind="nan", reason=NAN) for n in (6, 7)]
    trials.append(trial("08", state="failed", kind="memory", reason="The memory ran out."))
    search = made(small, *trials, root=Path("a b"), words=("epochs=3", "batch_size=8"))
    search.state, search.active_seconds = "finished", 3723.0
    text = said(lambda t: summary(search, t), width=200)
    assert text.partition("Next:")[0] == (
        "\n"
        "9 trials in 1:02:03: 5 finished, 1 stopped by the median rule, 3 failed\n"
        "\n"
        "trial  val acc  epoch  time  dropout  learning_rate\n"
        "01     0.7500   4      0:41  0.25     0.01\n"
        "03     0.6250   4      0:43  0.25     0.01\n"
        "00     0.5000   4      0:40  0.25     0.01\n"
        "05     0.3750   4      0:45  0.25     0.01\n"
        "02     0.2500   4      0:42  0.25     0.01\n"
        f"2 trials failed (nan): {NAN} (trial 06)\n"
        "1 trial failed (memory): The memory ran out. (trial 08)\n"
        "\n"
        f"best.json, table.csv and report.html are in a b/searches/{NAME}\n"
        "\n"
    )
    assert commands(text) == {
        f"tfpipe run small.py::Small batch_size=8 --best {NAME} --root 'a b'": "train fully with "
        "the best values",
        f"tfpipe tensorboard {NAME} --root 'a b'": "the curves and values of all trials",
        f"tfpipe search --resume {NAME} --trials 24 --root 'a b'": "more trials",
    }


def test_many_ranges_share_a_column(small: Path) -> None:
    text = ",".join(f"hp.Int({n}, min=1, max=99)" for n in range(4, 11))
    search = made(small, trial("00", 0.5, values={"model.units.0": 4, "model.units.1": 5}))
    search.space = space_of(load(str(small), [f"model=MLP(units=({text}))"]).pipeline).to_json()
    lines = said(lambda t: summary(search, t), width=200).splitlines()
    assert lines[3:5] == [
        "trial  val acc  epoch  time  values",
        "00     0.5000   4      0:40  units.0=4 units.1=5",
    ]


def test_what_the_budget_ended_goes_on_with_more_of_it(small: Path) -> None:
    search = made(small, trial("00", state="interrupted"), root=Path(), budget=5400.0)
    search.state, search.reason = "interrupted", "The budget of 90m is used up."
    search.active_seconds = 5401.0
    assert said(lambda t: summary(search, t)) == (
        "\n"
        "1 trial in 1:30:01: 1 interrupted\n"
        "The budget of 90m is used up.\n"
        "\n"
        "Next:\n"
        f"  tfpipe search --resume {NAME} --budget 3h  go on for as long again\n"
    )


def test_what_was_stopped_goes_on(small: Path) -> None:
    search = made(small, trial("00", state="interrupted"), root=Path(), budget=60.0)
    search.state = "interrupted"
    for tell in (summary, show_resume_command):
        assert commands(said(lambda t, tell=tell: tell(search, t))) == {
            f"tfpipe search --resume {NAME}": "go on from here"
        }


def test_a_run_that_several_trials_went_on_with_is_listed_once(small: Path) -> None:
    rungs = (trial("03", 0.75, run="00", first_epoch=1), trial("02", 0.5, run="01"))
    search = made(small, trial("00", 0.75, epochs=1), trial("01", 0.25), *rungs)
    lines = said(lambda t: summary(search, t)).splitlines()
    assert [text.split()[0] for text in lines[4:6]] == ["00", "02"]
    assert lines[6] == ""


def test_a_finished_grid_has_no_more_trials(small: Path) -> None:
    search = made(small, trial("00", 0.5), root=Path(), tuner="grid")
    search.state = "finished"
    assert list(commands(said(lambda t: summary(search, t)))) == [
        f"tfpipe run small.py::Small --best {NAME}",
        f"tfpipe tensorboard {NAME}",
    ]


def test_the_reason_that_ended_a_search_is_said_once(small: Path) -> None:
    search = made(small, trial("00", state="failed", kind="nan", reason=NAN))
    search.state, search.reason = "failed", f"All trials failed for one reason: {NAN}"
    text = said(lambda t: show(search, t))
    assert (
        f"{search.reason}\n1 trial failed (nan): The loss became NaN in epoch 1. (trial 00)\n"
        in (text)
    )


@pytest.mark.parametrize(("trials", "more"), [(3, 6), (5, 7), (7, None)])
def test_no_more_trials_are_suggested_than_there_are_settings(
    small: Path, trials: int, more: int | None
) -> None:
    search = made(small, trial("00", 0.5), root=Path(), trials=trials)
    search.state, search.space["size"] = "finished", 7
    found = [text for text in commands(said(lambda t: summary(search, t))) if "--resume" in text]
    assert found == ([f"tfpipe search --resume {NAME} --trials {more}"] if more else [])


def test_names_with_spaces_and_brackets_can_be_copied(small: Path) -> None:
    file = small.rename(small.parent / "a [b] c.py")
    search = made(file, trial("00", 0.5), root=Path())
    search.state = "interrupted"
    text = said(lambda t: summary(search, t))
    folder = "searches/a [b] c/20261121-101502"
    assert f"best.json, table.csv and report.html are in {folder}\n" in text
    assert list(commands(text)) == [
        "tfpipe run 'a [b] c.py::Small' --best 'a [b] c/20261121-101502'",
        "tfpipe tensorboard 'a [b] c/20261121-101502'",
        "tfpipe search --resume 'a [b] c/20261121-101502'",
    ]


def test_nothing_trained_is_an_error(small: Path) -> None:
    search = made(small, *(trial(n, state="failed", reason=NAN) for n in ("00", "01")))
    with pytest.raises(TrainingError) as error:
        summary(search, Terminal(io.StringIO()))
    assert str(error.value) == (f"Not one of the 2 trials was trained to its end. Trial 01: {NAN}")


def test_a_search_is_shown_as_its_directory_has_it(small: Path) -> None:
    search = made(small, trial("00", 0.5), trial("01"), root=Path())
    assert state_of(search) == "killed"
    with search.directory.lock():
        assert state_of(search) == "running"
        text = said(lambda t: show(search, t))
        assert "2 trials: 1 finished, 1 running\n" in text
        assert "--resume" not in text
    text = said(lambda t: show(search, t))
    lines = text.splitlines()
    assert lines[0] == f"{NAME} · search"
    assert lines[1:3] == ["  state      killed", f"  directory  searches/{NAME}"]
    assert "2 trials: 1 finished, 1 killed while it was running" in lines
    assert commands(text)[f"tfpipe search --resume {NAME}"] == "go on from here"
