"""What is deferred, built with the real Keras."""

import sys

import pytest

from tfpipe import hp, keras
from tfpipe.declare.deferred import build
from tfpipe.declare.deferred.build import find
from tfpipe.errors import ConfigError


def test_building_makes_the_real_object_with_what_is_nested_in_it():
    call = keras.optimizers.SGD(
        learning_rate=keras.optimizers.schedules.CosineDecay(
            hp.Float(0.1, min=0.01, max=1), decay_steps=10
        ),
        momentum=0.9,
    )
    built = build(call)
    import keras as real

    assert isinstance(built, real.optimizers.SGD)
    assert built.momentum == 0.9
    assert float(built.learning_rate) == pytest.approx(0.1)


def test_tuples_are_built_as_lists():
    assert build((1, hp.Int(2, min=1, max=3), {"a": (3,)})) == [1, 2, {"a": [3]}]


def test_a_name_is_built_as_the_thing_itself():
    import keras as real

    assert build(keras.losses.Huber) is real.losses.Huber


def test_what_keras_refuses_is_an_error_of_the_declaration():
    with pytest.raises(ConfigError, match=r"^keras.layers.Dense\(units=-1\) cannot be made: "):
        build(keras.layers.Dense(-1))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import keras\nimport nosuch\n", "2: ModuleNotFoundError: No module named 'nosuch'."),
        ("def f():\n    1 / 0\n\nf()\n", "2: ZeroDivisionError: division by zero."),
    ],
)
def test_a_module_that_does_not_import_is_said_with_file_and_line(project, source, said):
    folder = project({"callbacks/broken.py": source})
    sys.path.insert(0, str(folder))
    with pytest.raises(ConfigError) as error:
        find("callbacks.broken.Thing")
    file = folder / "callbacks" / "broken.py"
    assert str(error.value) == f"callbacks.broken.Thing does not import: {file}:{said}"
