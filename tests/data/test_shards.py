"""Shards: each makes only its rows of every batch, and together they are the whole batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe import Pipeline
from tfpipe.data import TFDS, Arrays, ImageFolder, augment
from tfpipe.data.input_fn import own_rows
from tfpipe.models import MLP


class Job(Pipeline):
    """52 small images, of which the last batch of 12 has four."""

    data = Arrays(lambda: pictures(52))
    model = MLP(units=(4,))
    augment = (augment.flip(), augment.shift(0.1), augment.brightness(0.4))
    batch_size = 12


def pictures(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of noise, classes, and weights."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (size, 8, 8, 3), np.uint8)
    return pixels, np.arange(size) % 3, rng.random(size).astype("float32")


@pytest.fixture(params=["memory", "stream", "disk"])
def job(request: Any, data_dir: str, tmp_path: Path, images: Callable[..., Any]) -> Job:
    if request.param == "memory":
        return Job()
    if request.param == "stream":
        return Job(data=TFDS("mnist", data_dir=data_dir, validation=0.26), cache=False)
    for number, pixels in enumerate(images(52, 0)[0]):
        folder = tmp_path / "photos" / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(folder / f"{number}.png", pixels, scale=False)
    folder = ImageFolder(str(tmp_path / "photos"), validation=None, test=None)
    return Job(data=folder, cache=False)


@pytest.mark.parametrize("fields", [{}, {"steps_per_epoch": 6, "augment": ()}])
def test_shards_together_are_the_batches(
    job: Job, fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = job.replace(**fields)
    place, count = (1, 2), 3
    whole = [*job.input_fn("train", *place).as_numpy_iterator()]
    shards = [job.input_fn("train", *place, (index, count)) for index in range(count)]
    parts = [[*shard.as_numpy_iterator()] for shard in shards]
    assert [len(part) for part in parts] == [len(whole)] * count
    for batch, *own in zip(whole, *parts, strict=True):
        for column, *rows in zip(batch, *own, strict=True):
            np.testing.assert_array_equal(np.concatenate(rows), column)
            assert max(map(len, rows)) - min(map(len, rows)) <= 1
    if fields:
        (first, *_) = shards[0].element_spec
        assert first.shape[0] == 12 // count


@pytest.mark.parametrize(
    ("size", "count", "expected"),
    [(12, 2, [6, 6]), (5, 2, [3, 2]), (1, 2, [1, 0]), (7, 3, [3, 2, 2]), (0, 2, [0, 0])],
)
def test_rows_are_divided_evenly_and_in_order(size: int, count: int, expected: list[int]) -> None:
    places = [own_rows(size, (index, count)) for index in range(count)]
    assert [end - begin for begin, end in places] == expected
    assert [begin for begin, _ in places] + [size] == [0] + [end for _, end in places]
