"""What every source must do, whatever it reads."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfpipe.data import TFDS, Arrays, Sample, augment
from tfpipe.data.source import StoredSplits
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError

TRAIN, VALIDATION, TEST = 150, 50, 40  # 200 stored training samples, a quarter held out
BATCH = 32
SHUFFLED: dict[str, Any] = {"batch_size": BATCH, "shuffle": True}

Read = Callable[[Any], list[bytes]]


@pytest.fixture(params=["Arrays", "Sample", "TFDS", "TFDS, streamed"])
def source(request: pytest.FixtureRequest) -> StoredSplits:
    """Each source with the same sizes."""
    if request.param == "Arrays":
        images = request.getfixturevalue("images")
        return Arrays(lambda: (images(200, 1), images(40, 2)), validation=0.25)
    if request.param == "Sample":
        feature = Feature("image", (12, 10, 3), "uint8", "image")
        label = Label("label", "class", (), tuple("abcde"))
        return Sample((feature,), label, size=200, validation=0.25)
    return TFDS("mnist", validation=0.25, data_dir=request.getfixturevalue("data_dir"))


@pytest.fixture
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Shuffled batches; streamed where the source's name says so."""
    streamed = "streamed" in request.node.callspec.params["source"]
    return SHUFFLED | {"cache": not streamed}


def batches(source: StoredSplits, split: str = "train", **options: Any) -> list[Any]:
    found = source.input_fn(split, **options).as_numpy_iterator()
    return [(np.asarray(x), np.asarray(y)) for x, y in found]


