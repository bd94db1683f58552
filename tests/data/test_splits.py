"""Which rows belong to which split."""

from math import ceil

import numpy as np
import pytest

from tfpipe.data.splits import held_out, plan, sizes
from tfpipe.errors import DataError

CIFAR10 = {"train": 50_000, "test": 10_000}


def test_five_percent_of_cifar10() -> None:
    labels = np.arange(50_000) % 10
    splits = plan(CIFAR10, 0.05, "test", 0, lambda: labels)
    assert {n: s.size for n, s in splits.items()} == {
        "train": 47_500,
        "validation": 2_500,
        "test": 10_000,
    }
    assert sizes(CIFAR10, 0.05, "test") == {n: s.size for n, s in splits.items()}
    rows = splits["validation"].rows
    assert rows is not None
    np.testing.assert_array_equal(np.bincount(labels[rows]), [250] * 10)


@pytest.mark.parametrize("fraction", [0.05, 0.1, 1 / 3, 0.5, 0.77])
@pytest.mark.parametrize("size", [10, 101, 1797])
def test_what_is_held_out_has_the_asked_size_and_shares(size: int, fraction: float) -> None:
    labels = np.random.default_rng(0).integers(0, 3, size)
    rows = held_out(size, fraction, 0, labels)
    assert len(rows) == len(set(rows)) == ceil(size * fraction)
    np.testing.assert_array_equal(rows, np.sort(rows))
    shares = np.bincount(labels, minlength=3) * (len(rows) / size)
    assert np.abs(np.bincount(labels[rows], minlength=3) - shares).max() < 1


def test_without_classes_rows_are_held_out_regardless() -> None:
    assert len(held_out(100, 0.2, 0, None)) == 20
    assert not np.array_equal(held_out(100, 0.2, 0, None), held_out(100, 0.2, 1, None))


def test_test_and_validation_are_both_carved_from_train() -> None:
    splits = plan({"train": 100}, 0.1, 0.2, 0, lambda: None)
    rows = [splits[n].rows for n in ("train", "validation", "test")]
    assert [len(r) for r in rows if r is not None] == [72, 8, 20]
    assert len(np.unique(np.concatenate([r for r in rows if r is not None]))) == 100


def test_a_share_is_rounded_up_as_scikit_learn_does() -> None:
    assert sizes({"train": 4_898}, None, 0.3) == {"train": 3_428, "test": 1_470}  # wine
    assert sizes({"train": 100}, None, 0.07) == {"train": 93, "test": 7}  # 0.07 * 100 > 7


def test_a_number_is_of_the_last_rows() -> None:
    splits = plan({"train": 1_797}, 97, 90, 5, lambda: np.zeros(1_797))
    assert {n: s.size for n, s in splits.items()} == {"train": 1_610, "validation": 97, "test": 90}
    assert sizes({"train": 1_797}, 97, 90) == {n: s.size for n, s in splits.items()}
    for name, expected in (
        ("test", range(1_707, 1_797)),
        ("validation", range(1_610, 1_707)),
        ("train", range(1_610)),
    ):
        rows = splits[name].rows
        assert rows is not None
        assert rows.tolist() == list(expected)


def test_a_test_split_that_is_only_the_default_need_not_exist() -> None:
    assert sizes({"train": 10}, None, "test") == {"train": 10}
    assert set(plan({"train": 10}, None, "test", 0, lambda: None)) == {"train"}


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (
            "validatoin",
            "test",
            "There is no split 'validatoin' for validation. Did you mean 'validation'?",
        ),
        (0.1, "tset", "There is no split 'tset' for test. Did you mean 'test'?"),
        (
            "train",
            "test",
            "validation='train' is the training split itself. Use a share such as "
            "validation=0.1, or another split.",
        ),
        (
            0.1,
            "train",
            "test='train' is the training split itself. Use a share such as test=0.1, or another "
            "split.",
        ),
        (
            20,
            "test",
            "The train split is empty: 20 training samples were found. Hold out less, or use "
            "more data.",
        ),
    ],
)
def test_refused(validation: float | str, test: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        sizes({"train": 20, "validation": 5, "test": 5}, validation, test)
    assert str(caught.value) == message
