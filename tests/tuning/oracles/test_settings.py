"""The settings of a Keras Tuner space, listed and counted."""

import pytest
from keras_tuner import HyperParameters

from tfpipe.tuning.oracles.settings import every, samples, settings


def test_candidates_are_of_their_type_in_order_and_without_twins():
    hp = HyperParameters()
    hp.Int("batch", 2, 32, step=2, sampling="log", default=8)
    hp.Int("units", 1, 1000, sampling="log", default=64)
    hp.Float("dropout", 0.0, 0.45, step=0.1, default=0.3)
    hp.Float("rate", 0.0, 1.0, default=0.5)
    hp.Boolean("norm", default=True)
    batch, units, dropout, rate, norm = hp.space
    assert samples(batch) == every(batch) == [8, 2, 4, 16, 32]
    assert all(type(value) is int for value in (*samples(batch), *samples(units)))
    assert samples(dropout) == pytest.approx([0.3, 0.0, 0.1, 0.2, 0.4])
    assert samples(rate) == pytest.approx([0.5, *(n / 100 for n in range(5, 100, 10))])
    assert samples(norm) == [True, False]
    assert samples(units)[0] == 64
    assert samples(units)[1:] == sorted(samples(units)[1:])
    assert every(rate) is None
    assert every(units) == [64, *(n for n in range(1, 1001) if n != 64)]


def test_settings_come_once_through_conditions_of_conditions():
    hp = HyperParameters()
    hp.Choice("a", ["x", "y"])
    with hp.conditional_scope("a", ["x"]):
        hp.Choice("b", [1, 2, 3])
        with hp.conditional_scope("b", [2, 3]):
            hp.Boolean("c")
    hp.Choice("d", ["p", "q"])
    listed = list(settings(hp.space, every))
    assert len(listed) == len({str(values) for values in listed}) == (1 + 2 * 2 + 1) * 2
    assert {"a": "y", "d": "q"} in listed
