"""Published detectors as they are: HubDetector, on modules that find what is bright."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import detector_modules
import hub_modules
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.boxes import coco
from tfpipe.boxes.heads import FoundHead, head_of
from tfpipe.data.images.sample_images import sample_images
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.exports.signatures import Served
from tfpipe.models import HubDetector
from tfpipe.models.detection.hub_detector import read_label_map
from tfpipe.tasks import task_for

SIDE = (32, 48)
PETS = ("dog", "cat")


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A detector of each kind, and one as an archive."""
    folder = tmp_path_factory.mktemp("detectors")
    found = {
        kind: detector_modules.save(folder / kind, SIDE, kind)
        for kind in ("one", "batch", "ragged")
    }
    found["archive"] = hub_modules.packed(found["one"], folder / "one.tar.gz")
    return found


def spec_of(*classes: str, shape: tuple[int, ...] = (*SIDE, 3)) -> ElementSpec:
    image = Feature("image", shape, "uint8", "image")
    return ElementSpec((image,), (Label("boxes", "boxes", (4, 6), classes),))


def images() -> np.ndarray:
    """Three: an object in either half, none, one in the right half."""
    pixels = np.full((3, *SIDE, 3), 30, np.uint8)
    pixels[0, 8:16, 6:18] = 255
    pixels[0, 4:8, 24:48] = 240
    pixels[2, 0:4, 36:48] = 255
    return pixels


CAT, DOG = (0.125, 0.25, 0.375, 0.5, 0.8, 1), (0.5, 0.125, 1, 0.25, 0.4, 0)
OTHER = (0.75, 0, 1, 0.125, 0.4, 0)
NONE = (0, 0, 0, 0, 0, -1)
EXPECTED = np.float32([(CAT, DOG, NONE), (NONE, NONE, NONE), (OTHER, NONE, NONE)])


@pytest.mark.parametrize("kind", ["one", "batch", "ragged", "archive"])
def test_a_module_of_any_kind_finds_the_boxes(
    modules: dict[str, Path], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tfpipe.models")
    model = HubDetector(str(modules[kind]), label_map="coco", most=3).build(spec_of(*PETS))
    np.testing.assert_allclose(model(images()), EXPECTED, atol=1e-6)
    np.testing.assert_allclose(tf.function(model)(images()), EXPECTED, atol=1e-6)
    assert isinstance(head_of(model), FoundHead)
    assert model.count_params() == 1  # that of the module, which is never trained
    assert not model.trainable_weights
    assert caplog.messages == [
        "HubDetector leaves out 78 of the module's 80 classes, which the data does not have: "
        "person, bicycle, car, motorcycle, airplane, bus and 72 more."
    ]


def test_its_numbers_are_the_datas_classes(modules: dict[str, Path], tmp_path: Path) -> None:
    items = "item {\n  id: 18\n  name: '/m/0bt9lr'\n  display_name: \"dog\"\n}\n"
    (tmp_path / "map.pbtxt").write_text(items + "item { name: 'cat' id: 17 }")
    assert read_label_map(tmp_path / "map.pbtxt") == {"dog": 18, "cat": 17}

    def classes(*names: str, **options: Any) -> list[float]:
        model = HubDetector(str(modules["one"]), most=3, **options).build(spec_of(*names))
        return np.asarray(model(images()[:1]))[0, :, 5].tolist()

    assert classes(*PETS, label_map=str(tmp_path / "map.pbtxt")) == [1, 0, -1]
    assert classes(*PETS, label_map={"cat": 18, "dog": 17}) == [0, 1, -1]
    assert classes(*PETS, first_class=17) == [0, 1, -1]
    assert classes(*PETS, first_class=18) == [0, -1, -1]  # 17 is none of the data's
    assert classes(*PETS) == [-1, -1, -1]
    assert classes(*map(str, range(19)), first_class=0) == [17, 18, -1]
    assert classes("zebra", "dog", label_map="coco") == [1, -1, -1]
    assert classes(*PETS, label_map="coco", score=0.5) == [1, -1, -1]


def test_the_classes_of_coco_have_their_published_numbers() -> None:
    numbers = coco.ids()
    assert len(coco.classes()) == 80
    assert [*numbers.values()] == sorted({*numbers.values()})
    unused = {*range(1, 91)} - {*numbers.values()}
    assert unused == {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    known = {"person": 1, "stop sign": 13, "cat": 17, "tv": 72, "book": 84, "toothbrush": 90}
    assert known.items() <= numbers.items()


def test_it_is_saved_with_its_handle_and_exported_without(
    modules: dict[str, Path], tmp_path: Path
) -> None:
    handle = shutil.copytree(modules["one"], tmp_path / "module")
    builder = HubDetector(str(handle), label_map={"dog": 18, "cat": 17}, most=3)
    assert from_json(to_json(builder)) == builder
    model = builder.build(spec_of(*PETS))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded(images()), model(images()))
    spec = spec_of(*PETS)
    served = Served(model, task_for(spec).for_model(model), spec)
    tf.saved_model.save(served, str(tmp_path / "exported"), served.signatures())
    shutil.rmtree(handle)
    reloaded = tf.saved_model.load(str(tmp_path / "exported"))
    found = reloaded.signatures["serving_default"](image=tf.constant(images()))
    np.testing.assert_allclose(found["boxes"], EXPECTED[..., :4], atol=1e-6)
    np.testing.assert_array_equal(found["names"][0], [b"cat", b"dog", b""])
    np.testing.assert_array_equal(found["count"], [2, 0, 1])
    Image.fromarray(images()[2]).save(tmp_path / "a.png")
    files = tf.constant([(tmp_path / "a.png").read_bytes()])
    found = reloaded.signatures["serving_bytes"](bytes=files)
    # In pixels of the file.
    height, width = images()[2].shape[:2]
    pixels = EXPECTED[2:, :, :4] * np.float32([width, height] * 2)
    np.testing.assert_allclose(found["boxes"], pixels, atol=1e-4)
    with pytest.raises(ModelError, match="there is no such folder or archive"):
        keras.models.load_model(tmp_path / "model.keras", compile=False)


class Wrong(tf.Module):
    """A module that gives boxes and no scores."""

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, "images")])
    def __call__(self, images: Any) -> Any:
        return {"detection_boxes": tf.zeros([1, 2, 4]), "classes": tf.zeros([1, 2])}


