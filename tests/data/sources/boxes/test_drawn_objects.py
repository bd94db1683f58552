"""DrawnObjects: photographs with drawn objects; and generated data in place of other sources."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_sets import write_image

from tfpipe.data import COCO, VOC, DrawnObjects, YOLOText, augment
from tfpipe.data.sources.sample import sample_of
from tfpipe.errors import ConfigError, DataError

SIZE = (48, 64)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("photographs")
    for number, grey in enumerate((60, 80, 100, 120, 140)):
        write_image(root / f"{number}.jpg", np.full((100, 150, 3), grey, np.uint8))
    return str(root)


def drawn(path: str, **fields: Any) -> DrawnObjects:
    own = {"size": SIZE, "count": 40, "validation": 10, "test": 6} | fields
    return DrawnObjects(path, **own)


def batch(source: Any, split: str = "train", **options: Any) -> tuple[np.ndarray, np.ndarray]:
    options = {"batch_size": source.spec().splits[split]} | options
    x, y = next(iter(source.input_fn(split, **options).as_numpy_iterator()))
    return np.asarray(x), np.asarray(y)


def test_a_box_is_what_is_drawn_on_the_photograph(photographs: str) -> None:
    source = drawn(photographs, classes=("crescent", "star"), objects=(1, 1))
    assert source.spec().splits == {"train": 40, "validation": 10, "test": 6}
    x, y = batch(source)
    assert y.shape == (40, 1, 6)
    for image, (box,) in zip(x, y, strict=True):
        coloured = np.argwhere(np.ptp(image.astype(int), axis=2) > 12)
        (top, left), (bottom, right) = coloured.min(axis=0), coloured.max(axis=0) + 1
        expected = [left, top, right, bottom]
        np.testing.assert_allclose(box[:4] * [64, 48, 64, 48], expected, atol=1.5)
    assert {*y[:, 0, 4].tolist()} == {0, 1}
    counts = source.object_counts()["train"]
    assert sum(counts.values()) == 40


def test_what_is_held_out_has_photographs_of_its_own(photographs: str) -> None:
    source = drawn(photographs, objects=(0, 1))
    # The last fifth of five photographs is the last one, of a grey of 140.
    greys = {s: {int(np.median(i)) for i in batch(source, s)[0]} for s in source.spec().splits}
    assert greys["validation"] == greys["test"] == {140}
    assert greys["train"] == {60, 80, 100, 120}
    assert any(note.startswith("Without an object") for note in source.notes())


def test_the_same_seed_draws_the_same(photographs: str) -> None:
    source = drawn(photographs, objects=(1, 4), classes=("a", "b", "c"))
    x, y = batch(source)
    again_x, again_y = batch(source.replace())
    np.testing.assert_array_equal(x, again_x)
    np.testing.assert_array_equal(y, again_y)
    assert not np.array_equal(x, batch(source.replace(seed=1))[0])
    assert y.shape == (40, 4, 6)
    assert 1 <= (y[..., 4] >= 0).sum(axis=1).min() <= (y[..., 4] >= 0).sum(axis=1).max() <= 4
    changed, moved = batch(source, augment=(augment.flip(alternate=True), augment.brightness(0.1)))
    assert changed.shape == x.shape
    assert not np.array_equal(moved, y)
    for position in (1, 3):
        options: dict[str, Any] = {"batch_size": 8, "shuffle": True, "seed": 2}
        whole = list(source.input_fn("train", **options).as_numpy_iterator())
        rest = list(source.input_fn("train", position=position, **options).as_numpy_iterator())
        np.testing.assert_array_equal(rest[0][1], whole[position][1])


def test_what_cannot_be_drawn(photographs: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"DrawnObjects\.objects=\(3, 1\) should be the smallest"):
        drawn(photographs, objects=(3, 1))
    with pytest.raises(ConfigError, match="name at least one class"):
        drawn(photographs, classes=())
    with pytest.raises(DataError, match="there is no folder"):
        batch(drawn(str(tmp_path / "gone")))
    with pytest.raises(DataError, match="has 0 photographs that can be read"):
        drawn(str(tmp_path)).verify()


@pytest.mark.parametrize(
    "source",
    [
        VOC("gone", size=(32, 48), classes=("a", "b"), fit="letterbox"),
        COCO("gone.json", size=(32, 48), classes=("a", "b"), test="other.json"),
        YOLOText("gone", size=(32, 48), classes=("a", "b"), validation=None),
    ],
    ids=lambda source: type(source).__name__,
)
def test_a_sample_in_place_of_a_source_needs_no_file(source: Any) -> None:
    sample = sample_of(source, 24, 0)
    spec = sample.spec()
    assert spec.classes == ("a", "b")
    assert spec.feature.shape == (32, 48, 3)
    assert spec.feature.letterbox == (source.fit == "letterbox")
    expected = {"train": 24, "validation": 3, "test": 3}
    if source.validation is None:
        del expected["validation"]
    assert spec.splits == expected
    x, y = batch(sample)
    assert x.shape == (24, 32, 48, 3)
    assert (y[..., 4] >= 0).sum(axis=1).min() >= 1
    assert sum(sum(step()) for step in sample.passes().values()) == 24
