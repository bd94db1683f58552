"""A classifier as a detector: which windows it sees, what it says of them, what is kept."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.boxes.windows import pyramid, shares
from tfpipe.data.images.sample_images import sample_images
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import CNN_2_4_6, Application, ClassifierAsDetector
from tfpipe.models.detection.sliding_windows import AT_ONCE

SIZE, WINDOW, STEP = (40, 56), (12, 16), 4
NAMES = ("red", "green", "blue")


def network(folder: Path, width: int = 3, activation: str | None = None, side: int = 8) -> Path:
    """A tiny classifier of colours; of one number, whether an image is red."""
    inputs = keras.Input((side, side, 3))
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    last = keras.layers.Dense(width, activation)
    model = keras.Model(inputs, last(means))
    kernel = 30 * np.eye(3)[:, :width] - 15 * (1 - np.eye(3)[:, :width])
    last.set_weights([kernel.astype("float32"), np.zeros(width, "float32")])
    file = folder / f"{width}_{activation}_{side}.keras"
    model.save(file)
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("classifiers")


@pytest.fixture(scope="module")
def colours(folder: Path) -> str:
    return str(network(folder))


def spec_of(*classes: str, size: tuple[int, int] = SIZE) -> ElementSpec:
    image = Feature("image", (*size, 3), "uint8", "image")
    return ElementSpec((image,), (Label("boxes", "boxes", (4, 6), classes),))


def scene() -> np.ndarray:
    """An image of noise with a red thing and a blue one."""
    pixels = np.random.default_rng(0).integers(40, 80, (*SIZE, 3)).astype(np.uint8)
    pixels[4:20, 6:26] = (250, 10, 10)
    pixels[24:40, 30:54] = (20, 0, 240)
    return pixels


def windows_by_loop(size: tuple[int, int]) -> list[tuple[tuple[int, int], int, int]]:
    """Every window as the published loop has it: the level's size, its top, its left."""
    found, scale = [], 1.0
    while True:
        height, width = round(size[0] / scale), round(size[1] / scale)
        if height < WINDOW[0] or width < WINDOW[1]:
            return found
        for top in range(0, height - WINDOW[0] + 1, STEP):
            for left in range(0, width - WINDOW[1] + 1, STEP):
                found.append(((height, width), top, left))
        scale *= 1.5


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    corner, opposite = np.maximum(one[:2], other[:2]), np.minimum(one[2:4], other[2:4])
    common = np.prod(np.maximum(opposite - corner, 0))
    areas = [np.prod(box[2:4] - box[:2]) for box in (one, other)]
    return float(common / (sum(areas) - common))


def found_by_loop(file: str, image: np.ndarray, score: float, most: float) -> np.ndarray:
    """What is found by one `predict` a window, [boxes, 6], the best first."""
    model = keras.models.load_model(file)
    rows = []
    for size, top, left in windows_by_loop(SIZE):
        level = np.rint(tf.image.resize(image, size, antialias=True))
        window = level[top : top + WINDOW[0], left : left + WINDOW[1]]
        resized = np.rint(tf.image.resize(window, (8, 8), antialias=True))
        logits = model.predict(resized[None], verbose=0)[0].astype(np.float64)
        chances = np.exp(logits) / np.exp(logits).sum()
        best = int(chances.argmax())
        box = [left / size[1], top / size[0]]
        box += [(left + WINDOW[1]) / size[1], (top + WINDOW[0]) / size[0]]
        # By the logits, as chances are rounded to 1.
        sure = logits[best] - np.log(np.exp(np.delete(logits, best)).sum())
        if chances[best] >= score:
            rows.append([*box, chances[best], best, sure])
    kept: list[np.ndarray] = []
    for row in sorted(map(np.array, rows), key=lambda r: -r[6]):
        if all(overlap(row, other) <= most for other in kept if other[5] == row[5]):
            kept.append(row)
    return np.array(kept)[:, :6]


