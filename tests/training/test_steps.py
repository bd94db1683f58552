"""The step functions: several steps in one call, and the measured wait for input."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.models import MLP
from tfpipe.training.requests import Requests
from tfpipe.training.steps import InputWait, set_functions


def points() -> Any:
    x = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


class Points(Pipeline):
    """Seven steps an epoch, the last one smaller."""

    data = Arrays(points, validation=20 / 70, test=None)
    model = MLP(units=(4,), dropout=0.2, batch_norm=True)
    batch_size = 8
    epochs = 2


def run(pipeline: Pipeline, root: Path) -> Any:
    return tfpipe.run(pipeline, root=root, export=False, quiet=True)


def waits(directory: Path) -> list[str]:
    with (directory / "metrics.csv").open(newline="") as file:
        return [row["input_wait"] for row in csv.DictReader(file)]


def compiled(**words: Any) -> Any:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **words)
    return model


def dataset(batches: int) -> Any:
    x = np.ones((batches * 2, 4), "float32")
    return tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(2)


def alone() -> Requests:
    return Requests(lambda: False)


# Waiting


class Clock:
    """Shows the time that it is given."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_only_the_wait_for_batches_is_added_up() -> None:
    clock = Clock()

    def batches() -> Iterator[int]:
        for seconds in (0.5, 0.25, 0.0, 2.0):
            clock.now += seconds
            yield int(seconds * 4)

    wait, iterator = InputWait(clock), batches()
    assert wait.take() is None
    assert wait.next(iterator) == 2
    clock.now += 7.0  # a training step
    assert wait.next(iterator) == 1
    assert wait.take() == 0.75
    assert wait.next(iterator) == 0
    assert wait.take() == 0.0
    clock.now += 7.0
    assert wait.next(iterator) == 8
    assert wait.take() == 2.0
    assert wait.take() is None


def test_the_end_of_the_data_is_passed_on() -> None:
    with pytest.raises(StopIteration):
        InputWait().next(iter(()))


def test_a_slow_input_has_a_larger_share_than_a_quick_one(tmp_path: Path) -> None:
    def slow(x: Any, y: Any) -> Any:
        time.sleep(0.05)
        return x, y

    class Slow(Points):
        def input_fn(self, split: str) -> Any:  # type: ignore[override]
            quick = super().input_fn(split)
            if split != "train":
                return quick
            types = [s.dtype for s in quick.element_spec]

            def map_slowly(x: Any, y: Any) -> Any:
                a, b = tf.numpy_function(slow, [x, y], types)
                return tf.ensure_shape(a, x.shape), tf.ensure_shape(b, y.shape)

            return quick.map(map_slowly)

    slowly, quickly = (
        float(waits(run(pipeline, tmp_path).directory)[-1])
        for pipeline in (Slow(), Points(steps_per_execution=1))
    )
    assert 0.0 <= quickly < slowly <= 1.0


# Models of one's own


def test_a_model_that_makes_its_own_training_function_is_left_alone(tmp_path: Path) -> None:
    made = []

    class Special(keras.Model):
        def make_train_function(self, force: bool = False) -> Any:
            made.append(force)
            return super().make_train_function(force)

    class Own(Points):
        model = None

        def build_model(self) -> Any:
            inputs = keras.Input((4,))
            return Special(inputs, keras.layers.Dense(1)(inputs))

    result = run(Own(epochs=1), tmp_path)
    assert made
    assert waits(result.directory) == [""]
    model = Own().build_model()
    model.compile("sgd", "mse")
    assert set_functions(model, InputWait(), alone()) is None
    assert model.train_function is None


def test_an_eager_model_is_left_alone() -> None:
    model = compiled(run_eagerly=True)
    assert set_functions(model, InputWait(), alone()) is None
    assert model.train_function is None


# Several steps in one call


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run with one step in a call."""
    return run(Points(), tmp_path_factory.mktemp("one"))


@pytest.mark.parametrize("steps", [5, 20])
def test_several_steps_in_one_call_are_the_same_steps(tmp_path: Path, one: Any, steps: int) -> None:
    several = run(Points(steps_per_execution=steps), tmp_path)
    assert several.history == one.history
    for a, b in zip(several.model.variables, one.model.variables, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()
    assert int(several.model.optimizer.iterations) == 14


@pytest.mark.parametrize(("batches", "calls"), [(6, [3, 3]), (7, [3, 3, 1]), (2, [2])])
def test_a_call_takes_as_many_steps_as_are_left(batches: int, calls: list[int]) -> None:
    model = compiled(steps_per_execution=3)
    assert set_functions(model, InputWait(), alone())
    iterator, done = iter(dataset(batches)), []
    for expected in calls:
        before = int(model.optimizer.iterations)
        logs = model.train_function(iterator)
        done.append(int(model.optimizer.iterations) - before)
        assert expected == done[-1]
        assert set(logs) == {"loss"}
    with pytest.raises(StopIteration):
        model.train_function(iterator)


def test_every_batch_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model, waited = compiled(steps_per_execution=4), []

    class Counted(InputWait):
        def next(self, iterator: Any) -> Any:
            waited.append(1)
            return super().next(iterator)

    set_functions(model, Counted(), alone())
    model.fit(dataset(6), shuffle=False, verbose=0)
    assert len(waited) == 4 + 2 + 1  # the end of the data is found by asking for more


def test_steps_are_those_of_plain_keras() -> None:
    keras.utils.set_random_seed(0)
    plain, ours = compiled(), compiled()
    ours.set_weights(plain.get_weights())
    set_functions(ours, InputWait(), alone())
    first, second = (
        model.fit(dataset(5), epochs=2, shuffle=False, verbose=0).history for model in (plain, ours)
    )
    assert first == second
    for a, b in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
