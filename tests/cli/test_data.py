"""`tfpipe data`: what is in the data, and how fast it comes."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from box_sets import scenes, write_voc
from pages import Read, check_self_contained

import tfpipe as package
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.evaluation.data.boxes import boxes_in_words, with_objects
from tfpipe.evaluation.detection.drawing import colour_of, with_boxes

TABLE = """
import random
from pathlib import Path
from tfpipe import Pipeline
from tfpipe.data import CSV, TextCSV
from tfpipe.models import MLP, TextClassifier

drawn = random.Random(0)
lines = []
for n in range(300):
    left = drawn.random() < 0.3
    closed = left if drawn.random() > 0.01 else not left
    city, text = drawn.choice("ABC"), f"a text {n % 50}"
    lines.append(f"{drawn.gauss(40, 9):.2f},{city},{int(closed)},{text},{left}")
lines += lines[:5]
Path("people.csv").write_text("\\n".join(["age,city,closed,words,left", *lines]))


class People(Pipeline):
    data = CSV("people.csv", label="left", drop=("words",), test=0.2)
    model = MLP(units=(4,))


class Words(Pipeline):
    data = TextCSV("people.csv", text="words", label="left", test=0.2)
    model = TextClassifier(vocabulary=50, length=4)
"""


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("people.py").write_text(TABLE)
    return "people.py"


def test_a_table_is_shown_and_its_give_away_found(tfpipe: Any, people: str) -> None:
    answer = tfpipe("data", "show", people)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert "label" not in lines[0]
    assert any(line.startswith("  False") and "█" in line for line in lines)
    assert any(line.startswith("The column 'closed' alone answers 9") for line in lines)
    assert "5 samples stand twice" in answer.out or "stand in another one too" in answer.out
    folder = Path("reports/people/data")
    page = (folder / "report.html").read_text()
    assert check_self_contained(page) == []
    words = Read(page).words
    for heading in (
        "Splits",
        "Values",
        "Samples",
        "Samples that are twice",
        "Columns and the label",
    ):
        assert heading in words
    found = json.loads((folder / "data.json").read_text())
    assert sum(found["splits"]["splits"].values()) == 305
    away = [a["column"] for a in found["columns"]["associations"] if a["gives_away"]]
    assert away == ["closed"]


def test_texts_and_pictures_are_shown(tfpipe: Any, people: str, small: Path) -> None:
    keras.utils.clear_session()  # so that the first convolution is called conv2d
    texts = json.loads(tfpipe("data", "show", f"{people}::Words", "--json", "--out", "t").out)
    assert texts["texts"]["vocabulary"] == 52
    assert texts["report"] == "t/report.html"
    pictures = json.loads(tfpipe("data", "show", small, "--json", "--grid", "6").out)
    assert pictures["values"]["source"]["image"]["greatest"] > 150
    assert pictures["values"]["model"]["conv2d"]["greatest"] <= 1.0
    assert pictures["duplicates"]["exact"] == []
    page = Path(pictures["report"]).read_text()
    assert page.count("<img src=") == 12, "six samples, and what augmentation makes of each"
    assert "conv2d" in Read(page).words, "which gets what the first layers have scaled"
    assert (Path(pictures["report"]).parent / "figures" / "samples.png").is_file()


def test_where_samples_come_from(tfpipe: Any, people: str) -> None:
    found = json.loads(tfpipe("data", "show", people, "--json").out)
    pairs = [pair for d in found["duplicates"]["exact"] for pair in d["places"]]
    assert len(pairs) >= 5
    lines = Path("people.csv").read_text().splitlines()
    for pair in pairs:
        ages = {lines[int(place.removeprefix("people.csv:")) - 1].split(",")[0] for place in pair}
        assert len(ages) == 1, pair


def test_a_split_alone_and_a_page_alone(tfpipe: Any, people: str) -> None:
    words = ("--split", "test", "--html", "there/page.html", "--json")
    found = json.loads(tfpipe("data", "show", people, *words).out)
    assert found["splits"]["splits"] == {"test": 61}
    assert "values" not in found, "which are looked at in the training split"
    assert found["report"] == "there/page.html"
    assert [file.name for file in Path("there").iterdir()] == ["page.html"]
    answer = tfpipe("data", "show", people, "--split", "tests")
    assert answer.code == 2
    assert answer.err == "Error: The data has no split 'tests'. Did you mean 'test'?\n"
    answer = tfpipe("data", "show", people, "--out", "a", "--html", "b")
    assert "Give --out for a folder or --html for one file, not both." in answer.err


MANY = """
import numpy as np
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.models import MLP


def rows():
    x = np.random.default_rng(0).normal(size=(700, 3)).astype("float32")
    labels = np.r_[np.arange(30).repeat(10), np.zeros(400, int)]
    return x, {"kind": labels, "size": x[:, 0] * 2, "tags": (x[:, :2] > 0).astype(int)}


class Many(Pipeline):
    data = Arrays(rows, test=0.2)
    model = MLP(units=(4,))
"""


def test_many_classes_and_several_labels(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("many.py").write_text(MANY)
    answer = tfpipe("data", "show", "many.py")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert "kind: samples of each class in train, validation, test" in lines
    assert "  and 10 more, down to" in lines
    assert any(line.startswith("size in train: least -") for line in lines)
    assert any(line.startswith("tags: samples of each class") for line in lines)
    assert any("'features[0]' alone answers R² 0.99" in line for line in lines), lines
    assert lines[-2:] == [
        "  tfpipe data bench many.py  how fast it comes",
        "  tfpipe check many.py       whether it can be trained on",
    ]


SLOW = """
import time
import numpy as np
import tensorflow as tf
from tfpipe import Pipeline
from tfpipe.models import MLP