def test_the_windows_are_those_of_a_loop() -> None:
    for size in (SIZE, (12, 16), (100, 31)):
        levels = pyramid(size, WINDOW, STEP, 1.5)
        listed = [(lv.size, int(t), int(x)) for lv in levels for t, x in lv.corners]
        assert listed == windows_by_loop(size)
    published = pyramid((480, 640), (150, 200), 16, 1.5)
    assert [level.size for level in published] == [(480, 640), (320, 427), (213, 284)]
    assert [len(level.corners) for level in published] == [21 * 28, 11 * 15, 4 * 6]
    assert pyramid((11, 40), WINDOW, STEP, 1.5) == []
    np.testing.assert_allclose(
        shares(published[0], (150, 200))[29], (16 / 640, 16 / 480, 216 / 640, 166 / 480)
    )


def test_it_answers_as_one_predict_a_window(colours: str, tmp_path: Path) -> None:
    image = scene()
    builder = ClassifierAsDetector(colours, WINDOW, STEP, score=0.9)
    assert len(windows_by_loop(SIZE)) > AT_ONCE  # so that there are several batches
    model = builder.build(spec_of(*NAMES))
    found = np.asarray(tf.function(model)(np.stack([image, np.full_like(image, 60)])))
    expected = found_by_loop(colours, image, 0.9, 0.3)
    assert {0, 2} == {*expected[:, 5].astype(int)}
    assert found.shape == (2, 100, 6)
    np.testing.assert_allclose(found[0, : len(expected)], expected, atol=2e-6)
    assert (found[0, len(expected) :, 5] == -1).all()
    assert (found[1, :, 5] == -1).all()  # grey is nothing
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(tf.function(loaded)(image[None]), found[:1])
    archive = keras.export.ExportArchive()
    archive.track(loaded)
    takes = tf.TensorSpec([None, *SIZE, 3], tf.uint8)
    archive.add_endpoint("find", lambda x: loaded(x, training=False), [takes])
    archive.write_out(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(served.find(image[None]), found[:1], atol=1e-6)
    assert model.count_params() == 12
    assert not model.trainable_weights
    assert from_json(to_json(builder)) == builder


def rows(builder: ClassifierAsDetector, *classes: str) -> np.ndarray:
    found = np.asarray(builder.build(spec_of(*classes))(scene()[None]))[0]
    return found[found[:, 5] >= 0]


def test_its_classes_are_matched_with_the_datas(folder: Path, colours: str) -> None:
    by = {"window": WINDOW, "step": STEP, "score": 0.9}
    all_three = rows(ClassifierAsDetector(colours, **by), *NAMES)
    turned = rows(ClassifierAsDetector(colours, classes=NAMES, **by), "blue", "green", "red")
    np.testing.assert_array_equal(turned[:, :5], all_three[:, :5])
    np.testing.assert_array_equal(turned[:, 5], 2 - all_three[:, 5])
    without = ClassifierAsDetector(colours, classes=NAMES, background="red", **by)
    assert {*rows(without, "blue", "green")[:, 5]} == {0}
    first = rows(ClassifierAsDetector(colours, background="none", **by), "green", "blue")
    assert {*first[:, 5]} == {1}  # not known by name, it is the first
    chances = rows(ClassifierAsDetector(str(network(folder, 3, "softmax")), **by), *NAMES)
    np.testing.assert_allclose(chances, all_three, atol=1e-5)
    for activation in (None, "sigmoid"):  # one number for two classes
        two = ClassifierAsDetector(str(network(folder, 1, activation)), **by)
        assert 1 in rows(two, "other", "red")[:, 5]


def test_the_names_of_a_run_are_read_beside_its_model(tfpipe: Any) -> None:
    Path("colours.py").write_text(PIPELINE)
    answer = tfpipe("run", "colours.py::Colours", "--no-export")
    assert answer.code == 0, answer.err
    (best,) = Path("runs").glob("*/*/checkpoints/best.keras")
    Image.fromarray(scene()).save("a.png")
    words = (f"model.classifier={best}", "a.png", "--json")
    answer = tfpipe("predict", "colours.py::Finder", *words)
    assert answer.code == 0, answer.err
    assert "red" in answer.out
    answer = tfpipe("predict", "colours.py::Finder", "data.classes=['red','green']", *words)
    assert (
        "The classes of ClassifierAsDetector's classifier are not the data's: the classifier has "
        "'blue' besides. Declare data.classes as the classifier has them; one that is no object is "
        "left out with background=NAME."
    ) in answer.err
    answer = tfpipe(
        "run", "colours.py::Finder", f"model.classifier={best}", "--sample", "4", "--no-export"
    )
    assert answer.code == 0, answer.err
    assert "Nothing was trained: ClassifierAsDetector finds boxes as it is." in answer.out
    config = json.loads((best.parents[1] / "config.json").read_text())
    config["spec"]["labels"][0]["kind"] = "multilabel"
    (best.parents[1] / "config.json").write_text(json.dumps(config))
    answer = tfpipe("predict", "colours.py::Finder", *words)
    assert "is of labels of kind 'multilabel'; a classifier is needed" in answer.err


PIPELINE = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays, ImageFiles
from tfpipe.models import ClassifierAsDetector, Linear


def colours():
    y = np.arange(60) % 3
    x = np.full((60, 8, 8, 3), 10) + np.eye(3, dtype=int)[y][:, None, None] * 230
    return x.astype("uint8"), y


class Colours(Pipeline):
    data = Arrays(colours, test=0.2, classes=("red", "green", "blue"))
    model = Linear()
    optimizer = keras.optimizers.SGD(0.1)
    epochs = 3


class Finder(Pipeline):
    data = ImageFiles(size=(40, 56), classes=("blue", "red", "green"), finds="boxes")
    model = ClassifierAsDetector("best.keras", (12, 16), 3, score=0.6)
    batch_size = 1
    epochs = 1
"""


def test_a_network_with_classes_of_its_own_is_asked_too() -> None:
    mobile = Application("MobileNet", weights=None, head="imagenet", alpha=0.25)
    builder = ClassifierAsDetector(mobile, (30, 30), 16)
    model = builder.build(spec_of(*map(str, range(1000))))
    assert model.output_shape == (None, 100, 6)
    assert np.isfinite(model(scene()[None])).all()
    assert builder.offline() == (builder, "")
    missing, note = ClassifierAsDetector("no/best.keras", (30, 30)).offline()
    assert "A small classifier with random weights stood in for the declared one" in note
    assert missing.build(spec_of("a")).output_shape == (None, 100, 6)


def refused(kind: type[Exception], spec: ElementSpec, *words: Any, **options: Any) -> str:
    with pytest.raises(kind) as error:
        ClassifierAsDetector(*words, **{"window": WINDOW, **options}).build(spec)
    return str(error.value)


def test_what_cannot_work_is_refused(folder: Path, colours: str) -> None:
    spec = spec_of(*NAMES)
    assert refused(ConfigError, spec, CNN_2_4_6()) == (
        "ClassifierAsDetector.classifier=CNN_2_4_6(...) has to be trained first. Train it with "
        "tfpipe run, then give its file, RUN/checkpoints/best.keras; or use a network with classes "
        "of its own, such as Application('MobileNetV2', head='imagenet')."
    )
    assert refused(ModelError, spec, "last") == (
        "ClassifierAsDetector.classifier=last: there is no such file. Give the path of a run's "
        "best model, RUN/checkpoints/best.keras, or another file of Keras; or a builder such as "
        "Application('MobileNetV2', head='imagenet')."
    )
    assert refused(ModelError, spec, colours, window=(64, 64)) == (
        "ClassifierAsDetector.window=(64, 64) does not fit in images of 40x56. Use a smaller "
        "window, or data.size of at least it."
    )
    assert refused(ModelError, spec_of("a", "b"), colours) == (
        "ClassifierAsDetector's classifier gives (None, 3), and there are 2 classes: a, b. Declare "
        "as many as it has, with background=NAME for one that is no object."
    )
    text = refused(ModelError, spec, colours, classes=NAMES, background="gren")
    assert text.endswith("background='gren' is no class of the classifier. Did you mean 'green'?")
    text = refused(ModelError, spec, colours, classes=("red", "pink", "blue"))
    assert "the data has 'green' besides and the classifier has 'pink' besides" in text
    file = folder / "broken.keras"
    file.write_text("nothing")
    assert f"classifier={file} cannot be loaded: " in refused(ModelError, spec, str(file))
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(folder / "vectors.keras")
    text = refused(ModelError, spec, str(folder / "vectors.keras"))
    assert "classifier takes (None, 4), and windows are images of 3 channels" in text
    images = [*sample_images(1, 8, 3, 0)]
    assert images[0].shape == (8, 8, 3)
    with pytest.raises(ConfigError, match=r"shrink.*above 1"):
        ClassifierAsDetector(colours, shrink=1.0)