class Sounds(tf.Module):
    """A module that finds boxes in texts."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
    def __call__(self, texts: Any) -> Any:
        names = {"detection_boxes": [1, 2, 4], "detection_classes": [1, 2]}
        return {n: tf.zeros(s) for n, s in (names | {"detection_scores": [1, 2]}).items()}


def test_another_module_is_refused_with_what_it_has(
    modules: dict[str, Path], tmp_path: Path
) -> None:
    wrong = hub_modules.save(Wrong(), tmp_path / "wrong")
    with pytest.raises(ModelError) as error:
        HubDetector(str(wrong)).build(spec_of("cat"))
    assert str(error.value) == (
        f"{wrong} finds no boxes: it has no detection_classes and no detection_scores. Expected is "
        "what the TF Object Detection API exports, a module that takes one image and gives "
        "detection_boxes, detection_classes, detection_scores and num_detections. It offers: a "
        "call takes images uint8 [1, ?, ?, 3] and gives classes float32 [1, 2], detection_boxes "
        "float32 [1, 2, 4]; signature='serving_default' takes images uint8 [1, ?, ?, 3] and gives "
        "classes float32 [1, 2], detection_boxes float32 [1, 2, 4]. It has 0 variable(s), 0 of "
        "them trainable."
    )
    sounds = hub_modules.save(Sounds(), tmp_path / "sounds")
    with pytest.raises(ModelError, match="something else than images: expected is uint8 or"):
        HubDetector(str(sounds)).build(spec_of("cat"))
    with pytest.raises(ModelError, match=r"has no signature 'detcet'\. Did you mean 'detect'"):
        HubDetector(str(modules["ragged"]), signature="detcet").build(spec_of("cat"))


def test_images_of_another_size_than_the_modules_are_refused(tmp_path: Path) -> None:
    module = detector_modules.Bright(SIDE, "one")
    takes = tf.TensorSpec([1, *SIDE, 3], tf.uint8)
    tf.saved_model.save(module, str(tmp_path / "m"), tf.function(module.find, [takes]))
    with pytest.raises(ModelError, match=r"images of 32x48 alone; .* 64x64\. Declare data\.size="):
        HubDetector(str(tmp_path / "m")).build(spec_of("cat", shape=(64, 64, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_map": {"a": 3, "b": 3}}, "gives 'a' and 'b' the number 3. Each class has its own"),
        ({"label_map": "coco", "first_class": 0}, "Leave one of them out."),
        ({"scale": (1.0, 0.0)}, "what white is has to be more than what black is"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        HubDetector("module", **options)
    assert message in str(error.value)


def test_a_label_map_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    def refused(label_map: str, *classes: str) -> str:
        with pytest.raises((ModelError, ConfigError)) as error:
            HubDetector("(stand-in)", label_map=label_map).check(spec_of(*classes))
        return str(error.value)

    assert refused("coco", "tench") == (
        "HubDetector.label_map has none of the data's classes, tench: it has person, bicycle, car, "
        "motorcycle, airplane, bus and 74 more. Name the data's classes as the label map does, or "
        "give a mapping of the data's names to the module's numbers."
    )
    file = tmp_path / "map.pbtxt"
    assert "cannot be read: No such file or directory. Give 'coco'" in refused(str(file), "a")
    file.write_text("nothing")
    assert "has no item such as item { id: 17 name: 'cat' }" in refused(str(file), "a")
    file.write_text("item { id: 1 }")
    assert "has an item without both: {id: 1}" in refused(str(file), "a")
    file.write_text("item { id: 1 name: 'a' } item { id: 2 name: 'a' }")
    assert "has 'a' twice" in refused(str(file), "a")
    file.write_text("item { id: 1 name: 'a' } item { id: 1 name: 'b' }")
    assert "gives 'a' and 'b' the number 1" in refused(str(file), "a")


def test_other_data_is_refused() -> None:
    labels = (Label("label", "class", (), ("a", "b")),)
    with pytest.raises(ModelError) as error:
        HubDetector("(stand-in)").check(spec_of("a").replace(labels=labels))
    assert str(error.value) == (
        "HubDetector finds boxes, and the labels are of kind 'class'. Use VOC or another source of "
        "boxes, ImageFiles(finds='boxes') to predict alone, or a classifier."
    )
    with pytest.raises(ModelError, match=r"one size and 3 channels; 'image' has shape \(8, 8, 1\)"):
        HubDetector("(stand-in)").check(spec_of("a", shape=(8, 8, 1)))


PIPELINE = """
from tfpipe import Pipeline
from tfpipe.data import DrawnObjects, ImageFiles
from tfpipe.models import HubDetector


