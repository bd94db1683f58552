"""A share of the training samples, and some of the classes."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tfpipe.data import TFDS, Arrays, Subset
from tfpipe.data.sources.sample import sample_of
from tfpipe.data.sources.subset import Fraction, take
from tfpipe.data.sources.user_batches import UserBatches
from tfpipe.errors import ConfigError, DataError


def numbered() -> Any:
    """200 samples that hold their own number, three of class 0 for each of class 1."""
    return np.arange(200, dtype=np.float32)[:, None], (np.arange(200) % 4 == 0).astype(int)


def rows(source: Any, split: str, seed: int = 0) -> list[tuple[int, int]]:
    """The number and the class of every sample of a split, in order."""
    batches = source.input_fn(split, batch_size=4, seed=seed)
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


def animals() -> Any:
    """90 samples that hold their own number: a cat, a dog, an owl and so on; 30 more to test."""
    x, names = np.arange(120, dtype=np.float32)[:, None], np.array(["cat", "dog", "owl"] * 40)
    return (x[:90], names[:90]), (x[90:], names[90:])


def test_some_classes_and_the_first_samples_of_them() -> None:
    whole = Arrays(animals, validation=0.2)
    part = Subset(whole, classes=("owl", "cat"), train_size=10, test_size=4)
    _, label = part.element()
    assert label.classes == ("owl", "cat")
    assert part.spec().splits == {"train": 10, "validation": 12, "test": 4}
    assert rows(part, "test") == [(90, 1), (92, 0), (93, 1), (95, 0)]
    kept = [(n, (c + 1) % 3) for n, c in rows(whole, "train") if c != 1]
    assert rows(part, "train") == kept[:10]
    assert part.class_counts()["test"] == {"owl": 2, "cat": 2}
    everything = Subset(whole, train_size=7)
    assert rows(everything, "train") == rows(whole, "train")[:7]
    assert everything.spec().splits == {"train": 7, "validation": 18, "test": 30}
    assert everything.element() == whole.element()
    # Its share for validation is what generated data has too.
    assert sample_of(part, 100, 0).spec().splits == {"train": 80, "validation": 20, "test": 20}


def test_a_subset_that_there_is_not() -> None:
    whole = Arrays(animals)
    with pytest.raises(ConfigError) as refused:
        Subset(whole, classes=("cat", "cat"))
    assert str(refused.value) == (
        "Subset.classes takes two names or more, each once; got ('cat', 'cat')."
    )
    for part, message in (
        (
            Subset(whole, classes=("cat", "dgo")),
            "Subset: the data has no class 'dgo'. Did you mean 'dog'?",
        ),
        (
            Subset(whole, classes=("cat", "dog"), test_size=21),
            "Subset: the test split has 20 samples of cat and dog, and 21 are to be kept. Keep "
            "fewer, or take more of the source.",
        ),
        (
            Subset(Arrays(lambda: (np.ones((9, 2)), np.linspace(0, 1, 9)), test=None)),
            "Subset: 'label' is of kind 'real', and samples are chosen by their class.",
        ),
    ):
        with pytest.raises(DataError) as missing:
            part.spec()
        assert str(missing.value) == message
