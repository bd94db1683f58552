"""TFDSObjects: a prepared data set with boxes, its splits, and what is told of broken images."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_sets import HEIGHT, NAMES, WIDTH, scenes, write_tfds
from PIL import Image

from tfpipe.data import TFDS, TFDSObjects, disk_cache
from tfpipe.data.sources.sample import sample_of
from tfpipe.errors import DataError

NAME, SIZE = "voc/2007", (HEIGHT, WIDTH)
VOC_NAMES = {"cat": 7, "dog": 11, "bus": 5}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("objects")
    splits: dict[str, Any] = {
        "train": scenes(12, 1),
        "validation": scenes(5, 2),
        "test": scenes(4, 3),
    }
    return str(write_tfds(folder, splits))


def refused(source: Any) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


def test_images_and_boxes_are_those_that_were_prepared(data_dir: str) -> None:
    source = TFDSObjects(NAME, size=SIZE, data_dir=data_dir)
    spec = source.spec()
    assert spec.splits == {"train": 12, "validation": 5, "test": 4}
    assert (len(spec.classes), spec.classes[7]) == (20, "cat")
    # TFDS stores the samples of a split in an order of its own.
    known = {scene.image.tobytes(): scene for scene in scenes(12, 1)}
    x, y = next(iter(source.input_fn("train", batch_size=12).as_numpy_iterator()))
    for image, boxes in zip(x, y, strict=True):
        objects = known.pop(image.tobytes()).objects
        expected = [
            [a / WIDTH, b / HEIGHT, c / WIDTH, d / HEIGHT, VOC_NAMES[name], 0]
            for name, (a, b, c, d) in objects
        ]
        np.testing.assert_allclose(boxes[: len(expected)], expected, atol=1e-6)
        assert (boxes[len(expected) :, 4] == -1).all()
    assert not known
    assert source.notes() == []
    places = source.places("train")
    assert places[0].startswith("train, image 0 (")
    assert places[0].endswith(".jpg)")


def test_splits_are_expressions_of_tensorflow_datasets(data_dir: str) -> None:
    source = TFDSObjects(NAME, size=SIZE, data_dir=data_dir)
    parts = source.replace(train="train[:8]", validation="train[8:]", test=None)
    assert parts.spec().splits == {"train": 8, "validation": 4}
    assert refused(source.replace(validation="train[50%:]")).endswith(
        "'train[50%:]' has samples of the training split, 'train'. Leave them out of it, as in "
        "train='train[:90%]'."
    )
    assert refused(
        source.replace(train="trian")
    ) == f"{NAME} has no split 'trian'. Did you mean " + ("'train'?")
    assert source.replace(validation=0.25).spec().splits["validation"] == 3
    assert source.replace(validation="test").notes()[0].startswith("The test split ('test') was")


def test_disk_instead_of_memory_gives_the_same(data_dir: str, tmp_path: Path) -> None:
    token = disk_cache.folder.set(tmp_path)
    try:
        options: dict[str, Any] = {"batch_size": 5, "shuffle": True}
        source = TFDSObjects(NAME, size=(32, 32), fit="letterbox", data_dir=data_dir)
        kept = list(source.input_fn("train", cache=True, **options).as_numpy_iterator())
        fresh = source.replace()
        streamed = list(fresh.input_fn("train", cache=False, **options).as_numpy_iterator())
        assert len(list(tmp_path.glob("*.npy"))) == 1
    finally:
        disk_cache.folder.reset(token)
    for (x, y), (own_x, own_y) in zip(kept, streamed, strict=True):
        np.testing.assert_array_equal(x, own_x)
        np.testing.assert_array_equal(y, own_y)
    assert sum(sum(step()) for step in source.passes().values()) == 2 * 12
    assert all(file.is_file() for file in source.read_from())


def test_broken_images_and_boxes_and_ignored_objects(tmp_path: Path) -> None:
    written = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(noise).save(written, "JPEG")
    encoded = written.getvalue()
    cat = ("cat", 0.25, 0.25, 0.5, 0.75, False)
    some: list[Any] = [
        (encoded, [cat, ("dog", 0.0, 0.0, 1.0, 1.0, True)]),
        (encoded, [("cat", 0.5, 0.5, 0.5, 0.75, False), cat]),
        (encoded[: len(encoded) // 2], [cat]),
        (b"\xff\xd8\xff", [cat]),
        (encoded, []),
    ]
    write_tfds(tmp_path, {"train": some})
    source = TFDSObjects(NAME, size=SIZE, validation=None, data_dir=str(tmp_path))
    text = refused(source)
    assert "2 of 7 objects cannot be used" in text
    assert "(00001.jpg), object 1: has an empty box, (0.5, 0.5, 0.5, 0.75)" in text
    assert "(00003.jpg): is no JPEG, PNG, GIF" in text
    kept = source.replace(on_bad="skip")
    assert kept.spec().splits == {"train": 3}
    x, y = next(iter(kept.input_fn("train", batch_size=3).as_numpy_iterator()))
    by_file = {place[-10:-1]: row for row, place in enumerate(kept.places("train"))}
    assert sorted(by_file) == ["00000.jpg", "00001.jpg", "00004.jpg"]
    assert y[by_file["00000.jpg"], :, 4:].tolist() == [[7, 0], [11, 1]]
    assert y[by_file["00001.jpg"], :, 4].tolist() == [7, -1]
    assert y[by_file["00004.jpg"], :, 4].tolist() == [-1, -1]
    assert len({image.tobytes() for image in x}) == 1
    problems = [str(p) for p in kept._problems()]
    assert any("(00002.jpg): is truncated or damaged" in p for p in problems)
    assert kept.notes()[0].startswith("3 of 7 objects could not be used")


def test_what_is_no_set_for_detection(tmp_path: Path) -> None:
    own = {"data_dir": str(tmp_path), "download": False}
    with pytest.raises(DataError) as caught:
        TFDS(NAME, **own).element()
    assert str(caught.value) == (
        "voc/2007 does not say which feature is the label. It has boxes of objects: to find these, "
        "declare data = TFDSObjects('voc/2007')."
    )
    assert refused(TFDSObjects(NAME, **own)).startswith(
        "voc/2007 is not prepared, and download=False. Looked in "
    )
    with pytest.raises(DataError) as caught:
        _ = TFDSObjects("mnist", **own)._names
    assert str(caught.value) == (
        "TFDSObjects('mnist'): mnist has no feature `objects` with a bbox and a label, as sets for "
        "detection have. There is: image, label."
    )
    assert refused(TFDSObjects("vocc")).endswith("has no data set 'vocc'. Did you mean 'voc'?")
    with pytest.raises(DataError, match=r"^voc/2007 has 20 classes, 3 names were given\.$"):
        _ = TFDSObjects(NAME, classes=NAMES, **own)._names


def test_a_sample_needs_no_data(tmp_path: Path) -> None:
    source = TFDSObjects(NAME, size=(32, 32), fit="letterbox", data_dir=str(tmp_path))
    sample = sample_of(source, 16, 0)
    spec = sample.spec()
    assert spec.splits == {"train": 16, "validation": 2, "test": 2}
    assert spec.feature.letterbox
    assert len(spec.classes) == 20
    assert list(tmp_path.iterdir()) == []