class Shown(Pipeline):
    data = ImageFiles(size=(32, 48), classes=("dog", "cat"), finds="boxes")
    model = HubDetector({handle!r}, label_map="coco")


class Measured(Pipeline):
    data = DrawnObjects("photographs", (32, 48), count=6, validation=2, test=2, classes=("cat",))
    model = HubDetector({handle!r}, label_map="coco")
    batch_size = 2
    epochs = 1
"""


def test_it_predicts_without_a_run_and_is_measured_by_one(
    tfpipe: Any, modules: dict[str, Path]
) -> None:
    Path("pets.py").write_text(PIPELINE.format(handle=str(modules["one"])))
    Image.fromarray(images()[0]).save("pets.png")
    answer = tfpipe("predict", "pets.py::Shown", "pets.png", "--json")
    assert answer.code == 0, answer.err
    assert "cat" in answer.out
    answer = tfpipe("run", "pets.py::Shown")
    assert "ImageFiles holds nothing to train on" in answer.err
    Path("photographs").mkdir()
    for number, pixels in enumerate(sample_images(4, 48, 3, 0)):
        Image.fromarray(pixels).save(f"photographs/{number}.png")
    answer = tfpipe("run", "pets.py::Measured", "--no-export")
    assert answer.code == 0, answer.err
    assert "HubDetector · 1 parameters (0 trainable)" in answer.out
    assert (
        "Nothing was trained: HubDetector finds boxes as it is. It has no loss, and the losses and "
        "errors of 0 mean nothing."
    ) in answer.out
    (run,) = Path("runs").glob("*/*")
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "finished"
    assert status["metrics"]["test"]["loss"] == 0
    answer = tfpipe("predict", run, "pets.png", "--json")
    assert answer.code == 0, answer.err
    assert "cat" in answer.out