def waiting(seconds):
    def wait(values):
        time.sleep(seconds)
        return values

    return lambda x: tf.ensure_shape(tf.numpy_function(wait, [x], tf.float32), (4,))


def heavy(x, y):
    return waiting(0.004)(x), y


def light(x, y):
    return waiting(0.0008)(x), y


class Slow(Pipeline):
    model = MLP(units=(4,))

    def input_fn(self, split):
        if split != "train":
            return None
        x = np.random.default_rng(0).normal(size=(160, 4)).astype("float32")
        dataset = tf.data.Dataset.from_tensor_slices((x, (x[:, 0] > 0).astype("int64")))
        return dataset.map(heavy).map(light).batch(32)
"""


@pytest.mark.slow
def test_the_stage_that_limits_is_named_with_its_cure(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text(SLOW)
    answer = tfpipe("data", "bench", "slow.py", "--json", "--seconds", "0.4")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    names = [stage["name"] for stage in found["stages"]]
    assert names == ["read", "map: heavy", "map: light", "batch"]
    assert found["limit"] == "map: heavy"
    assert found["waiting"] > 0.9
    assert found["stages"][1]["adds_microseconds"] > 3800
    changes = {change["change"]: change["after"] for change in found["changes"]}
    kept = ".cache() behind 'map: heavy', if it gives the same in each epoch"
    assert [text for text in changes if text.startswith("tf.numpy_function")]
    # What is said of the changes is compared with them made by hand in benchmarks/data_bench.py.
    assert found["changes"][0]["change"] == kept


def test_a_source_in_stages(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("data", "bench", small, "--seconds", "0.2")
    assert answer.code == 0, answer.err
    names = [line.split("  ")[0] for line in answer.out.splitlines()]
    assert names[:6] == ["stage", "read", "batch", "augment", "to the model", "training"]
    assert "limits" in answer.out
    assert names[-1] == ""
    assert answer.out.splitlines()[-1].startswith("  tfpipe run ")


def test_from_python(people: str) -> None:
    found = package.data_show(people, out="there")
    assert found["duplicates"]["exact"]
    assert np.isfinite(found["values"]["source"]["age"]["mean"])
    assert tf.io.gfile.exists("there/report.html")


BOXES = """
from tfpipe import Pipeline
from tfpipe.data import VOC, augment
from tfpipe.models import SSD


class Boxes(Pipeline):
    data = VOC("voc", size=(64, 96), fit="letterbox", validation=0.25)
    augment = (augment.flip(), augment.brightness(0.1))
    model = SSD(filters=(4, 4, 8))
    batch_size = 4
"""


def test_boxes_are_drawn_counted_and_measured(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    splits = {"train": scenes(12, 1), "test": scenes(4, 2)}
    for scene in splits["train"]:
        scene.objects.append(("cat", (1.0, 1.0, 3.0, 9.0)))
    write_voc(Path("voc"), splits)
    Path("boxes.py").write_text(BOXES)
    answer = tfpipe("data", "show", "boxes.py", "--grid", "4")
    assert answer.code == 0, answer.err
    assert "boxes: objects of each class in train, validation, test" in answer.out
    assert "pixels of the 96x64 that the model sees" in answer.out
    assert "Less than 8 pixels wide or high: " in answer.out
    folder = Path("reports/boxes/data")
    page = (folder / "report.html").read_text()
    assert check_self_contained(page) == []
    words = Read(page).words
    for text in ("Objects of each class in the train split", "Longer side of the objects"):
        assert text in words
    found = json.loads((folder / "data.json").read_text())
    assert found["splits"]["counted"] == {"boxes": "objects"}
    counts = found["splits"]["class_counts"]["boxes"]
    for split, total in found["boxes"]["objects"].items():
        assert sum(counts[split]) == total
    objects = sum(len(scene.objects) for scene in splits["train"])
    assert found["boxes"]["objects"]["train"] + found["boxes"]["objects"]["validation"] == objects
    answer = tfpipe("data", "bench", "boxes.py", "--sample", "8", "--seconds", "0.1")
    assert answer.code == 0, answer.err
    assert "draw" in answer.out
    answer = tfpipe("data", "bench", "boxes.py", "--seconds", "0.1", "--json")
    names = [stage["name"] for stage in json.loads(answer.out)["stages"]]
    assert names == ["read", "decode", "batch", "augment", "to the model"]


def test_boxes_are_drawn_where_they_are() -> None:
    image = np.full((64, 96, 3), 120, np.uint8)
    corners = (10.0, 20.0, 50.0, 60.0)
    drawn = with_boxes(image, [("", corners, (255, 0, 0))])
    rows, columns = np.nonzero((drawn == (255, 0, 0)).all(axis=2))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == corners
    assert (image == 120).all()
    assert (drawn[25:55, 15:45] == 120).all()
    labelled = with_boxes(image, [("cat 0.93", (-5.0, -5.0, 200.0, 70.0), colour_of(1))])
    assert labelled.shape == image.shape
    assert len({colour_of(number) for number in range(40)}) == 40
    label = Label("boxes", "boxes", (2, 6), ("cat", "dog"))
    spec = ElementSpec((Feature("image", image.shape, "uint8", "image"),), (label,))
    boxes = np.array([[0.5, 0.5, 1, 1, 1, 0], [0, 0, 0, 0, -1, 0]], np.float32)
    sample = with_objects({"image": image}, spec, boxes)["image"]  # three times as large
    assert sample.shape == (192, 288, 3)
    rows, columns = np.nonzero((sample == colour_of(1)).all(axis=2))
    assert (columns.max() + 1, rows.max() + 1) == (288, 192)
    assert boxes_in_words(label, boxes) == "1 dog"
    assert boxes_in_words(label, boxes[1:]) == "background"
