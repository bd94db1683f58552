"""Forecasts that need no model, and the scaled error, worked by hand."""

import math

import numpy as np
import pytest

from tfpipe.evaluation.scores.forecasts import naive_forecasts

SERIES = np.float32([1, 5, 2, 6, 3, 7, 4, 9])


def test_the_last_value_and_the_one_a_period_before() -> None:
    found = naive_forecasts(SERIES, np.array([4, 5]), ahead=3, trained=6, period=2)
    assert found.by_name["the last value"].tolist() == [[6, 6, 6], [3, 3, 3]]
    assert found.by_name["the value 2 before"].tolist() == [[2, 6, 2], [6, 3, 6]]
    # In training each value is one more than that two before.
    assert found.scale == 1.0
    errors = found.errors(np.float32([[3, 7, 4], [7, 4, 9]]))
    assert errors == {"the last value": [3.5, 1.0, 4.0], "the value 2 before": [1.0, 1.0, 2.5]}
    assert found.mase(1.5) == 1.5


def test_without_a_period() -> None:
    found = naive_forecasts(SERIES, np.array([6]), ahead=1, trained=4)
    assert list(found.by_name) == ["the last value"]
    assert found.scale == pytest.approx((4 + 3 + 4) / 3)
    assert found.mase(11.0) == pytest.approx(3.0)


def test_what_is_not_known() -> None:
    first = naive_forecasts(SERIES, np.array([2, 4]), ahead=2, trained=8, period=3)
    assert first.by_name["the value 3 before"].tolist()[1] == [5, 2]
    assert math.isnan(first.by_name["the value 3 before"][0, 0])
    assert first.errors(np.float32([[2, 6], [3, 7]]))["the value 3 before"] == [2.0, 5.0]
    still = naive_forecasts(np.ones(8), np.array([6]), ahead=1, trained=6)
    assert math.isnan(still.mase(0.5))
