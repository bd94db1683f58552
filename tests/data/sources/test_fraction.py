"""A share of the training samples."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tfpipe.data import TFDS, Arrays
from tfpipe.data.sources.fraction import Fraction, take
from tfpipe.data.sources.user_batches import UserBatches
from tfpipe.errors import ConfigError


def numbered() -> Any:
    """200 samples that hold their own number, three of class 0 for each of class 1."""
    return np.arange(200, dtype=np.float32)[:, None], (np.arange(200) % 4 == 0).astype(int)


def rows(source: Any, split: str, seed: int = 0) -> list[tuple[int, int]]:
    """The number and the class of every sample of a split, in order."""
    batches = source.input_fn(split, batch_size=16, seed=seed)
    return [(int(x[0]), int(y)) for xs, ys in batches for x, y in zip(xs, ys, strict=True)]


def test_the_share_is_drawn_from_each_class_and_validation_stays_whole() -> None:
    whole = Arrays(numbered, validation=0.2, test=None)
    part = take(whole, 0.25)
    assert part.spec().splits == {"train": 40, "validation": 40}
    drawn = rows(part, "train")
    assert Counter(label for _, label in drawn) == {0: 30, 1: 10}
    assert set(drawn) < set(rows(whole, "train"))
    assert rows(part, "validation") == rows(whole, "validation")
    assert part.class_counts() == {
        "train": {"0": 30, "1": 10},
        "validation": {"0": 30, "1": 10},
    }


def test_the_seed_decides_which_samples() -> None:
    part = take(Arrays(numbered, validation=0.2, test=None), 0.25)
    again = take(Arrays(numbered, validation=0.2, test=None), 0.25)
    assert rows(part, "train") == rows(again, "train")
    assert rows(part, "train") != rows(part, "train", seed=1)


def test_all_of_it_is_the_source_itself() -> None:
    source = Arrays(numbered)
    assert take(source, 1) is source


@pytest.mark.parametrize("share", [0, -0.5, 1.5, 7])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigError) as refused:
        take(Arrays(numbered), share)
    assert str(refused.value) == (
        f"A share of {share:g} of the training data was asked for. Give a number above 0 and at "
        "most 1, such as 0.07."
    )


def test_data_that_a_method_makes_is_refused() -> None:
    for source in (None, UserBatches(lambda split: None)):
        with pytest.raises(ConfigError) as refused:
            take(source, 0.5)
        assert str(refused.value) == (
            "A share of the training data is taken of declared data, and input_fn makes all of "
            "this itself: take the share there."
        )


SLICES = {
    ("train", 0.07): "train[0:3500]",
    ("train[:7%]", 0.5): "train[0:1750]",
    ("train[10%:20%]", 0.1): "train[5000:5500]",
    ("train[:100]+test[50%:]", 0.1): "train[0:10]+test[5000:5500]",
    ("train[-100:]", 0.25): "train[49900:49925]",
}


@pytest.mark.parametrize(("train", "share"), SLICES)
def test_of_tensorflow_datasets_it_is_a_slice(
    monkeypatch: pytest.MonkeyPatch, train: str, share: float
) -> None:
    sizes = {"train": 50_000, "test": 10_000}
    infos = _infos(sizes)
    monkeypatch.setattr(TFDS, "_stored_sizes", lambda self: sizes)
    monkeypatch.setattr(TFDS, "_known", property(lambda self: infos))
    part = take(TFDS("cifar10", train=train, validation="train[90%:]", test=None), share)
    assert part == TFDS("cifar10", train=SLICES[train, share], validation="train[90%:]", test=None)


def _infos(sizes: dict[str, int]) -> Any:
    """What TensorFlow Datasets knows of splits of these sizes."""
    import tensorflow_datasets as tfds

    return tfds.core.splits.SplitDict(
        [
            tfds.core.SplitInfo(name=name, shard_lengths=[size], num_bytes=0)
            for name, size in sizes.items()
        ]
    )


def test_a_fraction_is_written_and_read_with_a_run() -> None:
    from tfpipe.declare.codec import from_json, to_json

    source = Fraction(Arrays(numbered), 0.5)
    assert from_json(to_json(source)) == source
