"""Calls and names that are deferred: equal, frozen, printed, copied."""

import copy
import pickle

import pytest

from tfpipe import deferred, hp, keras
from tfpipe.errors import ConfigError


def test_positional_arguments_get_their_names():
    assert keras.optimizers.SGD(0.01, 0.9) == keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)


def test_positional_arguments_without_a_known_name_stay():
    call = deferred("nowhere").Thing(1, two=2)
    assert repr(call) == "nowhere.Thing(1, two=2)"
    assert call.replace(**{"0": 3}) == deferred("nowhere").Thing(3, two=2)


def test_an_argument_given_twice_is_refused():
    with pytest.raises(ConfigError) as error:
        keras.optimizers.SGD(0.01, learning_rate=0.02)
    assert str(error.value) == (
        "keras.optimizers.SGD got 'learning_rate' twice: by position and by name."
    )


def test_repr_is_the_declaration():
    call = keras.optimizers.AdamW(
        learning_rate=keras.optimizers.schedules.CosineDecay(0.001, decay_steps=1000),
        weight_decay=hp.Float(1e-4, min=1e-6, max=1e-2, log=True),
    )
    assert repr(call) == (
        "keras.optimizers.AdamW(learning_rate=keras.optimizers.schedules.CosineDecay("
        "initial_learning_rate=0.001, decay_steps=1000), "
        "weight_decay=hp.Float(0.0001, min=1e-06, max=0.01, log=True))"
    )
    assert eval(repr(call), {"keras": keras, "hp": hp}) == call


def test_equal_calls_have_equal_hashes_whatever_their_order():
    first = keras.losses.Huber(delta=1, name="x")
    second = keras.losses.Huber(name="x", delta=1.0)
    assert first == second
    assert hash(first) == hash(second)
    assert first != keras.losses.Huber(delta=2, name="x")


def test_calls_and_names_are_frozen():
    call = keras.optimizers.SGD(0.01)
    with pytest.raises(ConfigError) as error:
        call.momentum = 0.9
    assert str(error.value) == ("keras.optimizers.SGD(...) is frozen: use replace(momentum=...).")
    with pytest.raises(TypeError):
        call.kwargs["momentum"] = 0.9
    with pytest.raises(ConfigError, match=r"^keras.optimizers is deferred: its attributes cannot"):
        keras.optimizers.SGD = 3


def test_replace_sets_arguments_on_a_copy():
    call = keras.optimizers.SGD(0.01)
    assert call.replace(momentum=0.9) == keras.optimizers.SGD(0.01, momentum=0.9)
    assert call == keras.optimizers.SGD(0.01)


def test_calls_and_names_can_be_copied_and_pickled():
    call = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
    assert copy.deepcopy(call) == call
    assert pickle.loads(pickle.dumps(call)) == call
    assert pickle.loads(pickle.dumps(keras.losses.Huber)) == keras.losses.Huber
