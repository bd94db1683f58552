"""COCO's annotations: what is read, where images are looked for, what is told of broken ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_sets import HEIGHT, NAMES, WIDTH, Scene, coco_of, scenes, write_coco, write_image

from tfpipe.data import COCO
from tfpipe.errors import ConfigError, DataError

SIZE = (24, 36)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    some = {"train": scenes(12, 1), "val": scenes(5, 2), "test": scenes(4, 3)}
    return write_coco(tmp_path_factory.mktemp("coco") / "coco", some)


def first(source: COCO, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    return next(iter(source.input_fn(split, batch_size=4).as_numpy_iterator()))


def small(folder: Path, **changes: Any) -> COCO:
    """Two images, the first with a cat and a dog, the second without an object."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for name in ("a.png", "deep/b.png"):
        write_image(folder / "images" / name, image)
    one = Scene(image, [("cat", (2, 3, 12, 9)), ("dog", (20, 4, 30, 20))])
    names = ["a.png", "deep/b.png"]
    content = coco_of([one, Scene(image, [])], lambda row: names[row])
    for key, change in changes.items():
        content[key] = change(content[key])
    (folder / "all.json").write_text(json.dumps(content))
    return COCO(str(folder / "all.json"), size=SIZE, validation=None)


def refused(source: COCO) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


def test_categories_in_order_of_their_ids_are_the_classes(root: Path) -> None:
    source = COCO(str(root / "annotations/instances_train2017.json"), size=SIZE)
    spec = source.spec()
    assert spec.classes == NAMES
    # The validation file is the one of the same name; images of one name lie in three folders.
    assert spec.splits == {"train": 12, "validation": 5}
    assert source.places("validation")[0].endswith("coco/val2017/00000.png")
    for split, seed, count in (("train", 1, 12), ("validation", 2, 5)):
        x, y = first(source, split)
        for image, boxes, scene in zip(x, y, scenes(count, seed), strict=False):
            np.testing.assert_array_equal(image, scene.image)
            expected = [
                [a / WIDTH, b / HEIGHT, c / WIDTH, d / HEIGHT, NAMES.index(name), 0]
                for name, (a, b, c, d) in scene.objects
            ]
            np.testing.assert_allclose(boxes[: len(expected)], expected, atol=1e-6)
            assert (boxes[len(expected) :, 4] == -1).all()


def test_files_for_each_split_and_folders_of_their_own(root: Path) -> None:
    files = {n: str(root / f"annotations/instances_{n}2017.json") for n in ("train", "val", "test")}
    source = COCO(
        files["train"],
        str(root / "train2017"),
        validation=files["val"],
        test=files["test"],
        test_images=str(root / "test2017"),
    )
    assert source.spec().splits == {"train": 12, "validation": 5, "test": 4}
    assert "val2017" in source.places("validation")[0]
    assert "test2017" in source.places("test")[0]
    with pytest.raises(ConfigError, match=r"COCO\.validation is the file that is trained on"):
        COCO(files["train"], validation=files["train"])


def test_images_that_several_folders_have_need_a_declared_one(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "of.json"
    file.write_text((root / "annotations/instances_test2017.json").read_text())
    for name in ("one", "two"):
        (tmp_path / name).symlink_to(root / "test2017")
    text = refused(COCO(str(file)))
    assert "the images of of.json are in each of" in text
    assert text.endswith("Declare data.images, data.validation_images or data.test_images.")
    source = COCO(str(file), str(tmp_path / "one"))
    assert source.spec().splits == {"train": 3, "validation": 1}
    assert "there is no folder" in refused(COCO(str(file), str(tmp_path / "three")))


def test_crowds_are_ignored_and_images_without_annotations_background(tmp_path: Path) -> None:
    def crowd(annotations: list[Any]) -> list[Any]:
        return [annotations[0] | {"iscrowd": 1}, annotations[1]]

    source = small(tmp_path, annotations=crowd)
    _, y = next(iter(source.input_fn("train", batch_size=2).as_numpy_iterator()))
    assert y[..., 4].tolist() == [[0, 1], [-1, -1]]
    assert y[..., 5].tolist() == [[1, 0], [0, 0]]
    assert source.notes() == ["Without an object, and so background alone: 1 image."]
    assert source.object_counts() == {"train": {"cat": 1, "dog": 1, "bus": 0}}
    assert source.places("train")[1].endswith("images/deep/b.png")


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"bbox": [40, 30, 5, 5]}, "has a box outside of the image, (36, 24): (40, 30, 45, 35)"),
    ({"bbox": [3, 3, 0, 5]}, "has an empty box, (3, 3, 3, 8)"),
    ({"bbox": [3, 3, 5]}, "has a box that is no four numbers"),
    ({"bbox": ["3", 3, 5, 5]}, "has a box that is no four numbers"),
    ({"bbox": [0, 0, float("inf"), 5]}, "has a box that is no four numbers"),
    ({"bbox": [0, 0, 10**400, 5]}, "has a box that is no four numbers"),
    ({"bbox": None}, "has a box that is no four numbers"),
    ({"category_id": 8}, "has the category 8, which is none of its categories"),
    ({"category_id": [1]}, "has the category [1], which is none of its categories"),
]


