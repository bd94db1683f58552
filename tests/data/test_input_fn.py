"""Batches as a pure function of split, seed, epoch and position."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfpipe import Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.data.columns import Columns
from tfpipe.data.input_fn import InMemory, Options, order_of, steps_per_epoch
from tfpipe.declare.pipeline import current_epoch
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError, DataError
from tfpipe.models import MLP


@pytest.mark.parametrize(
    ("size", "batch_size", "drop", "steps", "expected"),
    [
        (47_500, 32, True, None, 1484),
        (47_500, 32, False, None, 1485),
        (60_000, 32, False, None, 1875),
        (54_000, 32, False, None, 1688),
        (64, 32, False, None, 2),
        (10, 4, True, 500, 500),
    ],
)
def test_steps_per_epoch(
    size: int, batch_size: int, drop: bool, steps: int | None, expected: int
) -> None:
    assert steps_per_epoch(size, batch_size, drop, steps) == expected
    options = Options(batch_size=batch_size, drop_remainder=drop, steps=steps)
    assert -(-options.samples(size) // batch_size) == expected


def test_an_order_is_a_permutation_that_seed_and_epoch_decide() -> None:
    def order(seed: int, epoch: int) -> tuple[int, ...]:
        options = Options(batch_size=10, shuffle=True, seed=seed, epoch=epoch)
        return tuple(order_of(100, options).tolist())

    orders = {order(seed, epoch) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16
    assert all(sorted(o) == list(range(100)) for o in orders)
    assert order(3, 2) == order(3, 2)


def test_a_shuffle_moves_samples_anywhere() -> None:
    places = [
        int(np.argmax(order_of(100, Options(batch_size=10, shuffle=True, epoch=e)) == 0))
        for e in range(200)
    ]
    assert min(places) < 10
    assert max(places) >= 90


def test_with_steps_passes_follow_each_other() -> None:
    def epoch(number: int) -> list[int]:
        options = Options(batch_size=4, steps=2, shuffle=True, epoch=number)
        return [int(i) for i in order_of(10, options)]

    rows = epoch(0) + epoch(1) + epoch(2) + epoch(3) + epoch(4)
    assert len(rows) == 40
    for start in range(0, 40, 10):
        assert sorted(rows[start : start + 10]) == list(range(10))


def test_more_steps_than_the_data_has() -> None:
    options = Options(batch_size=4, steps=10)
    assert order_of(3, options).tolist() == [0, 1, 2] * 13 + [0]


def test_a_batch_is_augmented_by_its_place_in_training() -> None:
    pixels = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 6, 6, 1), np.uint8), 32, 0)
    image = Feature("image", (6, 6, 1), "uint8", "image")
    memory = InMemory(Columns({"image": pixels}, np.arange(32)), None, [image])

    def images(batch_size: int, epoch: int) -> np.ndarray:
        options = Options(batch_size=batch_size, epoch=epoch, augment=(augment.brightness(0.4),))
        return np.concatenate([x for x, _ in memory.batches(options).as_numpy_iterator()])

    np.testing.assert_array_equal(images(8, 0), images(16, 0))
    assert not np.array_equal(images(8, 0), images(8, 1))
    assert len({image.tobytes() for image in images(8, 0)}) > 16


class Small(Pipeline):
    """Forty small images, a quarter held out."""

    data = Arrays(
        lambda: (np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), np.uint8), range_of(40)),
        validation=0.25,
    )
    model = MLP(units=(4,))
    augment = (augment.brightness(0.5),)
    batch_size = 8
    drop_remainder = True


def range_of(size: int) -> np.ndarray:
    return np.arange(size) % 2


Read = Callable[[Any], list[bytes]]


def test_only_training_is_shuffled_augmented_and_cut(samples: Read) -> None:
    pipeline = Small()
    stored = samples(pipeline.replace(augment=(), shuffle=False).input_fn("train"))
    trained = samples(pipeline.input_fn("train"))
    assert len(trained) == 24  # of 30: whole batches alone
    assert not set(trained) & set(stored)
    held_out = samples(pipeline.input_fn("validation"))
    assert len(held_out) == 10
    raw = [image.tobytes() for image in Small.fields()["data"].load()[0]]
    assert held_out == [image for image in raw if image in held_out]  # bytes as they were
    assert held_out == samples(pipeline.input_fn("validation", epoch=3))


def test_an_epoch_is_that_being_trained_unless_it_is_given(samples: Read) -> None:
    pipeline = Small()
    token = current_epoch.set(2)
    try:
        current = samples(pipeline.input_fn("train"))
    finally:
        current_epoch.reset(token)
    assert current == samples(pipeline.input_fn("train", epoch=2))
    assert current != samples(pipeline.input_fn("train"))


def test_augmentation_without_images_is_refused() -> None:
    vectors = Arrays(lambda: (np.zeros((20, 4)), range_of(20)))
    with pytest.raises(DataError) as caught:
        Small(data=vectors).input_fn("train")
    assert str(caught.value) == (
        "augment changes images, and the data has none, only 'features' of shape (4,). Leave it "
        "out: augment=()"
    )
    assert Small(data=vectors, augment=()).input_fn("train") is not None


def test_augmentation_that_does_not_fit_the_images_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"padding=6 reflects more than an image of 6x6 has"):
        Small(augment=(augment.crop(6),)).input_fn("train")


def test_of_several_features_only_images_are_augmented() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), np.uint8)
    numbers = np.arange(40, dtype=np.float32)[:, None]
    mixed = Arrays(lambda: ({"photo": pixels, "age": numbers}, range_of(40)), validation=None)
    for x, _ in Small(data=mixed, shuffle=False).input_fn("train").take(1):
        np.testing.assert_array_equal(x["age"], numbers[:8])
        assert not np.array_equal(x["photo"], pixels[:8])


@pytest.mark.parametrize("fields", [{}, {"drop_remainder": True}, {"steps_per_epoch": 9}])
@pytest.mark.parametrize("block", [1, 2000])
def test_a_large_epoch_is_gathered_in_blocks_and_has_the_same_batches(
    fields: dict[str, Any], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row is 116 bytes, so that a block of 2,000 has two batches."""
    source = Small.fields()["data"].replace()  # which has made no batches yet
    job = Small(data=source, augment=(), drop_remainder=False).replace(**fields)
    places = [(0, 0), (1, 2), (2, 3)]
    whole = [job.input_fn("train", *place) for place in places]
    monkeypatch.setattr("tfpipe.data.input_fn.WHOLE", 0)
    monkeypatch.setattr("tfpipe.data.input_fn.BLOCK", block)
    for place, expected in zip(places, whole, strict=True):
        found = job.input_fn("train", *place)
        assert found.element_spec == expected.element_spec
        assert found.cardinality() == expected.cardinality()
        pairs = zip(found.as_numpy_iterator(), expected.as_numpy_iterator(), strict=True)
        for one, other in pairs:
            for column, same in zip(one, other, strict=True):
                np.testing.assert_array_equal(column, same)
