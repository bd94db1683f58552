"""Detectors from the declaration to the answer: trained, measured, reported, asked, exported."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe import Pipeline, keras
from tfpipe.boxes import average_precision
from tfpipe.boxes.average_precision import average_precisions
from tfpipe.data import VOC, augment
from tfpipe.data.boxes.drawn import scene
from tfpipe.data.images.sample_images import sample_images
from tfpipe.errors import CheckFailed, ConfigError, DataError, MissingDependency, ModelError
from tfpipe.evaluation.predictions import Predictions
from tfpipe.models import MLP, SSD
from tfpipe.verbs.predict import predict

SIZES = ((0.2, 0.3), (0.45, 0.6), (0.7, 0.85))
CLASSES = ("banana", "star")


class Fruit(Pipeline):
    data = VOC("fruit", size=(64, 64), classes=CLASSES, validation=6, test=6)
    augment = (augment.flip(), augment.brightness(0.1))
    model = SSD(
        filters=(8, 16, 16), blocks=(16,), sizes=SIZES, class_loss="hard_negatives", score=0.05
    )
    optimizer = keras.optimizers.Adam(learning_rate=3e-3)
    batch_size = 4
    epochs = 3


def xml(name: str, size: tuple[int, int], boxes: np.ndarray) -> str:
    height, width = size
    things = "".join(
        f"<object><name>{CLASSES[int(row[4])]}</name><bndbox>"
        f"<xmin>{row[0] * width:.2f}</xmin><ymin>{row[1] * height:.2f}</ymin>"
        f"<xmax>{row[2] * width:.2f}</xmax><ymax>{row[3] * height:.2f}</ymax></bndbox></object>"
        for row in boxes
    )
    shape = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}.png</filename>{shape}{things}</annotation>"


def write_fruit(folder: Path, count: int) -> None:
    """Photographs of 96x128 with bananas and stars, as Pascal VOC has them."""
    rng = np.random.default_rng(0)
    for part in ("JPEGImages", "Annotations"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        background = sample_images(1, 128, 3, number)[0][:96, :128]
        drawn = scene(background, 2, (1, 2), (0.3, 0.5), rng)
        Image.fromarray(drawn.image).save(folder / "JPEGImages" / f"{number}.png")
        text = xml(str(number), drawn.image.shape[:2], drawn.boxes)
        (folder / "Annotations" / f"{number}.xml").write_text(text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A run and its folder, in which its photographs lie."""
    root = tmp_path_factory.mktemp("detector")
    write_fruit(root / "fruit", 32)
    return tfpipe.run(of(root), root=root, quiet=True), root


def of(root: Path, **fields: Any) -> Fruit:
    return Fruit(data=Fruit.data.replace(path=str(root / "fruit")), **fields)


def test_it_learns_and_each_epoch_says_how_well(trained: tuple[Any, Path]) -> None:
    run, root = trained
    assert run.history["loss"][-1] < 0.7 * run.history["loss"][0]
    for name in ("class_error", "box_error", "val_map", "val_map50"):
        assert len(run.history[name]) == 3
    report = json.loads((run.directory / "report" / "report.json").read_text())["test"]
    kept = Predictions.load(run.directory / "predictions" / "test.npz").outputs[""]
    sizes = np.tile((96, 128), (6, 1))
    again = average_precisions(kept.labels, kept.answers, 2, sizes)
    boxes = report["boxes"]
    assert boxes["map50"] == pytest.approx(again.at_50)
    assert boxes["by_class"]["star"]["objects"] == again.objects[1]
    assert boxes["by_size"]["large"] is None  # no object of so small images is large
    kinds = report["kinds_of_error"]
    assert kinds["right"] + kinds["missed"] <= kinds["objects"] == sum(again.objects)
    page = (run.directory / "report" / "report.html").read_text()
    for text in ("Kinds of error", "mAP at 0.5", "True boxes are white", "beside the anchors"):
        assert text in page
    # Of the best epoch, which need not be the last.
    evaluated = tfpipe.evaluate(run.name, split="validation", root=root)
    best = max(run.history["val_map50"])
    assert evaluated["validation"]["boxes"]["map50"] == pytest.approx(best)
    spec = json.loads((run.directory / "config.json").read_text())["spec"]
    assert spec["labels"][0]["kind"] == "boxes"


# Importing what is None in sys.modules is an ImportError.
ASK = """
import json, sys
sys.modules["keras"] = sys.modules["tfpipe"] = None
import tensorflow as tf
ask = tf.saved_model.load(sys.argv[1]).signatures
files = [open(path, "rb").read() for path in sys.argv[2:]]
found = ask["serving_bytes"](bytes=tf.constant(files))
print(json.dumps({n: v.numpy().astype(str).tolist() for n, v in found.items()}))
"""


