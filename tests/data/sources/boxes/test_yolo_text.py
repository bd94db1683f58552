"""YOLO's texts: layouts, names of classes, and what is told of broken lines."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from box_sets import HEIGHT, NAMES, WIDTH, scenes, write_image, write_yolo, yolo_line

from tfpipe.data import YOLOText
from tfpipe.errors import DataError

SIZE = (24, 36)
IMAGE = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def refused(source: YOLOText) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


def side_by_side(root: Path, texts: Iterable[str | None]) -> YOLOText:
    """Images with their texts beside them; None for an image without one."""
    for number, text in enumerate(texts, 1):
        write_image(root / f"{number}.png", IMAGE)
        if text is not None:
            (root / f"{number}.txt").write_text(text)
    (root / "obj.names").write_text("cat\ndog\nbus\n\n")
    return YOLOText(str(root), size=SIZE, validation=None)


def labels(source: YOLOText, split: str = "train") -> np.ndarray:
    size = source.spec().splits[split]
    _, y = next(iter(source.input_fn(split, batch_size=size).as_numpy_iterator()))
    return np.asarray(y)


def test_folders_of_splits_and_what_a_line_says(tmp_path: Path) -> None:
    splits = {"train": scenes(12, 1), "val": scenes(5, 2), "test": scenes(4, 3)}
    source = YOLOText(str(write_yolo(tmp_path / "set", splits)), size=SIZE)
    assert source.spec().splits == {"train": 12, "validation": 5, "test": 4}
    assert source.spec().classes == NAMES
    x, y = next(iter(source.input_fn("validation", batch_size=5).as_numpy_iterator()))
    for image, boxes, scene in zip(x, y, splits["val"], strict=True):
        np.testing.assert_array_equal(image, scene.image)
        expected = [
            [a / WIDTH, b / HEIGHT, c / WIDTH, d / HEIGHT, NAMES.index(name), 0]
            for name, (a, b, c, d) in scene.objects
        ]
        np.testing.assert_allclose(boxes[: len(expected)], expected, atol=1e-6)
    assert source.notes() == []
    text = refused(source.replace(validation="vla"))
    assert text.endswith("has no split 'vla'; there are: test, train, val.")


def test_side_by_side_in_order_of_the_numbers(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("not a label")
    line = yolo_line("dog", (0, 0, 18, 12))
    source = side_by_side(tmp_path, [line, None, "", *[line] * 8])
    assert [Path(p).name for p in source.places("train")] == [f"{i}.png" for i in range(1, 12)]
    assert labels(source)[:3, 0].tolist() == [
        [0, 0, 0.5, 0.5, 1, 0],
        [0, 0, 0, 0, -1, 0],
        [0, 0, 0, 0, -1, 0],
    ]
    assert source.notes() == ["Without an object, and so background alone: 2 images."]
    assert source.replace(validation=3).spec().splits == {"train": 8, "validation": 3}
    assert source.replace(validation="auto").spec().splits == {"train": 9, "validation": 2}


@pytest.mark.parametrize(
    "names",
    [
        "names: [cat, 'dog', \"bus\"]",
        "names:\n  0: cat\n  1: dog\n  2: 'bus'  # a comment",
        "names:\n- cat\n- dog\n- bus",
        "names: {0: cat, 1: dog, 2: bus}",
        "names: [cat,\n  dog, bus]",
    ],
)
def test_a_description_in_yaml(tmp_path: Path, names: str) -> None:
    for folder in ("train", "valid"):
        write_image(tmp_path / folder / "images/1.jpg", IMAGE)
        (tmp_path / folder / "labels").mkdir()
        (tmp_path / folder / "labels/1.txt").write_text("2 0.5 0.5 0.25 0.5\n")
    text = f"# of Roboflow\ntrain: ../train/images\nval: valid/images\n\nnc: 3\n{names}\n"
    (tmp_path / "data.yaml").write_text(f"{text}roboflow:\n  license: CC BY 4.0\n")
    for path in (tmp_path, tmp_path / "data.yaml"):
        source = YOLOText(str(path), size=SIZE)
        assert source.spec().classes == NAMES
        assert source.spec().splits == {"train": 1, "validation": 1}
        assert labels(source)[0, 0].tolist() == [0.375, 0.25, 0.625, 0.75, 2, 0]


def test_lists_of_images_which_stay_in_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for name in ("a", "b"):
        write_image(root / f"images/{name}.png", IMAGE)
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text("0 0.5 0.5 1 1")
    write_image(tmp_path / "c.png", IMAGE)
    (root / "list.txt").write_text("./images/a.png\n\nimages/b.png\n../c.png\n")
    (root / "data.yaml").write_text("path: .\ntrain: list.txt\nnames: [cat]\n")
    source = YOLOText(str(root), size=SIZE, validation=None)
    assert "list.txt, line 4: '../c.png' is no file in " in refused(source)
    kept = source.replace(on_bad="skip")
    assert kept.spec().splits == {"train": 2}
    assert labels(kept)[0, 0].tolist() == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: &a [cat]", "data.yaml, line 1: "),
        ("names:\n  first: cat", "names has keys that are no numbers: first."),
        ("names:\n  0: cat\n  2: dog", "their numbers are not 0 to 1"),
        ("names: cat", "names is 'cat' and no list of names"),
        ("names:\n  - |", "Of YAML, texts, lists and numbered names are read for path, train, val"),
        ("%YAML", "data.yaml, line 1: '%YAML' cannot be read"),
        ("names: [cat, cat]", "two classes have the name 'cat'. Rename one."),
        ("train: gone", "its description says that train is 'gone', and there is no "),
        ("nc: 3", "Declare data.classes, in order of their number."),
    ],
)
def test_a_description_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    write_image(tmp_path / "images/1.png", IMAGE)
    (tmp_path / "data.yaml").write_text(text)
    assert message in refused(YOLOText(str(tmp_path)))


BROKEN = {
    "0 0.5 0.5 0.2 0.2 0.93": "has 6 columns, the last of which is a confidence: a detector",
    "0 0.1 0.1 0.9 0.1 0.5 0.9": "is a polygon of 3 points, and boxes are read",
    "0 0.5 0.5": "has 3 columns where 5 are expected: class x y width height",
    "cat 0.5 0.5 0.2 0.2": "has the class 'cat', which is no number from 0",
    "-1 0.5 0.5 0.2 0.2": "has the class '-1', which is no number from 0",
    "3 0.5 0.5 0.2 0.2": "has the class 3, and there are 3: 0 to 2",
    "0 0.5 x 0.2 0.2": "has a box that is no four numbers",
    "0 12 20 30 40": "has numbers outside of 0 to 1: 12 20 30 40. They are shares of the image",
    "0 0.5 0.5 nan 0.2": "has numbers outside of 0 to 1",
    "0 0.5 0.5 0 0.2": "has an empty box",
}


def test_broken_lines_are_counted_listed_and_left_out(tmp_path: Path) -> None:
    source = side_by_side(tmp_path, ["\n".join([*BROKEN, "1 0.5 0.5 0.5 0.5"]), "2 0.5 0.5 1 1"])
    text = refused(source)
    assert f"{len(BROKEN)} of {len(BROKEN) + 2} objects cannot be used" in text
    kept = source.replace(on_bad="skip")
    problems = {str(p) for p in kept._problems()}
    for number, what in enumerate(BROKEN.values(), 1):
        assert any(p.startswith(f"1.txt, line {number}: {what}") for p in problems), what
    assert labels(kept)[..., 0, 4].tolist() == [1, 2]


def test_boxes_that_stick_out_are_cut(tmp_path: Path) -> None:
    # By less than a pixel without a word, by more with one.
    source = side_by_side(tmp_path, ["0 0.1 0.5 0.22 0.2", "0 0.1 0.5 0.4 0.2"])
    assert source.notes() == ["Cut at the edge of their image, out of which they stuck: 1 box."]
    assert labels(source)[:, 0, 0].tolist() == [0, 0]


def test_a_text_whose_image_is_missing(tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "set", {"train": scenes(3, 1)})
    (root / "images/train/1.png").unlink()
    (root / "images/train/2.png").write_bytes(b"no image")
    write_image(root / "images/train/3.png", IMAGE)
    (root / "labels/train/3.txt").write_bytes(b"0 0.5 0.5 \xff")
    source = YOLOText(str(root), size=SIZE, validation=None)
    text = refused(source)
    assert "labels/train/1.txt: its image 1.jpg is missing, in " in text
    assert "labels/train/2.txt: its image 2.png is no JPEG, PNG" in text
    assert "labels/train/3.txt: cannot be read: 'utf-8' codec can't decode" in text
    assert source.replace(on_bad="skip").spec().splits == {"train": 1}


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "there is no folder" in refused(YOLOText(str(tmp_path / "gone")))
    (tmp_path / "classes.txt").write_text("cat")
    assert "its train split has no image, in " in refused(YOLOText(str(tmp_path)))
