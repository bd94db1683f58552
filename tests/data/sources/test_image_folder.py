"""Folders of images: layouts, names, what is broken, and decoding once."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data import ImageFolder, disk_cache, free_memory
from tfpipe.data.images.files import Decoder
from tfpipe.data.layouts import images_below
from tfpipe.data.sources.sample import sample_of
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError, StorageError
from tfpipe.text import byte_size

Put = Callable[..., Path]
ENCODE = {
    ".png": tf.io.encode_png,
    ".jpg": tf.io.encode_jpeg,
    ".JPEG": tf.io.encode_jpeg,
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder is the test's own, as is runs/.cache in it."""
    monkeypatch.chdir(tmp_path)
    token = disk_cache.folder.set(Path("runs/.cache"))
    yield tmp_path
    disk_cache.folder.reset(token)


@pytest.fixture
def put(here: Path) -> Put:
    """Writes an image of noise, no two alike: (path in `photos`, shape)."""

    def put(name: str, shape: tuple[int, ...] = (6, 4, 3)) -> Path:
        path = here / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(list(name.encode())).integers(0, 256, shape, np.uint8)
        path.write_bytes(ENCODE[path.suffix](pixels).numpy())
        return path

    return put


@pytest.fixture
def pets(put: Put) -> ImageFolder:
    """Two classes of ten, one level."""
    for number in range(10):
        put(f"cat/{number}.jpg")
        put(f"dog/{number}.jpg")
    return ImageFolder("photos", validation=None)


def refused(source: ImageFolder) -> str:
    with pytest.raises(DataError) as caught:
        source.verify()
    return str(caught.value)


def read(source: ImageFolder, split: str = "train", **options: Any) -> list[tuple[bytes, int]]:
    batches = source.input_fn(split, **{"batch_size": 2, **options}).as_numpy_iterator()
    return [
        (x.tobytes(), int(label))
        for images, labels in batches
        for x, label in zip(images, labels, strict=True)
    ]


def pixels(path: Path) -> bytes:
    return bytes(tf.io.decode_image(path.read_bytes()).numpy().tobytes())


# Layouts


