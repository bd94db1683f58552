"""What a person sees, piped and on a terminal."""

import io
import os
import re
from types import SimpleNamespace

import pytest

from tfpipe.terminal import Silent, Terminal

MARKUP = "a [bold]list[/] of :smile: and [1, 2]"


def written(act, live=False, width=100):
    stream = io.StringIO()
    terminal = Terminal(stream, live=live, width=width)
    act(terminal)
    terminal.stop_live()
    return stream.getvalue()


def plain(text):
    """What is left to read when a terminal's colours and movements are taken away."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def row(epoch=1, **metrics):
    metrics = metrics or {"loss": 1.25, "val_accuracy": 0.5, "learning_rate": 1e-4}
    return SimpleNamespace(
        epoch=epoch,
        epochs=3,
        metrics=metrics,
        seconds=62.5,
        examples_per_second=12345.6,
        input_wait=0.0312,
    )


def test_piped_an_epoch_is_one_plain_line():
    assert written(lambda t: t.epoch(row())) == (
        "epoch 1/3 loss=1.25 val_accuracy=0.5 learning_rate=0.0001 seconds=62.5 "
        "examples_per_second=12346 input_wait=0.031\n"
    )


def test_piped_a_step_is_nothing():
    assert written(lambda t: t.step(1, 3, 5, 10, 100.0, 0.5)) == ""


def test_on_a_terminal_an_epoch_is_a_row_below_one_heading():
    def act(terminal):
        terminal.epoch(row())
        terminal.epoch(row(2))

    heading, first, second = plain(written(act, live=True)).splitlines()
    assert heading.split() == ["epoch", "loss", "val", "acc", "lr", "time", "examples/s", "wait"]
    assert first.split() == ["1/3", "1.2500", "0.5000", "1.00e-04", "1:02", "12,346", "3.1%"]
    assert len(first) == len(second) == len(heading)


def test_other_metrics_have_a_heading_of_their_own():
    def act(terminal):
        terminal.epoch(row(loss=1.0))
        terminal.epoch(row(2, loss=1.0, auc=0.5))

    assert len(plain(written(act, live=True)).splitlines()) == 4


def test_on_a_terminal_there_is_one_live_line():
    def act(terminal):
        terminal.step(1, 3, 10, 10, 1234.0, 0.5)

    text = plain(written(act, live=True))
    assert "epoch 1/3" in text
    assert "10/10  1,234 examples/s  loss 0.5000  0:00 left" in text


def test_a_live_line_is_not_drawn_for_every_step():
    def act(terminal):
        for step in range(1, 4):
            terminal.step(1, 3, step, 1000, 1234.0, 0.5)

    def end(terminal):  # of short epochs
        for epoch in range(1, 4):
            terminal.step(epoch, 3, 10, 10, 1234.0, 0.5)

    assert plain(written(act, live=True)).count("3/1000") == 0
    assert "epoch 3/3" not in plain(written(end, live=True))


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    "act",
    [
        lambda t: t.header(MARKUP, {"name": MARKUP}),
        lambda t: t.note(MARKUP),
        lambda t: t.commands([(MARKUP, MARKUP)]),
        lambda t: t.table(["name"], [[MARKUP]]),
    ],
)
def test_a_persons_text_is_written_as_it_is(act, live):
    assert MARKUP in plain(written(act, live=live))


def test_a_header_has_a_fact_a_line():
    assert written(lambda t: t.header("job", {"data": "x", "model": "y"})) == (
        "job\n  data   x\n  model  y\n"
    )


def test_piped_lines_are_never_broken():
    long = "word " * 100
    assert written(lambda t: t.note(long)).count("\n") == 1
    assert written(lambda t: t.table(["a", "b"], [[long, "end"]])).count("\n") == 2


def test_a_piped_table_has_columns_and_no_trailing_spaces():
    text = written(lambda t: t.table(["name", "n"], [["a", "1"], ["longer", "200"]]))
    assert text == "name    n\na       1\nlonger  200\n"


def test_a_table_without_rows_is_its_heading():
    assert written(lambda t: t.table(["name", "n"], [])) == "name  n\n"


def test_results_and_commands():
    def act(terminal):
        terminal.results("test", {"loss": 0.51234, "val_loss": 2})
        terminal.commands([("tfpipe run x", "again"), ("ls", "look")])

    assert written(act) == (
        "test  loss 0.5123  val loss 2.0000\nNext:\n  tfpipe run x  again\n  ls            look\n"
    )


def test_piped_there_are_no_colours():
    assert "\x1b" not in written(lambda t: t.header("job", {"a": "b"}))
    assert "\x1b" in written(lambda t: t.header("job", {"a": "b"}), live=True)


def test_waiting_says_nothing_when_it_is_over():
    def act(terminal):
        with terminal.waiting("starting"):
            pass

    assert written(act) == ""


def test_counting_is_a_live_line_that_goes_away(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("tfpipe.terminal.time", SimpleNamespace(monotonic=lambda: next(clock)))

    def count(terminal):
        with terminal.counting("rows") as show:
            show(1500, 0)
            show(3000, 2)

    assert written(count) == ""
    live = written(count, live=True)
    assert "1,500 rows" in live
    assert "3,000 rows  1,500 rows/s" in plain(live)
    assert "2 failed" in plain(live)


def test_silent_says_nothing(capsys):
    terminal = Silent()
    terminal.header("job", {"a": "b"})
    terminal.epoch(row())
    terminal.note("careful")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.0000"),
        (0.12345, "0.1235"),
        (-2.5, "-2.5000"),
        (0.0001, "1.00e-04"),
        (123456.0, "1.23e+05"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_in_a_row(value, shown):
    text = plain(written(lambda t: t.epoch(row(loss=value)), live=True))
    assert text.splitlines()[1].split()[1] == shown


def test_a_run_goes_on_when_nobody_reads_any_more() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        terminal = Terminal(stream)
        for _ in range(3):
            terminal.say("x" * 1_000_000)
    assert terminal.console.quiet
