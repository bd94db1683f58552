"""Pairs of images: aligned, reproducible squares to train on, whole images to judge."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfpipe.data import ImagePairs, augment
from tfpipe.data.sources.sample import sample_of
from tfpipe.errors import ConfigError, DataError

SIZES = ((40, 52), (33, 47), (64, 36), (50, 50))


def photo(height: int, width: int, seed: int) -> np.ndarray:
    """An image in which every place is told from the others, without noise that shrinking loses."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [4 * y + seed, 5 * x, 2 * (x + y)]
    return np.stack(planes, axis=-1).clip(0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good").mkdir()
    for number, size in enumerate(SIZES):
        Image.fromarray(photo(*size, number)).save(tmp_path / "good" / f"{number}.png")
    return tmp_path / "good"


def batches(source: ImagePairs, split: str, **options) -> list[tuple[np.ndarray, np.ndarray]]:
    given = {"batch_size": 3, "shuffle": True, **options}
    return [(x.numpy(), y.numpy()) for x, y in source.input_fn(split, **given)]


def test_squares_of_both_are_of_one_place(folder: Path) -> None:
    source = ImagePairs(str(folder), shrink=2, crop=16, crops=5, validation=1)
    assert source.spec().splits == {"train": 15, "validation": 1}
    (first, *_) = found = batches(source, "train")
    assert [len(x) for x, _ in found] == [3] * 5
    assert first[0].shape == (3, 8, 8, 3)
    assert first[1].shape == (3, 16, 16, 3)
    for x, y in found:
        # Bicubic shrinking of a plane is its mean, but at an image's edge.
        means = y.reshape(len(y), 8, 2, 8, 2, 3).mean((2, 4))
        assert np.abs(means - x)[:, 1:-1, 1:-1].max() <= 2
    places = {y[0, 0].tobytes() for _, some in found for y in some}
    assert len(places) > 10  # each square is drawn


def test_batches_are_a_pure_function_of_seed_epoch_and_place(folder: Path) -> None:
    source = ImagePairs(str(folder), shrink=2, noise=9.0, crop=16, crops=4, validation=1)
    changes = (augment.flip(), augment.quarter_turn())
    whole = batches(source, "train", epoch=2, augment=changes)
    again = batches(source.replace(), "train", epoch=2, position=2, augment=changes)
    for one, other in zip(whole[2:], again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    other_epoch = batches(source, "train", epoch=3, augment=changes)
    assert any((a[1] != b[1]).any() for a, b in zip(whole, other_epoch, strict=True))
    halves = [batches(source, "train", epoch=2, shard=(i, 2), augment=changes) for i in range(2)]
    joined = np.concatenate([halves[0][0][0], halves[1][0][0]])
    np.testing.assert_array_equal(joined, whole[0][0])


def test_augmentation_moves_both_alike(folder: Path) -> None:
    source = ImagePairs(str(folder), shrink=2, crop=16, crops=8, validation=None)
    plain, moved = (
        batches(source, "train", augment=given)
        for given in ((), (augment.flip(vertical=True), augment.quarter_turn()))
    )
    turned = 0
    for (x, y), (a, b) in zip(plain, moved, strict=True):
        for before, small, after, large in zip(x, y, a, b, strict=True):
            ways = [
                (np.rot90(before[:: s[0], :: s[1]], k), np.rot90(small[:: s[0], :: s[1]], k))
                for k in range(4)
                for s in ((1, 1), (1, -1))
            ]
            (way,) = {i for i, (p, q) in enumerate(ways) if (p == after).all()}
            assert (ways[way][1] == large).all()
            turned += way != 0
    assert turned > 10


def test_what_is_held_out_is_whole_and_always_the_same(folder: Path) -> None:
    source = ImagePairs(str(folder), shrink=2, noise=5.0, crop=16, test=1, validation=1)
    for split in ("validation", "test"):
        (found,) = batches(source, split)
        ((again_x, again_y),) = batches(source.replace(), split, epoch=4, batch_size=7)
        np.testing.assert_array_equal(found[0], again_x)
        np.testing.assert_array_equal(found[1], again_y)
    assert source.places("test") == [str(folder / "3.png")]
    np.testing.assert_array_equal(found[1][0], photo(50, 50, 3))
    assert found[0].shape == (1, 25, 25, 3)
    exact = ImagePairs(str(folder), shrink=2, crop=16, validation=None, test=1)
    ((x, _),) = batches(exact, "test")
    expected = Image.fromarray(photo(50, 50, 3)).resize((25, 25), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(x[0], np.asarray(expected))


def test_rows_that_a_scale_does_not_divide_are_left_out_and_said(folder: Path) -> None:
    source = ImagePairs(str(folder), shrink=3, crop=15, validation=None)
    assert source.notes() == [
        "4 of 4 images lost up to 2 rows or columns at the end, so that 3 divides them."
    ]


def test_blur_and_grey_are_made_of_the_good_image(folder: Path) -> None:
    grey = ImagePairs(str(folder), grey=True, crop=16, validation=None, test=1)
    (feature,), label = grey.element()
    assert (feature.shape, label.shape, label.scale) == ((0, 0, 1), (0, 0, 3), 1)
    ((x, y),) = batches(grey, "test")
    expected = np.asarray(Image.fromarray(y[0]).convert("L"))
    np.testing.assert_array_equal(x[0, ..., 0], expected)
    ((x, y),) = batches(ImagePairs(str(folder), blur=2.0, crop=16, validation=None, test=1), "test")
    assert x.shape == y.shape
    assert 0 < np.abs(x.astype(int) - y).max() < 60


def test_pairs_of_two_folders(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    for number, (height, width) in enumerate(SIZES):
        size = (width // 2 * 2, height // 2 * 2)
        image = Image.fromarray(photo(size[1], size[0], number))
        image.save(folder / f"{number}.png")
        image.resize((size[0] // 2, size[1] // 2)).save(small / f"{number}.bmp")
    source = ImagePairs(str(small), targets=str(folder), crop=16, validation=1)
    assert source.element()[1].scale == 2
    assert "2 times as large" in source.label_reading()
    assert batches(source, "train")[0][1].shape == (3, 16, 16, 3)
    (folder / "3.png").unlink()
    Image.fromarray(photo(9, 9, 0)).save(folder / "extra.png")
    with pytest.raises(DataError, match=r"1 image without a target \(3 first\) and 1 target with"):
        source.replace(crop=8).spec()
    (folder / "extra.png").rename(folder / "3.png")
    with pytest.raises(DataError, match=r"3.bmp: 25x25 pixels, and its target 3.png has 9x9 where"):
        source.replace(crop=8).spec()
    Image.fromarray(photo(20, 20, 0)).save(folder / "2.bmp")
    with pytest.raises(DataError, match=r"2\.bmp and 2\.png in .* have one name, by which pairs"):
        source.replace(crop=8).spec()
    (folder / "2.bmp").unlink()
    left_out = source.replace(crop=8, on_bad="skip")
    assert left_out.spec().splits == {"train": 2, "validation": 1}
    assert "1 of 4 images could not be used" in left_out.notes()[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r"nothing to learn: give targets=FOLDER, or say how"),
        ({"targets": "b", "shrink": 2, "blur": 1.0}, r"and shrink, blur would make"),
        ({"shrink": 4, "crop": 90}, r"crop=90 is no multiple of shrink=4. Use 88."),
        ({"grey": True, "channels": 1}, r"has targets in colour: leave channels=1 out"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(given: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ImagePairs("a", **given)


def test_files_that_cannot_be_used_are_listed(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:90])
    with pytest.raises(DataError) as error:
        ImagePairs(str(folder), shrink=2, crop=40).spec()
    assert "3 of 5 images cannot be used" in str(error.value)
    assert "1.png: 32x46 pixels, less than data.crop=40" in str(error.value)
    assert "broken.png: is truncated or damaged" in str(error.value)
    with pytest.raises(ConfigError, match=r"ImagePairs.test=.* is what is trained on"):
        ImagePairs(str(folder), shrink=2, test=str(folder)).spec()
    with pytest.raises(DataError, match=r"there is no folder .*gone"):
        ImagePairs(str(tmp_path / "gone"), shrink=2).spec()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no image in .*empty"):
        ImagePairs(str(tmp_path / "empty"), shrink=2).spec()


def test_generated_images_stand_in(folder: Path) -> None:
    source = ImagePairs("gone", shrink=3, crop=30, crops=2, test="gone_too")
    sample = sample_of(source, 12, 0)
    assert sample.spec().splits == {"train": 20, "validation": 2, "test": 1}
    ((x, y),) = batches(sample, "test")
    assert y.shape[1:3] == tuple(3 * side for side in x.shape[1:3])
    again = batches(sample_of(source, 12, 0), "train")
    assert all((a[1] == b[1]).all() for a, b in zip(again, batches(sample, "train"), strict=True))