def test_one_level(put: Put) -> None:
    files = [put(f"{name}/{number}.png") for name in ("cat", "dog") for number in (10, 9)]
    source = ImageFolder("photos", validation=0.5)
    assert source.element() == (
        (Feature("image", (6, 4, 3), "uint8", "image"),),
        Label("label", "class", (), ("cat", "dog")),
    )
    assert source.spec().splits == {"train": 2, "validation": 2}
    assert source.class_counts() == {
        "train": {"cat": 1, "dog": 1},
        "validation": {"cat": 1, "dog": 1},
    }
    whole = source.replace(validation=None)
    assert read(whole) == [(pixels(f), i // 2) for i, f in enumerate(files)]  # 10 before 9: as text


@pytest.mark.parametrize("name", ["valid", "val", "validation"])
@pytest.mark.parametrize("inner", ["", "images/"])
def test_ready_splits(put: Put, name: str, inner: str) -> None:
    for split, size in (("train", 3), (name, 2), ("test", 1), ("extra", 1)):
        for number in range(size):
            put(f"{split}/cat/{inner}{number}.png")
            put(f"{split}/dog/{inner}{number}.png")
    source = ImageFolder("photos")
    assert source.spec().splits == {"train": 6, "validation": 4, "test": 2}
    assert read(source, "test")[1] == (pixels(Path(f"photos/test/dog/{inner}0.png")), 1)
    assert source.replace(validation=name, test="extra").spec().splits["test"] == 2
    assert source.replace(validation=0.5, test=None).spec().splits == {"train": 3, "validation": 3}
    assert source.notes() == []


def test_tiny_imagenet(put: Put) -> None:
    for number in range(4):
        put(f"train/n01/images/n01_{number}.JPEG")
        put(f"train/n02/images/n02_{number}.JPEG")
        put(f"val/images/val_{number}.JPEG")
    put("test/images/test_0.JPEG")
    Path("photos/train/n01/n01_boxes.txt").write_text("n01_0.JPEG\t0\t0\t9\t9\n")
    Path("photos/words.txt").write_text("n02\tsalmon, fish\nn01\ttench\nn99\tnot here\n")
    lines = [f"val_{n}.JPEG\tn0{2 - n % 2}\t0\t0\t9\t9\n" for n in (3, 0, 2, 1)]
    Path("photos/val/val_annotations.txt").write_text("".join(lines))
    source = ImageFolder("photos", names="words.txt")
    assert source.spec().classes == ("tench", "salmon, fish")
    assert source.spec().splits == {"train": 8, "validation": 4}
    files = [Path(f"photos/val/images/val_{n}.JPEG") for n in (1, 3, 0, 2)]
    decoded = [tf.io.decode_jpeg(f.read_bytes(), dct_method="INTEGER_ACCURATE") for f in files]
    expected = [(d.numpy().tobytes(), i // 2) for i, d in enumerate(decoded)]
    assert read(source, "validation") == expected


def test_an_annotations_file_with_mistakes(put: Put) -> None:
    for name in ("train/a/0.png", "train/b/0.png", "val/images/0.png", "val/images/1.png"):
        put(name)
    text = "0.png\ta\n9.png\ta\n1.png\tc\n0.png\tb\n1.png\n"
    Path("photos/val/val_annotations.txt").write_text(text)
    assert refused(ImageFolder("photos")) == (
        "ImageFolder('photos'): 4 of 5 lines cannot be used:\n"
        "  photos/val/val_annotations.txt:2: there is no image '9.png' in images/\n"
        "  photos/val/val_annotations.txt:3: train/ has no class 'c'\n"
        "  photos/val/val_annotations.txt:4: the image '0.png' was named before\n"
        "  photos/val/val_annotations.txt:5: is no line of file, tab, class\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )
    left = ImageFolder("photos", on_bad="skip")
    assert left.spec().splits == {"train": 2, "validation": 1}
    assert left.notes() == [
        "4 of 5 lines could not be used and were left out (data.on_bad=skip); the first is "
        "photos/val/val_annotations.txt:2: there is no image '9.png' in images/."
    ]


def test_what_is_no_image_is_passed_over(put: Put, here: Path) -> None:
    put("cat/0.png")
    put("dog/0.png")
    put(".hidden/0.png")
    put("cat/.0.png")
    put("dog/.ipynb_checkpoints/0.png")
    Path("photos/cat/notes.txt").write_text("x")
    Path("photos/readme.txt").write_text("x")
    (here / "photos" / "dog" / "loop").symlink_to(here / "photos" / "dog")
    (here / "photos" / "dog" / "all").symlink_to(here / "photos")
    assert images_below(here / "photos") == ["cat/0.png", "dog/0.png"]
    assert ImageFolder("photos", validation=None).spec().splits == {"train": 2}


def test_declared_classes_are_in_their_order(put: Put) -> None:
    for name in ("a", "b", "c", "d"):
        put(f"train/{name}/0.png")
        put(f"test/{name}/0.png")
    source = ImageFolder("photos", classes=("c", "a"), validation=None)
    assert source.spec().classes == ("c", "a")
    assert [label for _, label in read(source, "test")] == [0, 1]
    assert source.notes() == ["2 folders not declared in classes: b, d. Left out."]


def test_how_many_classes_there_are_can_be_declared(put: Put, here: Path) -> None:
    for name in ("a", "b", "c"):
        put(f"{name}/0.png")
    source = ImageFolder("photos", classes=3, validation=None)
    assert source.spec().classes == ("a", "b", "c")
    assert refused(source.replace(classes=4)) == (
        f"ImageFolder('photos'): {here}/photos has 3 class folders where data.classes=4 says how "
        "many there are. Set data.classes=3, or find out what is missing or too many."
    )
    (_, label) = ImageFolder("none", size=(8, 8), classes=4).element()
    assert label.classes == ("1", "2", "3", "4")


# Names


def test_names_are_by_folder_and_never_by_position(put: Put) -> None:
    for name in ("1", "10", "2"):
        put(f"{name}/0.png")
    Path("names.json").write_text(json.dumps({"1": "rose", "2": "iris", "10": "lily"}))
    assert ImageFolder("photos", names="names.json").element()[1].classes == (
        "rose",
        "lily",
        "iris",
    )
    assert ImageFolder("photos").notes() == [
        "The class folders are numbers, in the order of text: 1, 10, 2. Another order is declared "
        "with data.classes=(...)."
    ]
    Path("names.json").write_text(json.dumps({"1": "rose", "2": "iris", "10": "rose"}))
    found = ImageFolder("photos", names="names.json").element()[1].classes
    assert found == ("rose (1)", "rose (10)", "iris")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "names.json",
            '["rose", "lily"]',
            'holds a list; a map of folder names to names is expected: {"21": "rose"}. Names by '
            "position would go to the wrong classes.",
        ),
        (
            "names.json",
            "{",
            "is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 "
            "(char 1).",
        ),
        (
            "names.txt",
            "rose\nlily\n",
            "has no name for the class folder 'cat'. It names folders, not positions. There is: "
            "lily, rose.",
        ),
        ("names.txt", "cat\tCat\ndog\t\n", ", line 2: 'dog\\t' is not a folder, a tab and a name."),
        ("names.txt", "cat\tA\ncat\tB\n", ", line 2: the folder 'cat' has two names."),
        ("names.txt", None, "cannot be read: No such file or directory."),
    ],
)
def test_a_names_file_of_the_wrong_form(
    pets: ImageFolder, file: str, text: str | None, message: str
) -> None:
    where = file
    if text is None:
        where = f"photos/{file}"
    else:
        Path(file).write_text(text)
    with pytest.raises(DataError) as caught:
        pets.replace(names=file).element()
    gap = "" if message.startswith(",") else " "
    assert str(caught.value) == f"ImageFolder('photos'): the names file {where}{gap}{message}"


# Without the folder


def test_a_folder_that_is_not_there(here: Path) -> None:
    assert refused(ImageFolder("photos")) == (
        f"ImageFolder('photos'): there is no folder {here}/photos. Set data.path, which is "
        "relative to the current folder; or, to try the pipeline without it by --sample, declare "
        "data.size=(height, width) and data.classes, by name or how many."
    )


def test_a_sample_needs_no_folder() -> None:
    source = ImageFolder("photos", size=(8, 9), classes=("cat", "dog"), names="names.json")
    spec = sample_of(source, 20, 0).spec()
    assert spec.feature == Feature("image", (8, 9, 3), "uint8", "image")
    assert spec.classes == ("cat", "dog")


# What cannot be learnt from


def test_folders_that_are_no_classes(put: Put, here: Path) -> None:
    put("0.png")
    expected = (
        "Expected is a folder for each class with images in it (jpg, jpeg, jpe, jfif, png, gif, "
        "bmp, webp, tif, tiff, avif): <class>/*.jpg, or train/<class>/*.jpg beside valid/ and "
        "test/."
    )
    owner = f"ImageFolder('photos'): {here}/photos has"
    assert refused(ImageFolder("photos")) == f"{owner} no class folders. {expected}"
    Path("photos/cat").mkdir()
    assert refused(ImageFolder("photos")) == f"{owner} no image in its class folders. {expected}"


def test_one_class_only(put: Put, here: Path) -> None:
    put("set/cat/0.png")
    put("set/dog/0.png")
    for on_bad in ("error", "skip"):
        assert refused(ImageFolder("photos", on_bad=on_bad)) == (
            f"ImageFolder('photos'): {here}/photos has one class only, 'set', and telling classes "
            "apart takes two or more, each in a folder of its own. If they are those in set/, "
            "point data.path at it."
        )


def test_a_class_without_an_image(put: Put, here: Path) -> None:
    for name in ("train/a/0.png", "train/b/0.png", "test/a/0.png", "test/c/0.png"):
        put(name)
    Path("photos/train/c").mkdir()
    source = ImageFolder("photos", validation=None)
    assert refused(source) == (
        f"ImageFolder('photos'): {here}/photos/train has 1 class folder without an image: c. Fill "
        "or remove it, declare the classes to read with data.classes=(...), or leave it out with "
        "data.on_bad=skip."
    )
    left = source.replace(on_bad="skip")
    assert left.spec().splits == {"train": 2, "test": 1}
    assert left.notes() == [
        "1 class folder without an image: c. Left out.",
        "test/ has no image of 1 class: b.",
    ]


def test_a_class_that_only_the_test_split_has(put: Put, here: Path) -> None:
    for name in ("train/cat/0.png", "train/dog/0.png", "test/cat/0.png", "test/dogs/0.png"):
        put(name)
    assert refused(ImageFolder("photos", validation=None)) == (
        f"ImageFolder('photos'): {here}/photos/test has the class folder 'dogs', which train/ has "
        "not. Did you mean 'dog'? Name it alike, or declare the classes to read with "
        "data.classes=(...)."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"validation": "vald"}, "photos has no split 'vald' with classes. Did you mean 'valid'?"),
        ({"test": "later"}, "photos has no split 'later' with classes. There is: valid."),
        (
            {"classes": ("cat", "dgo")},
            "photos/train has no class folder 'dgo'. Did you mean 'dog'?",
        ),
    ],
)
def test_names_that_are_not_there(
    put: Put, here: Path, fields: dict[str, Any], message: str
) -> None:
    for name in ("train/cat/0.png", "train/dog/0.png", "valid/cat/0.png"):
        put(name)
    assert refused(ImageFolder("photos", **fields)) == f"ImageFolder('photos'): {here}/{message}"


