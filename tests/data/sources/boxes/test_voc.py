"""VOC's annotations, and what all sources of boxes share: broken ones, splits, disk, letterbox."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_sets import HEIGHT, NAMES, WIDTH, scenes, write_image, write_voc, xml_of
from PIL import Image

from tfpipe.data import VOC, augment, disk_cache
from tfpipe.data.images.decoding import letterboxed
from tfpipe.data.sources.subset import take
from tfpipe.errors import ConfigError, DataError

SIZE = (24, 36)
CAT = ("cat", (2, 3, 12, 9))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    some = {"train": scenes(24, 1), "val": scenes(8, 2), "test": scenes(6, 3)}
    return write_voc(tmp_path_factory.mktemp("voc") / "voc", some)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    token = disk_cache.folder.set(tmp_path / "cache")
    yield tmp_path / "cache"
    disk_cache.folder.reset(token)


def whole(source: Any, split: str = "train", **options: Any) -> tuple[np.ndarray, np.ndarray]:
    options = {"batch_size": source.spec().splits[split]} | options
    x, y = next(iter(source.input_fn(split, **options).as_numpy_iterator()))
    return np.asarray(x), np.asarray(y)


def flat(root: Path, files: dict[str, tuple[np.ndarray | bytes | None, str]]) -> VOC:
    """Images and annotations by name, without lists."""
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, (image, xml) in files.items():
        if isinstance(image, bytes):
            (root / "images" / f"{name}.jpg").write_bytes(image)
        elif image is not None:
            write_image(root / "images" / f"{name}.png", image)
        (root / "annotations" / f"{name}.xml").write_text(xml)
    return VOC(str(root), size=SIZE, validation=None, classes=NAMES)


def refused(source: VOC) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


def plain(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def jpeg(image: np.ndarray, turn: int = 1) -> bytes:
    """A JPEG file with the orientation that a camera notes."""
    picture, written = Image.fromarray(image), io.BytesIO()
    exif = picture.getexif()
    exif[0x0112] = turn
    picture.save(written, "JPEG", quality=95, exif=exif)
    return written.getvalue()


def test_lists_are_splits_and_boxes_are_as_written(root: Path) -> None:
    source = VOC(str(root), size=SIZE)
    assert source.spec().splits == {"train": 24, "validation": 8, "test": 6}
    assert source.spec().classes == tuple(sorted(NAMES))
    x, y = whole(source, "validation")
    for image, boxes, scene in zip(x, y, scenes(8, 2), strict=True):
        np.testing.assert_array_equal(image, scene.image)
        expected = [
            [a / WIDTH, b / HEIGHT, c / WIDTH, d / HEIGHT, sorted(NAMES).index(name), 0]
            for name, (a, b, c, d) in scene.objects
        ]
        np.testing.assert_allclose(boxes[: len(expected)], expected, atol=1e-6)
        assert (boxes[len(expected) :, 4] == -1).all()
    counts = source.object_counts()
    assert list(counts) == ["train", "val", "test"]
    assert sum(counts["val"].values()) == sum(len(s.objects) for s in scenes(8, 2))
    assert refused(source.replace(test="tset")).endswith(
        "has no split 'tset'; there are: test, train, val."
    )
    with pytest.raises(ConfigError, match=r"VOC\.classes names 'cat' twice\."):
        VOC("x", classes=("cat", "cat"))


def test_without_lists_images_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    xml = xml_of((HEIGHT, WIDTH), [CAT])
    source = flat(tmp_path, {f"raccoon-{i}": (plain(), xml) for i in range(1, 12)})
    places = [Path(place).stem for place in source.places("train")]
    assert places == [f"raccoon-{i}" for i in range(1, 12)]
    held = source.replace(validation=2)
    assert [Path(p).stem for p in held.places("validation")] == ["raccoon-10", "raccoon-11"]
    assert source.replace(validation="auto").spec().splits == {"train": 9, "validation": 2}


def test_each_kind_of_broken_box_is_counted_listed_and_left_out(tmp_path: Path) -> None:
    size = (HEIGHT, WIDTH)
    broken = {
        ("cat", (40, 3, 50, 9)): "has a box outside of the image, (36, 24): (40, 3, 50, 9)",
        ("cat", (9, 3, 9, 9)): "has an empty box, (9, 3, 9, 9)",
        ("cat", (9, 9, 3, 3)): "has an empty box, (9, 9, 3, 3)",
        ("cta", (2, 3, 12, 9)): "has the unknown class 'cta'. Did you mean 'cat'?",
        ("cat", (2, "x", 12, 9)): "has a box that is no four numbers",
        ("cat", (2, 3, "inf", 9)): "has a box that is no four numbers",
        ("cat", (2, 3, 12)): "has a box that is no four numbers",
        ("", (2, 3, 12, 9)): "has no class",
    }
    source = flat(tmp_path, {"a": (plain(), xml_of(size, [*broken, CAT]))})
    text = refused(source)
    assert "8 of 9 objects cannot be used" in text
    assert text.endswith("Repair them, or leave them out with data.on_bad=skip.")
    for number, what in enumerate(broken.values(), 1):
        assert f"annotations/a.xml, object {number}: {what}" in text
    kept = source.replace(on_bad="skip")
    (boxes,) = whole(kept)[1]
    np.testing.assert_allclose(boxes, [[2 / 36, 3 / 24, 12 / 36, 9 / 24, 0, 0]], atol=1e-6)
    assert kept.notes()[0].startswith("8 of 9 objects could not be used and were left out")


def test_each_kind_of_broken_file_is_counted_listed_and_left_out(tmp_path: Path) -> None:
    xml = xml_of((HEIGHT, WIDTH), [CAT])
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'
    files: dict[str, Any] = {
        "1-sound": (plain(), xml),
        "2-gone": (None, xml),
        "3-size": (plain(), xml_of((99, WIDTH), [CAT])),
        "4-turned": (jpeg(plain(), turn=6), xml),
        "5-text": (b"no image", xml),
        "6-xml": (plain(), "<annotation>"),
        "7-entity": (plain(), bomb),
        "8-sizeless": (plain(), xml_of(None, [CAT])),
    }
    source = flat(tmp_path, files)
    problems = {str(p) for p in source.replace(on_bad="skip")._problems()}
    folder = tmp_path / "images"
    for expected in (
        f"annotations/2-gone.xml: its image x is missing, in {folder}",
        "annotations/3-size.xml: says that 3-size.png has 36x99 pixels; it has 36x24, so its boxes "
        "are of another image",
        "annotations/4-turned.xml: says that 4-turned.jpg has 36x24 pixels; turned upright by its "
        "EXIF, it has 24x36, so its boxes are of another image",
        "annotations/7-entity.xml: is no XML that can be read: it declares an entity",
    ):
        assert expected in problems
    assert any(p.startswith("annotations/5-text.xml: its image 5-text.jpg is no") for p in problems)
    assert any(p.startswith("annotations/6-xml.xml: is no XML that can be read") for p in problems)
    assert len(problems) == 6
    assert "6 of 8 objects cannot be used" in refused(source)
    # Those whose XML cannot be read are no background.
    kept = source.replace(on_bad="skip")
    assert [Path(p).stem for p in kept.places("train")] == [
        "1-sound",
        "8-sizeless",
    ]


def test_a_photo_that_is_turned_and_annotated_as_people_see_it(tmp_path: Path) -> None:
    image = plain(40, 20)
    image[5:15, 4:12] = (255, 0, 0)
    stored = np.rot90(image)  # a camera held upright notes 6: to be turned clockwise
    source = flat(
        tmp_path, {"a": (jpeg(stored, turn=6), xml_of((40, 20), [("cat", (4, 5, 12, 15))]))}
    )
    source = source.replace(size=(40, 20))
    (seen,), (boxes,) = whole(source)
    red = np.argwhere(seen[..., 0].astype(int) - seen[..., 1] > 100)
    (top, left), (bottom, right) = red.min(axis=0), red.max(axis=0) + 1
    np.testing.assert_allclose(boxes[0, :4] * [20, 40, 20, 40], [left, top, right, bottom], atol=1)


def test_a_broken_file_whose_header_is_sound_is_found_when_it_is_decoded(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    xml = xml_of((HEIGHT, WIDTH), [CAT])
    cut = jpeg(noise)
    files: dict[str, Any] = {
        "a": (plain(), xml),
        "b": (cut[: len(cut) // 2], xml),
        "c": (noise, xml),
    }
    source = flat(tmp_path, files)
    assert source.spec().splits == {"train": 3}  # by the headers
    with pytest.raises(DataError, match=r"1 of 3 images cannot be used:\n.*b\.jpg: is truncated"):
        source.verify()
    kept = source.replace(on_bad="skip")
    assert kept.spec().splits == {"train": 2}
    assert [Path(p).stem for p in kept.places("train")] == ["a", "c"]
    x, y = whole(kept)
    np.testing.assert_array_equal(x, [plain(), noise])
    assert y[:, 0, 4].tolist() == [0, 0]
    assert kept.notes()[0].startswith("1 of 3 objects could not be used and were left out")
    assert [str(p).endswith("is truncated or damaged (JPEG)") for p in kept._problems()] == [True]
    part = take(kept, 0.5)
    x, _ = whole(part)
    assert len(x) == 1
    assert x[0].tobytes() in (plain().tobytes(), noise.tobytes())


def test_boxes_that_stick_out_are_cut_and_by_more_than_a_pixel_it_is_said(tmp_path: Path) -> None:
    size = (HEIGHT, WIDTH)
    pixel = xml_of(size, [("cat", (-1, 0, 10, HEIGHT + 1))])  # counted from 1, or one too far
    more = xml_of(size, [("dog", (-4, 3, WIDTH + 20, 9)), ("dog", (3, 3, 9, 9))])
    source = flat(tmp_path, {"a": (plain(), pixel), "b": (plain(), more)})
    assert source.notes() == ["Cut at the edge of their image, out of which they stuck: 1 box."]
    _, y = whole(source)
    np.testing.assert_allclose(y[0, 0, :4], [0, 0, 10 / 36, 1], atol=1e-6)
    np.testing.assert_allclose(y[1, 0, :4], [0, 3 / 24, 1, 9 / 24], atol=1e-6)


def test_difficult_objects_are_ignored(tmp_path: Path) -> None:
    xml = xml_of((HEIGHT, WIDTH), [CAT, ("dog", (1, 1, 9, 9))])
    xml = xml.replace("<name>dog</name>", "<name>dog</name><difficult>1</difficult>")
    _, y = whole(flat(tmp_path, {"a": (plain(), xml)}))
    assert y[0, :, 4:].tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_disk_instead_of_memory_gives_the_same_batches(root: Path, disk: Path, fit: Any) -> None:
    source = VOC(str(root), size=(32, 32), fit=fit)
    changes = (augment.flip(), augment.zoom(0.3), augment.brightness(0.2))
    options: dict[str, Any] = {"batch_size": 8, "shuffle": True, "seed": 3, "augment": changes}
    kept = list(source.input_fn("train", cache=True, **options).as_numpy_iterator())
    fresh = source.replace()
    streamed = list(fresh.input_fn("train", cache=False, **options).as_numpy_iterator())
    assert fresh.keeps(False) == "disk"
    assert len(list(disk.glob("*.npy"))) == 1
    resumed = list(fresh.input_fn("train", cache=False, position=2, **options).as_numpy_iterator())
    for (x, y), (own_x, own_y) in zip(kept, streamed, strict=True):
        np.testing.assert_array_equal(x, own_x)
        np.testing.assert_array_equal(y, own_y)
    np.testing.assert_array_equal(resumed[0][0], kept[2][0])
    np.testing.assert_array_equal(resumed[0][1], kept[2][1])


@pytest.mark.parametrize(("height", "width"), [(30, 60), (60, 30), (17, 53), (32, 32)])
def test_a_letterboxed_box_is_where_its_object_is(tmp_path: Path, height: int, width: int) -> None:
    image = plain(height, width)
    image[4:12, 6:15] = (255, 0, 0)
    xml = xml_of((height, width), [("cat", (6, 4, 15, 12))])
    source = flat(tmp_path, {"a": (image, xml)}).replace(size=(64, 64), fit="letterbox")
    (seen,), (boxes,) = whole(source)
    np.testing.assert_array_equal(seen, letterboxed(image, (64, 64)))
    assert source.spec().feature.letterbox
    red = np.argwhere(seen[..., 0].astype(int) - seen[..., 1] > 80)
    (top, left), (bottom, right) = red.min(axis=0), red.max(axis=0) + 1
    np.testing.assert_allclose(boxes[0, :4] * 64, [left, top, right, bottom], atol=1.5)


def test_a_crop_that_would_lose_the_boxes_is_refused(root: Path) -> None:
    source = VOC(str(root), size=SIZE)
    with pytest.raises(ConfigError) as caught:
        source.input_fn("train", batch_size=4, augment=(augment.crop(2),))
    assert str(caught.value) == (
        "augment.crop moves an image without its boxes. Use augment.shift, or "
        "augment.random_resized_crop."
    )


def test_a_share_of_the_images_has_its_boxes_moved_as_the_whole_has(root: Path) -> None:
    source = VOC(str(root), size=SIZE)
    part = take(source, 0.5)
    assert part.spec().splits["train"] == 12
    x, y = whole(source, augment=(augment.flip(alternate=True),))
    flipped = {image.tobytes(): boxes for image, boxes in zip(x, y, strict=True)}
    plain_boxes = {i.tobytes(): b.tobytes() for i, b in zip(*whole(source), strict=True)}
    own = whole(part, augment=(augment.flip(alternate=True),))
    changed = 0
    for image, boxes in zip(*own, strict=True):
        changed += image.tobytes() not in plain_boxes
        if image.tobytes() in flipped:
            np.testing.assert_array_equal(boxes, flipped[image.tobytes()])
    assert changed


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "there is no folder" in refused(VOC(str(tmp_path / "gone")))
    assert "has no folder Annotations or annotations, and no XML file." in refused(
        VOC(str(tmp_path))
    )
    with pytest.raises(DataError, match=r"none of its 1 annotations has an object\."):
        flat(tmp_path, {"a": (plain(), xml_of(None, []))}).replace(classes=()).spec()
