"""What the tests of data share: small images, a prepared data set, and reading batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def make_images(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, 28, 28, 1), np.uint8)
    return pixels, np.arange(size) % 10


@pytest.fixture(scope="session")
def images() -> Callable[[int, int], tuple[np.ndarray, np.ndarray]]:
    """Makes grey images of noise, no two alike, with labels 0 to 9 in turn: (size, seed)."""
    return make_images


@pytest.fixture(scope="session")
def samples() -> Callable[[Any], list[bytes]]:
    """Reads the features of a data set's samples in order, each as bytes."""

    def read(dataset: Any) -> list[bytes]:
        return [identity for x, *_ in dataset for identity in identities(x)]

    return read


def identities(features: Any) -> list[bytes]:
    """One bytes object a sample; samples of several features have those of all, joined."""
    columns = features.values() if isinstance(features, dict) else [features]
    rows = zip(*(np.asarray(column) for column in columns), strict=True)
    return [b"|".join(_bytes(value) for value in row) for row in rows]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else np.asarray(value).tobytes()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder where tensorflow-datasets finds a small "mnist": 200 and 40 generated images."""
    import tensorflow_datasets as tfds

    folder = tmp_path_factory.mktemp("tensorflow_datasets")
    builder = tfds.builder("mnist", data_dir=folder)

    def examples(size: int, seed: int) -> Any:
        for number, (image, label) in enumerate(zip(*make_images(size, seed), strict=True)):
            yield number, {"image": image, "label": int(label)}

    download = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    with pytest.MonkeyPatch.context() as patch:
        splits = {"train": examples(200, 1), "test": examples(40, 2)}
        patch.setattr(type(builder), "_split_generators", lambda self, dl, *_: splits)
        builder.download_and_prepare(download_config=download)
    assert Path(builder.data_path).is_dir()
    return str(folder)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNG files, `train` with 200 and `test` with 40, in folders named 0 to 9."""
    import tensorflow as tf

    root = tmp_path_factory.mktemp("images")
    for split, size, seed in (("train", 200, 1), ("test", 40, 2)):
        for number, (image, label) in enumerate(zip(*make_images(size, seed), strict=True)):
            file = root / split / str(label) / f"{number:03}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(tf.io.encode_png(image).numpy())
    return root
