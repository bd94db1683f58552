"""Sources that hold pictures at one size, of which the model sees the centre or a drawn part."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data import TFDS, ImageFolder, augment
from tfpipe.data.images.decoding import decode, seen
from tfpipe.data.sources.sample import sample_of
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

SIZES: dict[str, Any] = {"size": (12, 12), "resize": (16, 16)}
CHAIN = (augment.random_resized_crop(), augment.flip())


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files of differing sizes in two classes, in stored order."""
    monkeypatch.chdir(tmp_path)  # where runs/.cache is made
    files = []
    for number, shape in enumerate([(20, 31), (31, 20), (9, 9), (16, 16), (40, 16), (17, 90)]):
        pixels = np.random.default_rng(number).integers(0, 256, (*shape, 3), np.uint8)
        file = tmp_path / "photos" / ("cat" if number < 3 else "dog") / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tf.io.encode_jpeg(pixels).numpy())
        files.append(file)
    return files


def batch(source: Any, split: str = "train", **options: Any) -> np.ndarray:
    (found, *_), *_ = source.input_fn(split, **{"batch_size": 6, **options}).as_numpy_iterator()
    return np.asarray(found)


def test_evaluation_sees_what_a_file_is_decoded_to(photos: list[Path]) -> None:
    source = ImageFolder("photos", validation=None, channels=3, **SIZES)
    (feature,), _ = source.element()
    assert feature == Feature(
        "image", (12, 12, 3), "uint8", "image", kept=(16, 16), resize=(16, 16)
    )
    assert feature.nbytes == 16 * 16 * 3
    expected = np.stack([np.asarray(decode(f.read_bytes(), feature)) for f in photos])
    for cache in (True, False):
        found = batch(source, cache=cache)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


def test_training_draws_of_the_whole_picture_from_memory_and_from_disk(photos: list[Path]) -> None:
    source = ImageFolder("photos", validation=None, channels=3, **SIZES)
    kept = batch(source, augment=CHAIN, seed=3, cache=True)
    assert kept.shape == (6, 12, 12, 3)
    np.testing.assert_array_equal(batch(source, augment=CHAIN, seed=3, cache=False), kept)
    coloured = batch(source, augment=(augment.invert(1.0),))
    np.testing.assert_array_equal(coloured, 255 - batch(source).astype(np.float32))


def test_files_are_held_small_and_enlarged_batch_by_batch(photos: list[Path]) -> None:
    source = ImageFolder(
        "photos", size=(30, 30), resize=(34, 34), kept=(9, 9), channels=3, validation=None
    )
    (feature,), _ = source.element()
    assert feature.nbytes == 9 * 9 * 3
    assert source._decoder.shape == (9, 9, 3)
    expected = np.stack([np.asarray(decode(f.read_bytes(), feature)) for f in photos])
    np.testing.assert_array_equal(batch(source), expected)
    assert batch(source, augment=CHAIN).shape == (6, 30, 30, 3)


def test_a_cached_file_of_another_fit_is_not_used(photos: list[Path]) -> None:
    source = ImageFolder("photos", validation=None, channels=3, size=(16, 16))
    stretched = batch(source, cache=False)
    covering = batch(source.replace(resize=(16, 16)), cache=False)
    np.testing.assert_array_equal(stretched[[2, 3]], covering[[2, 3]])  # square files
    assert not np.array_equal(stretched, covering)
    assert len(list(Path("runs/.cache").rglob("*.npy"))) == 2


@pytest.mark.parametrize("kept", [None, (10, 10)])
def test_a_data_set_of_tensorflow_datasets(data_dir: str, kept: Any) -> None:
    plain = TFDS("mnist", validation=None, data_dir=data_dir)
    source = plain.replace(kept=kept, **SIZES)
    (feature,), _ = source.element()
    assert feature.stored_shape == (*(kept or (16, 16)), 1)
    files = [tf.io.encode_png(image) for image in batch(plain, batch_size=16)]
    expected = np.stack([np.asarray(decode(file, feature)) for file in files])
    options: dict[str, Any] = {"batch_size": 16, "steps": 1}
    for cache in (True, False):
        np.testing.assert_array_equal(batch(source, cache=cache, **options), expected)
    drawn = [batch(source, augment=CHAIN, cache=c, **options) for c in (True, False)]
    assert drawn[0].shape == (16, 12, 12, 1)
    np.testing.assert_allclose(drawn[1], drawn[0], atol=1e-3)


def test_a_sample_is_made_as_it_would_be_held() -> None:
    source = ImageFolder("none", classes=("cat", "dog"), kept=(10, 10), **SIZES)
    sample = sample_of(source, 20, 0)
    held = sample._columns("train").features["image"]
    assert held.shape == (20, 10, 10, 3)
    found = batch(sample, batch_size=18)
    assert found.shape == (18, 12, 12, 3)
    assert found.dtype == np.uint8
    (feature,), _ = sample.element()
    everything = {np.asarray(image).tobytes() for image in seen(held, feature)}
    assert {image.tobytes() for image in found} <= everything


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ImageFolder("photos", resize=(256, 256)),
            "ImageFolder.resize=(256, 256) needs size=(height, width), which is cut out of the "
            "middle of the resized picture.",
        ),
        (
            lambda: TFDS("mnist", size=(300, 300), resize=(256, 256)),
            "TFDS.resize=(256, 256) is smaller than size=(300, 300), which is cut out of it. Give "
            "a resize of at least size.",
        ),
    ],
)
def test_sizes_that_do_not_go_together_are_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == message
