"""The exceptions, and the sentences that suggest what was meant."""

import doctest
import inspect

import pytest

from tfpipe import errors
from tfpipe.errors import TfpipeError, suggest

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, TfpipeError)
}


def test_the_drawing_at_the_top_is_the_hierarchy():
    drawn = {
        line.strip(" ├└─").split()[0]: line.split("(")[-1].split(")")[0]
        for line in (errors.__doc__ or "").splitlines()
        if "──" in line
    }
    assert drawn == {
        name: cls.__bases__[1].__name__ for name, cls in CLASSES.items() if cls is not TfpipeError
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [(n, {"CheckFailed": 3, "Interrupted": 130}.get(n, 2)) for n in CLASSES],
)
def test_exit_codes(name, code):
    assert CLASSES[name].exit_code == code


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("epoch", ["epochs", "seed"], "Did you mean 'epochs'?"),
        ("EPOCHS", ["epochs", "seed"], "Did you mean 'epochs'?"),
        ("adam", ["Adam", "Adamax", "SGD"], "Did you mean 'Adam' or 'Adamax'?"),
        ("Hubr", ["Huber", "huber"], "Did you mean 'Huber'?"),
        ("x", ["one", "two"], "There is: one, two."),
        ("x", ["one"], "There is: one."),
        ("x", [], ""),
    ],
)
def test_a_suggestion_names_what_was_meant_or_what_there_is(name, known, sentence):
    assert suggest(name, known) == sentence


def test_a_long_list_is_cut():
    assert suggest("x", ["a1", "b2", "c3", "d4"], most=2) == "There is: a1, b2 and 2 more."


def test_the_examples_are_right():
    assert doctest.testmod(errors).failed == 0