def test_broken_annotations_are_counted_listed_and_left_out(tmp_path: Path) -> None:
    def change(annotations: list[Any]) -> list[Any]:
        sound = {k: v for k, v in annotations[0].items() if k != "id"}
        wrong = [sound | own | {"id": 50 + i} for i, (own, _) in enumerate(BROKEN)]
        return [*annotations, *wrong, sound | {"id": 90, "image_id": 5}, "nonsense"]

    source = small(tmp_path, annotations=change)
    text = refused(source)
    assert "11 of 14 objects cannot be used" in text
    problems = [str(p) for p in source.replace(on_bad="skip")._problems()]
    for place, (_, what) in enumerate(BROKEN):
        assert f"all.json, a.png, annotation {50 + place}: {what}" in problems
    assert problems[-2:] == [
        "all.json, annotation 90: is of the image 5, which is none of its images",
        "all.json, annotation 12: is of the image None, which is none of its images",
    ]
    skipped = source.replace(on_bad="skip")
    _, y = next(iter(skipped.input_fn("train", batch_size=2).as_numpy_iterator()))
    assert y[..., 4].tolist() == [[0, 1], [-1, -1]]
    assert skipped.notes()[0].startswith("11 of 14 objects could not be used and were left out")


def test_broken_images_are_counted_listed_and_left_out(tmp_path: Path) -> None:
    outside = write_image(tmp_path / "outside.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    names = ["../outside.png", str(outside), "..\\outside.png", "C:/x.png", "gone.png", "", 7]

    def change(images: list[Any]) -> list[Any]:
        new = [images[0] | {"id": 300 + i, "file_name": name} for i, name in enumerate(names)]
        return [*images, *new, images[0], {"file_name": "x.png"}, images[0] | {"id": 1, "width": 9}]

    source = small(tmp_path, images=change)
    problems = [str(p) for p in source.replace(on_bad="skip")._problems()]
    said = {p.split(": ", 1)[0]: p.split(": ", 1)[1] for p in problems}
    for place in range(4):
        assert said[f"all.json, image {300 + place}"].endswith(
            "which leads out of the folder of images"
        )
    assert said["all.json, gone.png"].startswith("its image gone.png is missing, in ")
    assert said["all.json, image 305"] == said["all.json, image 306"] == "has no file_name"
    assert said["all.json, image 100"] == "has the id of another image"
    assert said["all.json, image 10"] == "has no id"
    assert said["all.json, a.png"].startswith("says that a.png has 9x24 pixels; it has 36x24")
    assert len(problems) == 10
    assert source.replace(on_bad="skip").spec().splits == {"train": 2}
    assert "cannot be used" in refused(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON: "),
        ('[{"image_id": 1, "score": 0.5}]', "holds results, what a detector answered, and no data"),
        ("[]", "holds a list and no data set"),
        ("3", "holds int and not an object with the lists images, annotations and categories"),
        ('{"images": [], "info": {}}', "has no list 'annotations' or 'categories'; it has "),
        ('{"images": [], "annotations": [], "categories": []}', "has no category"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}',
            "of.json has no image.",
        ),
    ],
)
def test_what_is_no_data_set(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "of.json").write_text(content)
    assert message in refused(COCO(str(tmp_path / "of.json")))


def test_categories_that_cannot_be_told_apart(tmp_path: Path) -> None:
    for wrong, message in (
        ({"id": 7, "name": "cow"}, "has two categories of the id 7: 'cat' and 'cow'"),
        ({"id": 1, "name": "cat"}, "has two categories of the name 'cat'. Rename one of them"),
        ({"id": 1}, "a category is an object with an id and a name; one is "),
    ):
        source = small(tmp_path, categories=lambda own, wrong=wrong: [*own[::-1], wrong])
        assert message in refused(source)


def test_a_file_that_is_too_large_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfpipe.data.sources.boxes import coco

    source = small(tmp_path)
    monkeypatch.setattr(coco, "_MOST", 100)
    assert "at most 100 B of annotations are read. Split it" in refused(source)
    text = refused(COCO("nowhere.json"))
    assert "there is no file" in text
    assert text.endswith("by --sample, declare data.classes.")
