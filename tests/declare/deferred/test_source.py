"""Names and parameters read from source."""

import subprocess
import sys

import pytest

from tfpipe.declare.deferred.source import (
    argument_default,
    argument_names,
    parameter_names,
    public_names,
)

MODULE = """
class Both:
    def __init__(self, first, /, second, *rest, third=3):
        pass

class Open:
    def __init__(self, first, **others):
        pass

class Bare:
    pass

def function(a, b=1):
    pass
"""


def test_keras_modules_have_their_public_names():
    names = public_names("keras.optimizers")
    assert names is not None
    assert {"SGD", "Adam", "schedules"} <= names
    assert "CosineDecay" in (public_names("keras.optimizers.schedules") or ())


@pytest.mark.parametrize("module", ["keras.nowhere", "nowhere", "json"])
def test_other_modules_are_not_known(module):
    assert public_names(module) is None


def test_parameters_of_keras_classes_in_order():
    names = parameter_names("keras.optimizers.SGD")
    assert names is not None
    assert names[:3] == ("learning_rate", "momentum", "nesterov")


def test_arguments_that_keras_passes_on_are_taken():
    names = argument_names("keras.layers.Dense")
    assert names is not None
    assert {"units", "name", "dtype"} <= names


@pytest.mark.parametrize(
    ("name", "by_position", "by_name"),
    [
        ("Both", ("first", "second"), {"second", "third"}),
        ("Open", ("first",), None),
        ("Bare", None, None),
        ("function", ("a", "b"), {"a", "b"}),
        ("nothing", None, None),
    ],
)
def test_parameters_of_ones_own_module(project, name, by_position, by_name):
    sys.path.insert(0, str(project({"mine/things.py": MODULE})))
    for _ in range(2):
        assert parameter_names(f"mine.things.{name}") == by_position
        assert argument_names(f"mine.things.{name}") == by_name


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("keras.optimizers.SGD", "learning_rate", 0.01),
        ("keras.optimizers.SGD", "momentum", 0.0),
        ("keras.optimizers.SGD", "clipnorm", None),
        ("keras.callbacks.EarlyStopping", "patience", 0),
        ("keras.callbacks.EarlyStopping", "monitor", "val_loss"),
        ("keras.optimizers.SGD", "no_such", None),
        ("keras.layers.Dense", "units", None),
        ("no.such.Thing", "x", None),
    ],
)
def test_what_an_argument_is_when_it_is_not_given(path, name, value):
    found = argument_default(path, name)
    assert (found, type(found)) == (value, type(value))


def test_defaults_of_ones_own_module(project):
    source = "def f(a, b=-1, *, c, d=(1, 'x'), e=len):\n    pass\n"
    sys.path.insert(0, str(project({"mine/own.py": source})))
    found = {name: argument_default("mine.own.f", name) for name in "abcdef"}
    assert found == {"a": None, "b": -1, "c": None, "d": (1, "x"), "e": None, "f": None}


def test_reading_imports_nothing():
    code = (
        "import sys; from tfpipe.declare.deferred.source import parameter_names, public_names; "
        "assert parameter_names('keras.callbacks.EarlyStopping'); "
        "assert public_names('keras.losses'); "
        "print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