def test_the_export_finds_the_same_without_tfpipe_as_predict(trained: tuple[Any, Path]) -> None:
    run, root = trained
    (export,) = run.exported
    files = [str(root / "fruit" / "JPEGImages" / f"{n}.png") for n in (0, 30)]
    with Image.open(files[1]) as photograph:
        photograph.resize((333, 100)).save(root / "wide.jpg", quality=95)
    files.append(str(root / "wide.jpg"))
    asked = [sys.executable, "-c", ASK, str(export), *files]
    output = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=root).stdout
    served = json.loads(output.splitlines()[-1])
    assert set(served) == {"boxes", "scores", "classes", "names", "count"}
    for row, answer in enumerate(predict(str(export), files, root=root, score=0.0)):
        assert answer.size == ((100, 333) if row == 2 else (96, 128))
        count = int(served["count"][row])
        assert len(answer.boxes) == count > 0
        by_score = np.float32(served["scores"][row][:count])
        np.testing.assert_allclose([b.score for b in answer.boxes], by_score, atol=1e-4)
        assert [b.name for b in answer.boxes] == served["names"][row][:count]
        corners = np.float32(served["boxes"][row][:count])
        np.testing.assert_allclose([b[2:] for b in answer.boxes], corners, atol=0.1)
        assert corners[:, 2].max() <= answer.size[1]
    contract = json.loads((export / "assets" / "contract.json").read_text())
    assert "in pixels of the upright image" in contract["boxes"]
    assert contract["training"]["answers"]["star"] == pytest.approx(0.5, abs=0.3)
    with pytest.raises(ModelError, match="not the choice of boxes by them"):
        tfpipe.export(run.name, format="onnx", root=root)


def test_other_photographs_with_more_objects_are_judged(trained: tuple[Any, Path]) -> None:
    run, root = trained
    write_fruit(root / "others", 8)
    annotation = root / "others" / "Annotations" / "7.xml"
    many = np.float32([[x / 10, 0.1, x / 10 + 0.08, 0.3, x % 2, 0] for x in range(7)])
    annotation.write_text(xml("7", (96, 128), many))
    others = Fruit(data=Fruit.data.replace(path=str(root / "others"), validation=None, test=4))
    for target in (run.name, str(run.exported[0])):
        found = tfpipe.evaluate(target, data=others, root=root)["test"]["boxes"]
        assert sum(part["objects"] for part in found["by_class"].values()) >= 7 + 3


def test_boxes_of_an_export_that_are_others_are_seen(trained: tuple[Any, Path]) -> None:
    run, _ = trained
    (export,) = run.exported
    assert tfpipe.verify(str(export))["differences"]["serving_default"] <= 1e-4
    file = export / "assets" / "golden.npz"
    whole = file.read_bytes()
    golden = dict(np.load(io.BytesIO(whole)))

    def nothing(boxes: np.ndarray) -> np.ndarray:
        return np.where(np.arange(6) == 5, -1, 0).astype(np.float32) + 0 * boxes

    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "no numbers": lambda boxes: boxes * np.nan,
        "nothing": nothing,
        "fewer": lambda boxes: boxes[:, :1],
        "moved": lambda boxes: boxes + np.float32([0.01, 0, 0, 0, 0, 0]) * (boxes[..., 5:] >= 0),
        "another class": lambda boxes: np.where(boxes[..., 5:] == 0, boxes + np.eye(6)[5], boxes),
    }
    try:
        for name, change in changes.items():
            tampered = {**golden, "answers": change(golden["answers"]).astype(np.float32)}
            with file.open("wb") as written:
                np.savez(written, **tampered)
            print(name)  # noqa: T201 (which of them, where one passes)
            with pytest.raises(CheckFailed, match="serving_default differs"):
                tfpipe.verify(str(export))
    finally:
        file.write_bytes(whole)


def test_validation_without_an_object_is_refused(tmp_path: Path) -> None:
    write_fruit(tmp_path / "fruit", 8)
    for number in (6, 7):
        (tmp_path / "fruit" / "Annotations" / f"{number}.xml").write_text("<annotation/>")
    data = Fruit.data.replace(path=str(tmp_path / "fruit"), validation=2, test=None)
    with pytest.raises(DataError, match="its validation split of 2 images has no object"):
        tfpipe.run(Fruit(data=data), root=tmp_path, quiet=True)


