"""Features computed once: a file for each split, read as a source."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfpipe.data import Arrays, disk_cache
from tfpipe.data.sources.features import FeatureFile, Features, save
from tfpipe.declare.spec import Label
from tfpipe.errors import DataError

SIZE, WIDTH = 50, 6
CLASSES = Label("label", "class", (), ("a", "b", "c"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Any:
    token = disk_cache.folder.set(tmp_path)
    yield tmp_path
    disk_cache.folder.reset(token)


def made(weighted: bool = False) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(SIZE, WIDTH)).astype("float32"), np.arange(SIZE) % 3
    return (*found, rng.random(SIZE).astype("float32")) if weighted else found


def in_batches(arrays: tuple[Any, ...], size: int = 16) -> Any:
    for start in range(0, SIZE, size):
        yield tuple(a[start : start + size] for a in arrays)


def source(key: str = "train", label: Label = CLASSES, shape: tuple[int, ...] = (WIDTH,)) -> Any:
    return Features(Arrays(made), "MobileNet", shape, label, {"train": SIZE}, {"train": key})


def table(
    key: str = "train", label: Label = CLASSES, shape: tuple[int, ...] = (WIDTH,)
) -> FeatureFile:
    return FeatureFile(key, SIZE, shape, label)


def batches(found: Any, **options: Any) -> list[Any]:
    chosen = {"batch_size": 16, **options}
    return [tuple(t.numpy() for t in batch) for batch in found.input_fn("train", **chosen)]


def test_what_was_saved_is_read() -> None:
    features, labels = made()
    assert save(table(), in_batches((features, labels)), lambda: {"seconds": 1.5}) == {
        "seconds": 1.5,
        "weighted": False,
    }
    read = batches(source())
    assert [len(batch) for batch in read] == [2] * 4
    assert np.array_equal(np.concatenate([x for x, _ in read]), features)
    assert np.array_equal(np.concatenate([y for _, y in read]), labels)
    assert read[0][1].dtype == np.int64


def test_the_weights_of_samples_stay_with_them() -> None:
    arrays = made(weighted=True)
    save(table(), in_batches(arrays), dict)
    read = batches(source())
    assert np.array_equal(np.concatenate([w for _, _, w in read]), arrays[2])


def test_features_of_any_shape_and_labels_that_are_numbers() -> None:
    rng = np.random.default_rng(0)
    label, shape = Label("y", "real", (2,)), (2, 2, 3)
    arrays = rng.normal(size=(SIZE, *shape)).astype("f4"), rng.normal(size=(SIZE, 2)).astype("f4")
    save(table("k", label, shape), in_batches(arrays), dict)
    found = source("k", label, shape)
    x, y = batches(found)[0]
    assert np.array_equal(x, arrays[0][:16])
    assert np.array_equal(y, arrays[1][:16])
    assert found.spec().feature.kind == "array"
    assert found.class_counts() == {}


def test_an_epoch_is_shuffled_as_that_of_the_source_itself() -> None:
    features, labels = made()
    save(table(), in_batches((features, labels)), dict)
    original = Arrays(made, validation=None, test=None)
    for epoch in (0, 3):
        options: dict[str, Any] = {"shuffle": True, "seed": 7, "epoch": epoch, "position": 1}
        for mine, theirs in zip(
            batches(source(), **options), batches(original, **options), strict=True
        ):
            assert np.array_equal(mine[0], theirs[0])
            assert np.array_equal(mine[1], theirs[1])


def test_a_file_that_is_there_is_not_made_again() -> None:
    save(table(), in_batches(made()), lambda: {"seconds": 1.5})

    def never() -> Any:
        raise AssertionError("it was made again")
        yield

    assert save(table(), never(), dict)["seconds"] == 1.5


def test_a_file_that_could_not_be_finished_is_not_there(cache: Path) -> None:
    def torn() -> Any:
        yield next(in_batches(made()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(table(), torn(), dict)
    assert not (cache / "train.npy").exists()


def test_a_file_that_is_gone_is_said(cache: Path) -> None:
    with pytest.raises(DataError) as gone:
        source("lost").input_fn("train", batch_size=4)
    assert str(gone.value) == (
        f"The features of MobileNet for Arrays are gone: {cache / 'lost.npy'} cannot be read. "
        "Compute them again with tfpipe compare-models, with --resume where it was one."
    )


def test_a_split_without_features_is_said() -> None:
    save(table(), in_batches(made()), dict)
    with pytest.raises(DataError) as missing:
        source().input_fn("test", batch_size=4)
    assert str(missing.value) == "There are no features for the split 'test'. There is: train."


def test_what_it_says_of_itself() -> None:
    save(table(), in_batches(made()), dict)
    found = source()
    assert found.name == "features of MobileNet for Arrays"
    assert found.spec().splits == {"train": SIZE}
    assert found.class_counts() == {"train": {"a": 17, "b": 17, "c": 16}}
    assert found.notes() == []