# Broken files


def test_broken_files_are_found_counted_and_listed(put: Put, pets: ImageFolder) -> None:
    whole = put("cat/3.jpg").read_bytes()
    put("cat/3.jpg").write_bytes(whole[: len(whole) // 2])
    put("cat/5.jpg").write_bytes(b"")
    put("dog/1.jpg").write_bytes(b"<html>not found</html>")
    put("dog/2.jpg", (6, 5, 3))
    Path("photos/dog/9.jpg").unlink()
    Path("photos/dog/9.jpg").symlink_to("nowhere.jpg")
    assert refused(pets) == (
        "ImageFolder('photos'): 5 of 20 images cannot be used:\n"
        "  photos/cat/3.jpg: is truncated or damaged (JPEG)\n"
        "  photos/cat/5.jpg: is empty\n"
        "  photos/dog/1.jpg: is no JPEG, PNG, GIF, BMP, WebP, TIFF or AVIF image\n"
        "  photos/dog/2.jpg: 6x5 pixels where 6x4 were expected; data.size=(6, 4) resizes\n"
        "  photos/dog/9.jpg: cannot be read: No such file or directory\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )
    assert pets.spec().splits == {"train": 20}  # nothing was decoded to say so


@pytest.mark.parametrize("cache", [True, False])
def test_broken_files_are_left_out(put: Put, pets: ImageFolder, cache: bool) -> None:
    files = [f"{name}/{number}.jpg" for name in ("cat", "dog") for number in range(10)]
    expected = [(n, *sample) for n, sample in zip(files, read(pets), strict=True)]
    for name in ("cat/3.jpg", "dog/8.jpg"):
        put(name).write_bytes(b"")
    left = pets.replace(on_bad="skip")
    found = read(left, cache=cache)
    assert found == [tuple(s) for n, *s in expected if n not in ("cat/3.jpg", "dog/8.jpg")]
    assert left.spec().splits == {"train": 18}
    assert left.class_counts() == {"train": {"cat": 9, "dog": 9}}
    assert left.notes() == [
        "2 of 20 images could not be used and were left out (data.on_bad=skip); the first is "
        "photos/cat/3.jpg: is empty."
    ]
    held_out = left.replace(validation=0.5)
    parts = [read(held_out, split, cache=cache) for split in ("train", "validation")]
    assert sorted(parts[0] + parts[1]) == sorted(found)


def test_a_broken_file_of_the_test_split_is_found_before_training(put: Put) -> None:
    for name in ("train/a/0.png", "train/b/0.png", "test/a/0.png", "test/b/0.png"):
        put(name)
    put("test/b/0.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"photos/test/b/0\.png: is truncated or damaged \(PNG\)"):
        ImageFolder("photos", validation=None).input_fn("train", batch_size=1)


def test_a_class_of_which_nothing_is_left(put: Put, pets: ImageFolder) -> None:
    for number in range(10):
        put(f"dog/{number}.jpg").write_bytes(b"")
    assert refused(pets.replace(on_bad="skip")) == (
        "ImageFolder('photos'): not one of the 10 training images of the class 'dog' can be used; "
        "the first is photos/dog/0.jpg: is empty."
    )
    for number in range(10):
        put(f"cat/{number}.jpg").write_bytes(b"")
    assert refused(pets) == (
        "ImageFolder('photos'): none of the 20 images looked at can be used; the first is "
        "photos/cat/0.jpg: is empty."
    )


def test_images_of_many_sizes(put: Put) -> None:
    for number in range(4):
        put(f"cat/{number}.png", (5 + number // 2, 5, 3))
        put(f"dog/{number}.png", (5 + number // 2, 5, 1))
    assert refused(ImageFolder("photos", channels=3)) == (
        "ImageFolder('photos'): the images are of differing sizes: among 8 there are 4 of 5x5, 4 "
        "of 6x5. Declare data.size=(height, width) to have all of them made alike."
    )
    alike = ImageFolder("photos", size=(5, 5), validation=None)
    assert alike.spec().feature.shape == (5, 5, 3), "where as many are grey, colour loses nothing"
    alike.verify()
    assert alike.notes() == [
        "4 of 8 images were converted to colour (4 grey). data.channels declares it otherwise."
    ]
    source = ImageFolder("photos", size=(4, 7), channels=3, validation=None)
    assert {len(image) for image, _ in read(source)} == {4 * 7 * 3}


def test_a_file_is_what_its_bytes_say(put: Put) -> None:
    image = put("a/0.png")
    named = image.with_name("1.jpg")
    shutil.copy(image, named)
    stored: dict[int, Any] = {}

    def store(start: int, rows: np.ndarray) -> None:
        stored.update({start + i: row.tobytes() for i, row in enumerate(rows)})

    assert Decoder((6, 4, 3), None).decode([named, named], store) == ([], {3: 2})
    assert stored == {0: pixels(image), 1: pixels(image)}


# On disk


def npy() -> list[Path]:
    return sorted(Path("runs/.cache").glob("*.npy"))


def test_the_next_run_decodes_nothing(pets: ImageFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(pets, cache=True, shuffle=True)
    assert npy() == []
    first = pets.replace()
    assert read(first, cache=False, shuffle=True) == expected
    (file,) = npy()
    written = file.stat().st_mtime_ns
    monkeypatch.setattr(Decoder, "decode", lambda *_: pytest.fail("decoded again"))
    assert read(pets.replace(), cache=False, shuffle=True) == expected
    assert npy() == [file]
    assert file.stat().st_mtime_ns == written
    assert [f for f in file.parent.iterdir() if f.suffix == ".part"] == []


@pytest.mark.parametrize("damage", ["cut", "other", "json"])
def test_a_damaged_file_is_made_anew(pets: ImageFolder, damage: str) -> None:
    expected = read(pets, cache=False)
    (file,) = npy()
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[:-9])
    elif damage == "other":
        file.write_bytes(content[:128] + bytes(len(content) - 128))
    else:
        file.with_suffix(".json").write_text("[")
    assert read(pets.replace(), cache=False) == expected
    assert file.read_bytes() == content


def test_other_images_make_another_file(put: Put, pets: ImageFolder) -> None:
    before = read(pets, cache=False)
    shutil.copy(put("dog/1.jpg"), "photos/cat/0.jpg")
    after = read(pets.replace(), cache=False)
    assert len(npy()) == 2
    assert after[0][0] == after[11][0] == before[11][0] != before[0][0]


def test_what_is_in_memory_can_go_to_disk_and_back(put: Put, pets: ImageFolder) -> None:
    put("cat/4.jpg").write_bytes(b"")
    left = pets.replace(on_bad="skip")
    for first in (True, False):
        source = left.replace()
        assert read(source, cache=first) == read(source, cache=not first)
        shutil.rmtree("runs", ignore_errors=True)


def test_a_full_disk(pets: ImageFolder, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk_cache.os, "posix_fallocate", full)
    with pytest.raises(StorageError) as caught:
        pets.input_fn("train", batch_size=2, cache=False)
    assert str(caught.value) == (
        f"{here}/runs/.cache: 1.4 kB of decoded images do not fit on the disk. Free some space, "
        "write to another disk with --root, or keep them in memory with cache=true where there is "
        "enough."
    )
    assert [f.name for f in Path("runs/.cache").iterdir() if not f.name.endswith(".lock")] == []


def test_the_log_says_where_images_are_kept(
    pets: ImageFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tfpipe.data")
    for free, where in ((10_000, "in memory"), (1_000, "on disk in runs/.cache")):
        monkeypatch.setattr(free_memory, "available", lambda free=free: free)
        caplog.clear()
        source = pets.replace()
        for _ in range(2):
            source.input_fn("train", batch_size=2)
        assert caplog.messages[0] == (
            f"20 images: 1.4 kB decoded, kept {where} (data may take 50% of the "
            f"{byte_size(free)} of free memory)"
        )
    (file,) = npy()
    assert caplog.messages[1:] == [f"train split: in {file}"]
