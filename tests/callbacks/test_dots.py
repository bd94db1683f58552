"""Dots: what is printed, line by line."""

from io import StringIO

import pytest

from callbacks.dots import Dots


def printed(epochs: range, every: int) -> str:
    stream = StringIO()
    callback = Dots(every, stream)
    callback.on_train_begin()
    for epoch in epochs:
        callback.on_epoch_end(epoch, {"loss": 1 / (epoch + 1), "val_loss": 0.5})
    callback.on_train_end()
    return stream.getvalue()


def test_a_dot_an_epoch_and_a_line_every_few_and_at_the_end() -> None:
    assert printed(range(7), 3).splitlines() == [
        "...",
        "epoch 3  loss 0.3333  val_loss 0.5",
        "...",
        "epoch 6  loss 0.1667  val_loss 0.5",
        ".",
        "epoch 7  loss 0.1429  val_loss 0.5",
    ]


def test_the_last_epoch_is_told_once() -> None:
    assert printed(range(2), 2) == "..\nepoch 2  loss 0.5  val_loss 0.5\n"


def test_a_resumed_run_goes_on_counting() -> None:
    assert printed(range(4, 6), 5) == (
        ".\nepoch 5  loss 0.2  val_loss 0.5\n.\nepoch 6  loss 0.1667  val_loss 0.5\n"
    )


def test_no_epochs_print_nothing() -> None:
    assert printed(range(0), 5) == ""


def test_long_lines_of_dots_are_broken() -> None:
    assert printed(range(250), 250).splitlines() == [
        "." * 100,
        "." * 100,
        "." * 50,
        "epoch 250  loss 0.004  val_loss 0.5",
    ]
    assert printed(range(200), 200).splitlines()[:2] == ["." * 100, "." * 100]


def test_it_prints_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    callback = Dots(every=1)
    callback.on_epoch_end(999)
    assert capsys.readouterr().out == ".\nepoch 1,000\n"


def test_tfpipe_leaves_out_its_own_rows() -> None:
    assert Dots.replaces_rows is True


def test_every_is_at_least_1() -> None:
    with pytest.raises(ValueError, match=r"^Dots: every is a number of epochs, not 0$"):
        Dots(every=0)
