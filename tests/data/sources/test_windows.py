"""Windows: what they hold, how they are divided, and which series are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfpipe.data import Arrays, Generated, Windows
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, DataError


def counting(size: int) -> Callable[[], np.ndarray]:
    return lambda: np.arange(size, dtype=np.float64)


def windows(source: Windows, split: str = "train") -> tuple[list[Any], list[Any]]:
    size = source.spec().splits[split]
    [(x, y)] = source.input_fn(split, batch_size=size).as_numpy_iterator()
    return x.tolist(), y.tolist()


def refused(source: Windows) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


def test_1000_points_give_996_windows_of_4_of_which_600_train() -> None:
    source = Windows(Generated("sine"), past=4, validation=None, test=396)
    past = Feature("past", (4,), "float32", "vector")
    assert source.spec() == ElementSpec(
        (past,), (Label("next", "real"),), {"train": 600, "test": 396}
    )
    x, y = windows(source)
    series = Generated("sine", validation=None)
    [(_, values)] = series.input_fn("train", batch_size=1000).as_numpy_iterator()
    assert x[0] == values[:4].tolist()
    assert y == values[4:604].tolist()
    assert windows(source, "test")[1] == values[604:].tolist()


def test_windows_of_a_function() -> None:
    source = Windows(counting(7), past=3, validation=None)
    assert windows(source) == (
        [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]],
        [3, 4, 5, 6],
    )


def test_several_values_ahead_are_a_vector() -> None:
    source = Windows(counting(7), past=3, ahead=2, validation=None)
    assert source.element()[1] == Label("next", "real", (2,))
    assert windows(source) == ([[0, 1, 2], [1, 2, 3], [2, 3, 4]], [[3, 4], [4, 5], [5, 6]])


@pytest.mark.parametrize(
    ("held", "sizes"),
    [
        ({"validation": 20, "test": 30}, {"train": 46, "validation": 20, "test": 30}),
        ({"validation": 0.25, "test": 0.25}, {"train": 54, "validation": 18, "test": 24}),
        ({"validation": 0.25}, {"train": 72, "validation": 24}),
        ({"validation": None}, {"train": 96}),
    ],
)
def test_the_last_windows_are_held_out_whatever_the_seed(
    held: dict[str, Any], sizes: dict[str, int]
) -> None:
    source = Windows(counting(100), past=4, **held)
    for seed in (0, 1):
        assert source.spec(seed).splits == sizes
        seen = [
            y
            for split in sizes
            for _, batch in source.input_fn(split, batch_size=7, seed=seed).as_numpy_iterator()
            for y in batch.tolist()
        ]
        assert seen == list(range(4, 100))


def test_no_split_predicts_a_value_of_another() -> None:
    source = Windows(counting(100), past=4, ahead=3, validation=10, test=20)
    assert source.spec().splits == {"train": 60, "validation": 10, "test": 20}
    predicted = {s: {v for y in windows(source, s)[1] for v in y} for s in source.spec().splits}
    assert max(predicted["train"]) + 1 == min(predicted["validation"])
    assert max(predicted["validation"]) + 1 == min(predicted["test"])
    assert max(predicted["test"]) == 99


def test_training_windows_are_shuffled_and_each_is_seen_once() -> None:
    source = Windows(counting(50), past=2, validation=8)
    orders = []
    for epoch in (0, 1):
        batches = source.input_fn("train", batch_size=16, shuffle=True, epoch=epoch)
        orders.append([y for _, batch in batches.as_numpy_iterator() for y in batch.tolist()])
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(2, 42))


def test_the_element_is_known_without_the_series() -> None:
    def series() -> Any:
        raise AssertionError("the series was read")

    features, label = Windows(series, past=9, ahead=2).element()
    assert (features[0].shape, label.shape) == ((9,), (2,))


# What is refused


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            Windows(counting(4), past=4, validation=None),
            "Windows: 4 values give 0 windows of 4 past values and 1 ahead, which leaves none to "
            "train on. Use a longer series, shorter windows, or hold out less.",
        ),
        (
            Windows(counting(20), past=4, validation=6, test=10),
            "Windows: 20 values give 16 windows of 4 past values and 1 ahead, which leaves none to "
            "train on beside 10 for test, 6 for validation. Use a longer series, shorter windows, "
            "or hold out less.",
        ),
        (
            Windows(lambda: [1.0, 2.0, float("nan"), 4.0, float("inf")], past=1),
            "Windows: 2 of the 5 values of the series are no finite numbers of float32, the first "
            "is nan at index 2. Fill the gaps, scale the series, or take a part of it without any.",
        ),
        (
            Windows(lambda: [1.0, 2.0, 1e39, 4.0], past=1),
            "Windows: 1 of the 4 values of the series are no finite numbers of float32, the first "
            "is 1e+39 at index 2. Fill the gaps, scale the series, or take a part of it without "
            "any.",
        ),
        (
            Windows(lambda: np.zeros((5, 2)), past=1),
            "Windows: a series is one number after the other, of shape (n,); got shape (5, 2).",
        ),
        (
            Windows(lambda: ["a", "b"], past=1),
            "Windows: <lambda>() should return numbers, one after the other; got list.",
        ),
        (
            Windows(lambda: 1 / 0, past=1),
            "Windows: <lambda>() failed with ZeroDivisionError: division by zero",
        ),
        (
            Windows(Generated("xor", labels="classes"), past=1),
            "Windows: a series is a source with a number for its label, stored in order; "
            "Generated('xor', labels='classes') has 'sign', which is of kind 'class'.",
        ),
        (
            Windows(Arrays(lambda: (np.zeros((9, 2)), np.zeros((9, 3)) + 0.5)), past=1),
            "Windows: a series is one number after the other, of shape (n,); got shape (9, 3).",
        ),
    ],
)
def test_a_series_that_cannot_be_cut(source: Windows, text: str) -> None:
    assert refused(source) == text


@pytest.mark.parametrize(("name", "held"), [("validation", 0.2), ("test", 100)])
def test_a_series_with_splits_of_its_own_is_refused(name: str, held: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Windows(Generated("sine", **{name: held}), past=4)
    assert str(caught.value) == (
        f"Windows.series has {name}={held}, which would do nothing: say it of the windows "
        f"instead, as in Windows(..., {name}={held})."
    )
    assert Windows(Generated("sine", **{name: None}), past=4).spec().splits["train"] > 800


def test_the_name_of_a_split_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Windows(counting(9), past=2, test="test")
    assert str(caught.value) == (
        "Windows.test takes a number above 0 and below 1, a whole number of at least 1 or none, "
        "got 'test' (str)."
    )


def test_a_period_longer_than_what_is_known() -> None:
    assert Windows(counting(30), past=3, validation=10, period=19).spec().splits["train"] == 17
    assert refused(Windows(counting(30), past=3, validation=10, period=20)) == (
        "Windows: a period of 20 is longer than the 19 values that there are to train on. Use a "
        "longer series, or leave the period out."
    )
