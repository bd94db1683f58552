"""LookaheadSGD: the average, the rates of some weights, and that all of it is saved."""

from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.errors import ConfigError
from tfpipe.optimizers import LookaheadSGD, Triangular


def steps(optimizer: keras.optimizers.Optimizer, count: int, path: str = "w") -> np.ndarray:
    """Weights that begin at 1, after some steps with gradients 1, 2, 3..."""
    weights = keras.Variable([1.0, 1.0], name=path)
    for step in range(count):
        optimizer.apply([np.float32([step + 1, 1])], [weights])
    return np.array(weights)


def test_without_an_average_it_is_sgd() -> None:
    options: Any = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
    np.testing.assert_array_equal(
        steps(LookaheadSGD(0.1, every=0, **options), 6),
        steps(keras.optimizers.SGD(0.1, **options), 6),
    )


def test_every_few_steps_the_weights_return_to_their_slow_average() -> None:
    optimizer = LookaheadSGD(0.1, every=2, keep=0.8, total_steps=6)
    plain = [steps(keras.optimizers.SGD(0.1), count) for count in range(7)]
    slow = plain[2]  # the first average is the weights themselves
    np.testing.assert_allclose(steps(LookaheadSGD(0.1, every=2, total_steps=6), 3), plain[3])
    for count in (4, 6):
        kept = 0.8 * (count / 6) ** 3
        fast = slow + plain[count] - plain[count - 2]
        slow = kept * slow + (1 - kept) * fast
    np.testing.assert_allclose(steps(optimizer, 6), slow, rtol=1e-5)


def test_the_last_step_ends_at_the_average() -> None:
    optimizer = LookaheadSGD(0.1, every=5, keep=0.5, total_steps=7)
    final = steps(optimizer, 7)
    np.testing.assert_array_equal(final, optimizer.variables[-1])


def test_rates_multiply_the_steps_of_weights_by_their_paths_but_not_their_decay() -> None:
    few: Any = {"every": 0, "weight_decay": 0.1}
    twice = steps(LookaheadSGD(0.1, rates={"*beta": 2.0}, **few), 1, "beta")
    np.testing.assert_allclose(twice, 1 - 0.1 * 0.1 - 2 * 0.1, rtol=1e-6)
    once = LookaheadSGD(0.1, rates={"kernel": 3.0, "*beta": 2.0}, **few)
    kernel, beta = (keras.Variable([1.0], name=name) for name in ("kernel", "beta"))
    once.apply([np.float32([1]), np.float32([1])], [kernel, beta])
    np.testing.assert_allclose([kernel[0], beta[0]], [1 - 0.01 - 0.3, 1 - 0.01 - 0.2], rtol=1e-6)


def test_keras_saves_it() -> None:
    optimizer = LookaheadSGD(
        Triangular(1.0, total_steps=9), momentum=0.5, rates={"*beta": 2.0}, total_steps=9
    )
    again = LookaheadSGD.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()


def test_what_is_refused() -> None:
    for wrong in ({"every": -1}, {"total_steps": 0}, {"rates": {"w": "x"}}, {"keep": 1.0}):
        with pytest.raises(ValueError, match="should be"):
            LookaheadSGD(0.1, **wrong)
    with pytest.raises(
        ConfigError, match=r"rates has the pattern '\*gamma', which fits no weight; "
    ):
        steps(LookaheadSGD(0.1, rates={"*gamma": 2.0}), 1)
    with pytest.raises(
        ValueError, match=r"^LookaheadSGD needs total_steps outside of a pipeline\.$"
    ):
        steps(LookaheadSGD(0.1), 1)