def test_the_command_line_writes_boxes_in_every_form(
    trained: tuple[Any, Path], tfpipe: Callable[..., Any]
) -> None:
    run, root = trained
    image = str(root / "fruit" / "JPEGImages" / "1.png")
    usual = ["predict", run.name, image, "missing.png", "--root", str(root), "--score", "0.1"]

    def said(*more: str) -> str:
        answer = tfpipe(*usual, *more)
        assert answer.code == 1, answer.err  # as one file is missing
        return str(answer.out)

    expected = predict(run.name, [image], root=root, score=0.1)[0].boxes
    table = said("--to", str(root / "drawn"))
    assert f"{len(expected)} found" in table
    assert "missing.png  error: " in table
    with Image.open(root / "drawn" / "1.png") as drawn, Image.open(image) as plain:
        assert drawn.size == plain.size
        assert np.any(np.asarray(drawn) != np.asarray(plain))
    rows = [*csv.DictReader(io.StringIO(said("--format", "csv")))]
    assert [row["class"] for row in rows if not row["error"]] == [b.name for b in expected]
    assert float(rows[0]["x2"]) == pytest.approx(expected[0].x2, abs=0.06)
    lines = [json.loads(line) for line in said("--format", "jsonl").splitlines()]
    assert (lines[0]["width"], lines[0]["height"]) == (128, 96)
    assert lines[0]["boxes"][0]["class"] == expected[0].name
    assert "error" in lines[1]
    coco = json.loads(said("--format", "coco"))
    assert [c["name"] for c in coco["categories"]] == [*CLASSES]
    assert len(coco["annotations"]) == len(expected)
    width = expected[0].x2 - expected[0].x1
    assert coco["annotations"][0]["bbox"][2] == pytest.approx(width, abs=0.11)
    refused = tfpipe(*usual, "--figures", root / "figures")
    assert refused.code == 2
    assert "which --to draws on the pictures" in refused.err


def test_a_stopped_run_goes_on_as_if_it_had_not_been(trained: tuple[Any, Path]) -> None:
    """Two epochs and then the third are the three of the run, bit for bit."""
    run, root = trained
    begun = tfpipe.run(of(root, epochs=2), root=root, quiet=True, export=False)
    longer = tfpipe.resume(begun.name, overrides=("epochs=3",), root=root, quiet=True, export=False)
    for one, other in zip(longer.model.weights, run.model.weights, strict=True):
        assert np.array_equal(one, other), one.path
    assert longer.history["val_map50"] == run.history["val_map50"]


def test_letter_boxed_images_have_their_boxes_in_the_picture(trained: tuple[Any, Path]) -> None:
    _, root = trained
    data = Fruit.data.replace(path=str(root / "fruit"), fit="letterbox")
    run = tfpipe.run(Fruit(data=data, epochs=1), root=root, quiet=True)
    image = str(root / "fruit" / "JPEGImages" / "2.png")
    targets = run.name, str(run.exported[0])  # of one epoch, which is the best and the last
    by_run, by_export = (predict(t, [image], root=root, score=0.0)[0] for t in targets)
    corners = np.array([box[2:] for box in by_run.boxes])
    assert corners.min() >= 0
    assert corners[:, 3].max() <= 96
    np.testing.assert_allclose(corners, [box[2:] for box in by_export.boxes], atol=0.05)
    labels = data.input_fn("train", batch_size=1)
    x, y = next(iter(labels))
    edges = tf.cast(x[0, :8], tf.int32)
    assert int(tf.reduce_min(edges)) == int(tf.reduce_max(edges)) == 128  # grey above and below
    real = y[0][y[0, :, 4] >= 0]
    assert 0.125 <= float(tf.reduce_min(real[:, 1])) <= float(tf.reduce_max(real[:, 3])) <= 0.875


def test_what_does_not_fit_boxes_is_refused(
    trained: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, root = trained
    with monkeypatch.context() as patch:
        patch.setattr(average_precision, "find_spec", lambda name: None)
        with pytest.raises(MissingDependency, match=r"pip install 'tfpipe\[detection\]'"):
            tfpipe.run(of(root), root=root, quiet=True)
    with pytest.raises(ModelError, match="MLP does not find boxes, which the labels"):
        tfpipe.run(of(root, model=MLP()), root=root, quiet=True)
    with pytest.raises(ConfigError, match="crop moves an image without its boxes"):
        tfpipe.run(of(root, augment=(augment.crop(4),)), root=root, quiet=True)
    watching = keras.callbacks.EarlyStopping(monitor="val_map5")
    with pytest.raises(ConfigError, match="Did you mean 'val_map50'"):
        tfpipe.run(of(root, callbacks=(watching,)), root=root, quiet=True)