def test_the_same_seed_gives_the_same_order(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    first = samples(source.input_fn("train", **options))
    assert samples(source.input_fn("train", **options)) == first
    assert samples(source.replace().input_fn("train", **options)) == first


def test_another_epoch_has_another_order_of_the_same_samples(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    epochs = [samples(source.input_fn("train", epoch=e, **options)) for e in (0, 1, 2)]
    assert len({tuple(order) for order in epochs}) == 3
    assert set(epochs[0]) == set(epochs[1]) == set(epochs[2])


def test_another_seed_gives_another_order_and_holds_out_others(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    one = samples(source.input_fn("train", seed=1, **options))
    other = samples(source.input_fn("train", seed=2, **options))
    assert one != other
    assert set(one) != set(other)


def test_unshuffled_is_in_stored_order(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    plain = options | {"shuffle": False}
    first = samples(source.input_fn("train", **plain))
    assert first == samples(source.input_fn("train", epoch=1, **plain))
    assert first != samples(source.input_fn("train", **options))


def test_an_epoch_sees_each_sample_once(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    for split, size in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
        for epoch in (0, 1):
            seen = Counter(samples(source.input_fn(split, epoch=epoch, **options)))
            assert len(seen) == size
            assert set(seen.values()) == {1}


def test_splits_have_no_sample_in_common(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    parts = [set(samples(source.input_fn(s, **options))) for s in ("train", "validation", "test")]
    assert len(set.union(*parts)) == TRAIN + VALIDATION + TEST


def test_a_held_out_part_has_the_classes_in_the_same_shares(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    held_out = np.concatenate([y for _, y in batches(source, "validation", **options)])
    counts = np.bincount(held_out)
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("position", [2, 5])
def test_a_position_leaves_out_batches(
    source: StoredSplits, options: dict[str, Any], position: int
) -> None:
    augmented = options | {"augment": (augment.flip(), augment.brightness(0.2))}
    whole = batches(source, epoch=1, **augmented)
    resumed = batches(source, epoch=1, position=position, **augmented)
    assert len(resumed) == len(whole) - position
    for (x, y), (own_x, own_y) in zip(whole[position:], resumed, strict=True):
        np.testing.assert_array_equal(x, own_x)
        np.testing.assert_array_equal(y, own_y)


def test_declared_steps_go_on_through_the_data_from_epoch_to_epoch(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    steps = options | {"batch_size": 30, "steps": 2}
    epochs = [samples(source.input_fn("train", epoch=e, **steps)) for e in range(4)]
    assert {len(order) for order in epochs} == {60}
    seen = [identity for order in epochs for identity in order]
    assert set(Counter(seen[:TRAIN]).values()) == {1}  # the first pass ends within the third epoch
    assert set(Counter(seen[TRAIN:]).values()) == {1}
    last = options | {"batch_size": 30, "steps": 2, "epoch": 3}
    assert samples(source.input_fn("train", position=2, **last)) == []


def test_the_last_batch_is_smaller_or_left_out(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    kept = [len(y) for _, y in batches(source, **options)]
    assert kept == [32, 32, 32, 32, 22]
    dropped = [len(y) for _, y in batches(source, drop_remainder=True, **options)]
    assert dropped == [32, 32, 32, 32]


def test_the_spec_is_true_to_the_elements(source: StoredSplits, options: dict[str, Any]) -> None:
    spec = source.spec()
    assert spec.splits == {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    for split, size in spec.splits.items():
        found = batches(source, split, **options)
        assert sum(len(y) for _, y in found) == size
        for x, y in found:
            assert x.shape[1:] == spec.feature.shape
            assert x.dtype == spec.feature.dtype
            assert y.shape[1:] == spec.label.shape
            assert y.dtype == np.int64
            assert 0 <= y.min() <= y.max() < len(spec.classes)
    assert source.element() == (spec.features, spec.label)


def test_the_data_set_knows_its_shapes(source: StoredSplits, options: dict[str, Any]) -> None:
    x, y = source.input_fn("train", **options).element_spec
    assert tuple(x.shape) == (None, *source.spec().feature.shape)
    assert tuple(y.shape) == (None,)
    x, _ = source.input_fn("train", drop_remainder=True, **options).element_spec
    assert x.shape[0] == BATCH


def test_an_augmented_epoch_has_the_same_labels_and_other_images(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    plain = batches(source, **options)
    changed = batches(source, augment=(augment.brightness(0.4),), **options)
    again = batches(source, augment=(augment.brightness(0.4),), **options)
    for (x, y), (other, labels), (same, _) in zip(plain, changed, again, strict=True):
        np.testing.assert_array_equal(y, labels)
        np.testing.assert_array_equal(other, same)
        assert not np.array_equal(x, other)


def test_an_unknown_split_is_refused(source: StoredSplits, options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"has no split 'tset'\. Did you mean 'test'\?"):
        source.input_fn("tset", **options)


def test_a_batch_larger_than_the_training_split_is_refused(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    text = "batch_size=151 is larger than the training split of 150 samples. Use at most 150."
    with pytest.raises(DataError) as caught:
        source.input_fn("train", **options | {"batch_size": 151})
    assert str(caught.value) == text
    assert len(batches(source, "test", **options | {"batch_size": 151})) == 1


def test_a_share_that_leaves_a_split_empty_is_refused(source: StoredSplits) -> None:
    with pytest.raises(DataError) as caught:
        source.replace(validation=0.001).spec()
    assert str(caught.value) == (
        "The validation split is empty: 200 training samples were found. Use a larger share, or "
        "more data."
    )


def test_validating_on_the_training_split_is_refused(source: StoredSplits) -> None:
    with pytest.raises(DataError, match="training split"):
        source.replace(validation="train").spec()


def test_validating_on_the_test_split_is_said(source: StoredSplits, samples: Read) -> None:
    chosen = source.replace(validation="test")
    assert chosen.spec().splits == {"train": 200, "validation": 40, "test": 40}
    assert chosen.described_splits() == [
        "The test split ('test') was used for validation: early stopping and the choice of the "
        "best epoch have seen it."
    ]
    validation, test = (samples(chosen.input_fn(s, batch_size=8)) for s in ("validation", "test"))
    assert validation == test
    assert source.described_splits() == []


def test_no_validation_and_no_test(source: StoredSplits) -> None:
    assert source.replace(validation=None, test=None).spec().splits == {"train": 200}


def test_streamed_and_kept_data_have_the_same_members(data_dir: str, samples: Read) -> None:
    source = TFDS("mnist", validation=0.25, data_dir=data_dir)
    for split in ("train", "validation", "test"):
        kept = samples(source.input_fn(split, cache=True, batch_size=32, seed=3))
        streamed = samples(source.input_fn(split, cache=False, batch_size=32, seed=3))
        assert kept == streamed
