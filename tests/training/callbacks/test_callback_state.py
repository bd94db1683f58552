"""The state of callbacks from one epoch to the next."""

import json
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.training.callbacks.callback_state import get_states, set_states

X = np.arange(8, dtype="float32").reshape(4, 2)
Y = np.array([0.0, 1.0, 0.0, 1.0], "float32")


@pytest.fixture
def model() -> Any:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def began(callback: Any, model: Any) -> Any:
    callback.set_model(model)
    callback.on_train_begin()
    return callback


def passed_on(callbacks: list[Any], successors: list[Any]) -> dict[str, Any]:
    """Give one list's state to another, through JSON as a saved state does."""
    states, arrays = get_states(callbacks)
    values = json.loads(json.dumps(states))
    set_states(successors, values, arrays)
    return values


def early(**words: Any) -> Any:
    return keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=3, min_delta=0.1, restore_best_weights=True, **words
    )


def plateau(**words: Any) -> Any:
    arguments = {"monitor": "val_loss", "patience": 2, "cooldown": 3, "min_delta": 0.1}
    return keras.callbacks.ReduceLROnPlateau(**{**arguments, **words})


def test_early_stopping_goes_on_waiting(model: Any) -> None:
    straight = began(early(), model)
    for epoch, loss in enumerate((1.0, 0.5, 0.6)):
        model.set_weights([np.full((2, 1), float(epoch)), np.zeros(1)])
        straight.on_epoch_end(epoch, {"val_loss": loss})
    resumed = began(early(), model)
    values = passed_on([straight], [resumed])
    assert values["EarlyStopping"] == {
        "best": 0.5,
        "best_epoch": 1,
        "wait": 1,
        "stopped_epoch": 0,
        "best_weights": 2,
    }
    for a, b in zip(straight.best_weights, resumed.best_weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for epoch, loss in enumerate((0.7, 0.45), start=3):  # 0.45 is no better by min_delta
        for callback in (straight, resumed):
            model.stop_training = False
            callback.on_epoch_end(epoch, {"val_loss": loss})
            assert model.stop_training is (epoch == 4)
    for callback in (straight, resumed):
        model.set_weights([np.full((2, 1), 9.0), np.zeros(1)])
        callback.on_train_end()
        np.testing.assert_array_equal(model.get_weights()[0], np.ones((2, 1)))
    assert get_states([straight])[0] == get_states([resumed])[0]


def test_a_change_that_is_least_is_not_turned_again(model: Any) -> None:
    """Keras gives `min_delta` a sign when it first compares."""
    straight, resumed = began(early(), model), began(early(), model)
    straight.on_epoch_end(0, {"val_loss": 1.0})
    assert straight.min_delta == -0.1
    values = passed_on([straight], [resumed])
    assert "min_delta" not in values["EarlyStopping"]
    assert resumed.min_delta == 0.1
    resumed.on_epoch_end(1, {"val_loss": 0.95})
    assert resumed.min_delta == -0.1
    assert resumed.wait == 1


def test_the_learning_rate_falls_when_it_would_have(model: Any) -> None:
    losses = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    for cut in range(1, len(losses)):
        rates = []
        for interrupted in (False, True):
            model.optimizer.learning_rate = 0.5
            callback, seen = began(plateau(), model), []
            for epoch, loss in enumerate(losses):
                if interrupted and epoch == cut:
                    successor = began(plateau(), model)
                    passed_on([callback], [successor])
                    callback = successor
                callback.on_epoch_end(epoch, {"val_loss": loss})
                seen.append(float(model.optimizer.learning_rate.numpy()))
            rates.append(seen)
        assert rates[0] == rates[1]
        assert len(set(rates[0])) == 3


def test_what_a_plateau_remembers(model: Any) -> None:
    callback = began(plateau(), model)
    for epoch in range(4):
        callback.on_epoch_end(epoch, {"val_loss": 1.0})
    values, arrays = get_states([callback])
    assert values == {"ReduceLROnPlateau": {"best": 1.0, "wait": 0, "cooldown_counter": 2}}
    assert arrays == {}


def test_two_of_one_class_are_kept_apart(model: Any) -> None:
    first, second = began(plateau(), model), began(plateau(monitor="loss"), model)
    first.best, second.best = 0.25, 0.75
    pair = [began(plateau(), model), began(plateau(monitor="loss"), model)]
    values = passed_on([first, second], pair)
    assert set(values) == {"ReduceLROnPlateau", "ReduceLROnPlateau 2"}
    assert [c.best for c in pair] == [0.25, 0.75]


def test_the_weights_of_two_of_one_class_are_kept_apart(model: Any) -> None:
    pair = [began(early(), model), began(early(), model)]
    for number, callback in enumerate(pair):
        callback.best_weights = [np.full((2, 1), float(number)), np.full(1, float(number))]
    others = [began(early(), model), began(early(), model)]
    passed_on(pair, others)
    assert [c.best_weights[1].tolist() for c in others] == [[0.0], [1.0]]


def test_a_callback_that_only_logs_may_come_or_go(model: Any) -> None:
    stopping = began(early(), model)
    stopping.wait = 2
    successor = began(early(), model)
    passed_on([keras.callbacks.Callback(), stopping], [successor])
    assert successor.wait == 2
    passed_on([successor], [keras.callbacks.Callback(), began(early(), model)])


class Counting(keras.callbacks.Callback):
    """Remembers something that no list of names has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.hidden = 0

    def get_state(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def set_state(self, held: dict[str, Any]) -> None:
        self.seen = held["seen"]


def test_a_callback_of_ones_own_says_what_it_remembers() -> None:
    before, after = Counting(), Counting()
    before.seen, before.hidden = [1, 2], 3
    assert passed_on([before], [after]) == {"Counting": {"own": {"seen": [1, 2]}}}
    assert (after.seen, after.hidden) == ([1, 2], 0)


def test_an_empty_state_of_ones_own_is_given_back_too() -> None:
    class Strict(Counting):
        def get_state(self) -> dict[str, Any]:
            return {}

        def set_state(self, held: dict[str, Any]) -> None:
            self.seen = [len(held)]

    successor = Strict()
    passed_on([Strict()], [successor])
    assert successor.seen == [0]


def test_a_callback_that_was_not_there_keeps_what_it_has(model: Any) -> None:
    fresh = began(early(), model)
    fresh.wait = 1
    set_states([fresh], {}, {})
    assert fresh.wait == 1


def test_numbers_of_numpy_and_tensors_become_plain(model: Any) -> None:
    callback = began(plateau(), model)
    callback.best = np.float32(0.5)
    callback.wait = np.int64(2)
    values, _ = get_states([callback])
    assert json.loads(json.dumps(values))["ReduceLROnPlateau"]["best"] == 0.5
    callback.best = np.inf
    assert passed_on([callback], [callback])["ReduceLROnPlateau"]["best"] == np.inf
