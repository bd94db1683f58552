"""TensorFlow Datasets: names, splits, classes, and an answer in seconds when data is not there."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfpipe.data import TFDS, augment, free_memory
from tfpipe.data import probe as reach
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError
from tfpipe.text import byte_size


def refused(source: TFDS) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


# Prepared data


def test_what_is_read_is_what_was_prepared(data_dir: str, images: Callable[..., Any]) -> None:
    source = TFDS("mnist", validation=None, data_dir=data_dir)
    for split, size, seed in (("train", 200, 1), ("test", 40, 2)):
        pixels, labels = images(size, seed)
        known = {image.tobytes(): label for image, label in zip(pixels, labels, strict=True)}
        for cache in (True, False):
            for x, y in source.input_fn(split, batch_size=64, cache=cache).as_numpy_iterator():
                assert [known[image.tobytes()] for image in x] == y.tolist()


def test_flips_alternate_alike_streamed_and_kept(data_dir: str) -> None:
    source = TFDS("mnist", validation=0.1, data_dir=data_dir)

    def epoch(number: int, cache: bool, flip: bool = True) -> np.ndarray:
        parts = (augment.flip(alternate=True),) if flip else (augment.crop(1, fill="constant"),)
        options = {"batch_size": 60, "augment": parts, "epoch": number, "seed": 3}
        return np.concatenate([x for x, _ in source.input_fn("train", cache=cache, **options)])

    for number in (0, 1):
        np.testing.assert_array_equal(epoch(number, True), epoch(number, False))
    np.testing.assert_array_equal(epoch(0, False), epoch(1, False)[:, :, ::-1])
    np.testing.assert_array_equal(epoch(0, False), epoch(2, False))
    np.testing.assert_array_equal(epoch(1, True, flip=False), epoch(1, False, flip=False))


def test_tfds_data_dir_says_where(data_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow_datasets

    monkeypatch.setattr(tensorflow_datasets.core.constants, "DATA_DIR", data_dir)
    assert TFDS("mnist").spec().splits == {"train": 180, "validation": 20, "test": 40}


@pytest.mark.parametrize(
    ("fields", "splits"),
    [
        ({"validation": 0.05}, {"train": 190, "validation": 10, "test": 40}),
        ({"train": "train[:50%]", "validation": None}, {"train": 100, "test": 40}),
        (
            {"train": "train[:80%]", "validation": "train[80%:]"},
            {"train": 160, "validation": 40, "test": 40},
        ),
        (
            {"train": "train[:50%]", "validation": 0.1, "test": "train[50%:]"},
            {"train": 90, "validation": 10, "test": 100},
        ),
        (
            {"validation": "test[:50%]", "test": "test[50%:]"},
            {"train": 200, "validation": 20, "test": 20},
        ),
        ({"train": "train+test[:10]", "test": None}, {"train": 189, "validation": 21}),
    ],
)
def test_splits_are_expressions_of_tensorflow_datasets(
    data_dir: str, fields: dict[str, Any], splits: dict[str, int]
) -> None:
    source = TFDS("mnist", data_dir=data_dir, **fields)
    assert source.spec().splits == splits
    assert source.notes() == []
    for split, size in splits.items():
        batches = source.input_fn(split, batch_size=1).as_numpy_iterator()
        assert len({x.tobytes() for x, _ in batches}) == size


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train": "trian"}, "mnist has no split 'trian'. Did you mean 'train'?"),
        ({"validation": "validation"}, "mnist has no split 'validation'. There is: test, train."),
        ({"test": "tset[:10%]"}, "mnist has no split 'tset[:10%]'. Did you mean 'test'?"),
        ({"train": "train[:"}, "mnist has no split 'train[:'. Did you mean 'train'?"),
    ],
)
def test_an_unknown_split(data_dir: str, fields: dict[str, Any], message: str) -> None:
    assert refused(TFDS("mnist", data_dir=data_dir, **fields)) == message


@pytest.mark.parametrize("field", ["validation", "test"])
def test_a_split_with_samples_of_the_training_split(data_dir: str, field: str) -> None:
    fields: dict[str, Any] = {field: "train[90%:]"}
    assert refused(TFDS("mnist", data_dir=data_dir, **fields)).endswith(
        ": 'train[90%:]' has samples of the training split, 'train'. Leave them out of it, as in "
        "train='train[:90%]'."
    )


def test_validating_on_a_part_of_the_test_split_is_said(data_dir: str) -> None:
    (note,) = TFDS("mnist", validation="test[:50%]", data_dir=data_dir).notes()
    assert note.startswith("The test split ('test[:50%]') was used for validation")
    (note,) = TFDS("mnist", validation="test", test=None, data_dir=data_dir).notes()
    assert note.startswith("The test split ('test') was used for validation")


def test_images_of_another_size(data_dir: str) -> None:
    source = TFDS("mnist", size=(14, 20), data_dir=data_dir)
    assert source.spec().feature == Feature("image", (14, 20, 1), "uint8", "image")
    for cache in (True, False):
        x, _ = next(source.input_fn("train", batch_size=8, cache=cache).as_numpy_iterator())
        assert (x.shape, x.dtype) == ((8, 14, 20, 1), np.uint8)


def test_the_log_says_whether_data_is_kept(
    data_dir: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tfpipe.data")
    for free, verdict in ((1_000_000, "kept in memory"), (100_000, "streamed anew every epoch")):
        monkeypatch.setattr(free_memory, "available", lambda free=free: free)
        caplog.clear()
        source = TFDS("mnist", data_dir=data_dir)
        for _ in range(2):
            list(source.input_fn("train", batch_size=100))
        assert caplog.messages == [
            f"train split: 157 kB decoded, {verdict} (data may take 50% of the "
            f"{byte_size(free)} of free memory)"
        ]


# Described without data


def test_cifar10_is_described_without_data(tmp_path: Path) -> None:
    features, label = TFDS("cifar10", data_dir=str(tmp_path)).element()
    assert features == (Feature("image", (32, 32, 3), "uint8", "image"),)
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    assert label == Label("label", "class", (), tuple(names.split()))
    assert list(tmp_path.iterdir()) == []


def test_class_names_of_ones_own(tmp_path: Path) -> None:
    source = TFDS("mnist", data_dir=str(tmp_path))
    assert source.element()[1].classes == tuple("0123456789")
    assert source.replace(classes=tuple("abcdefghij")).element()[1].classes == tuple("abcdefghij")
    with pytest.raises(DataError, match=r"^mnist has 10 classes, 2 names were given\.$"):
        source.replace(classes=("a", "b")).element()


def test_images_of_differing_size_need_one(tmp_path: Path) -> None:
    source = TFDS("cats_vs_dogs", data_dir=str(tmp_path))
    with pytest.raises(DataError) as caught:
        source.element()
    assert str(caught.value) == (
        "cats_vs_dogs has images of differing sizes: declare size=(height, width)."
    )
    assert source.replace(size=(160, 160)).element()[0][0].shape == (160, 160, 3)


@pytest.mark.parametrize(
    ("name", "close"), [("cifar", "'cifar10', 'cifar100' or"), ("mnits:3.0.1", "'mnist'")]
)
def test_an_unknown_name_suggests_others(name: str, close: str) -> None:
    text = f"TensorFlow Datasets has no data set {name!r}. Did you mean {close}"
    assert refused(TFDS(name)).startswith(text)


@pytest.mark.parametrize("name", ["cifar10:9.9.9", "mnist/large"])
def test_an_unknown_version_or_configuration(name: str) -> None:
    assert refused(TFDS(name)).startswith(f"TFDS('{name}'): Failed to construct dataset")


def test_text_is_not_read_yet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="imdb_reviews: the input 'text' is Text of shape"):
        TFDS("imdb_reviews", data_dir=str(tmp_path)).element()


# Neither prepared nor to be had


ADVICE = (
    "Looked in {path}. Point TFDS_DATA_DIR, or data.data_dir=DIRECTORY, at a folder where it is "
    "prepared; or add --sample to run on generated data of the same shape, with no download."
)


def advice(folder: Path) -> str:
    return ADVICE.format(path=folder / "cifar10" / "3.0.2")


def test_data_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(reach, "_ask", lambda address, seconds: asked.append(address) or "refused")
    assert refused(TFDS("cifar10", data_dir=str(tmp_path))) == (
        "cifar10 is not prepared, and cannot be downloaded: www.cs.toronto.edu cannot be reached "
        f"(refused). {advice(tmp_path)}"
    )
    assert asked == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]
    assert list(tmp_path.iterdir()) == []


def test_data_that_may_not_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_ask", lambda *_: pytest.fail("asked the network"))
    assert refused(TFDS("cifar10", data_dir=str(tmp_path), download=False)) == (
        f"cifar10 is not prepared, and download=False. {advice(tmp_path)}"
    )


def test_a_download_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, **_: Any) -> None:
        raise OSError("checksum mismatch\nand more")

    monkeypatch.setattr(reach, "_ask", lambda *_: None)
    source = TFDS("cifar10", data_dir=str(tmp_path))
    monkeypatch.setattr(type(source._builder), "download_and_prepare", fail)
    assert refused(source) == (
        f"cifar10 could not be downloaded and prepared: checksum mismatch. {advice(tmp_path)}"
    )


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/data.tar.gz"


def test_a_server_that_never_answers_is_given_up_in_time(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    began = time.monotonic()
    assert reach.unreachable(silent, seconds=0.4) == "timed out"
    assert time.monotonic() - began < 5


def test_a_look_up_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hung = threading.Event()
    monkeypatch.setattr(reach, "_ask", lambda *_: hung.wait())
    assert reach.unreachable("http://nowhere", seconds=0.05) == "no answer within 0.05 s"
    hung.set()


def test_the_limits_together_are_below_fifteen_seconds() -> None:
    assert reach.REACH_SECONDS < 15


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "refused" in str(reach.unreachable(f"http://127.0.0.1:{port}/", seconds=5))
