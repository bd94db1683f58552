"""YOLOv3: its count, its network beside plain NumPy, and Darknet's weight files."""

import io
import logging
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.boxes.heads import head_of
from tfpipe.boxes.yolo_head import YOLOHead
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.loading import load
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ModelError
from tfpipe.jobs.predict.pretrained import of_declaration
from tfpipe.models import YOLOv3
from tfpipe.models.base import base_of, unfreeze
from tfpipe.models.parameter_count import count, trainable_parameters
from tfpipe.tasks import task_for
from tfpipe.terminal import Terminal

NARROW = 1 / 32  # the factor on the filters in most tests
WHOLE = 248_007_048  # bytes of the published file
VECTORS = ("beta", "gamma", "moving_mean", "moving_variance")
OUTPUTS = ("conv_58", "conv_66", "conv_74")


def spec(
    classes: int = 80, size: tuple[int, int] = (64, 96), letterbox: bool = True, channels: int = 3
) -> ElementSpec:
    image = Feature("image", (*size, channels), "uint8", "image", letterbox=letterbox)
    names = tuple(f"class {i}" for i in range(classes))
    return ElementSpec((image,), (Label("boxes", "boxes", (4, 6), names),))


# The whole network once more, in NumPy, as the paper and Darknet's configuration have it


def rows_of(classes: int, width: float) -> Iterator[tuple[int, int, int, bool]]:
    """Yield of each convolution in order its inputs, filters, size, and if it is normalised."""

    def w(filters: int) -> int:
        return int(filters * width)

    yield 3, w(32), 3, True
    for filters, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        yield w(filters // 2), w(filters), 3, True
        for _ in range(blocks):
            yield w(filters), w(filters // 2), 1, True
            yield w(filters // 2), w(filters), 3, True
    for filters, joined in ((512, 1024), (256, 768), (128, 384)):
        if filters < 512:
            yield w(2 * filters), w(filters), 1, True
        for inputs in (joined, 2 * filters, 2 * filters):
            yield w(inputs), w(filters), 1, True
            yield w(filters), w(2 * filters), 3, True
        yield w(2 * filters), 3 * (5 + classes), 1, False


def stored(classes: int, width: float, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is stored of each convolution in order: its vectors, and its kernel."""
    rng, found = np.random.default_rng(seed), []
    for inputs, filters, size, normalised in rows_of(classes, width):
        vectors = rng.normal(0, 0.3, (4 if normalised else 1, filters))
        if normalised:
            vectors[1] += 1.0
            vectors[3] = rng.uniform(0.5, 1.5, filters)
        spread = (1.5 / (inputs * size**2)) ** 0.5
        kernel = rng.normal(0, spread, (filters, inputs, size, size))
        found.append((vectors.astype("<f4"), kernel.astype("<f4")))
    return found


def header(major: int = 0, minor: int = 2, seen: str = "<q") -> bytes:
    return struct.pack("<3i", major, minor, 0) + struct.pack(seen, 32_013_312)


def write(
    path: Path, classes: int = 80, width: float = NARROW, begin: bytes | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Write a weight file, and return what is stored in it."""
    parts = stored(classes, width)
    with path.open("wb") as stream:
        stream.write(header() if begin is None else begin)
        for vectors, kernel in parts:
            stream.write(vectors.tobytes() + kernel.tobytes())
    return parts


def convolution(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Return the map of a convolution of (filters, inputs, h, w), padded by half on all sides."""
    size = kernel.shape[2]
    height, width = x.shape[1:]
    padded = np.pad(x, ((0, 0), *[(size // 2, size // 2)] * 2))
    total: Any = 0.0
    for i in range(size):
        for j in range(size):
            part = padded[:, i : i + height : stride, j : j + width : stride]
            total = total + np.einsum("oi,ihw->ohw", kernel[:, :, i, j], part)
    return total


def in_numpy(pixels: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the three outputs for an image of bytes, [anchors, 5 + classes]."""
    layers = iter(parts)

    def conv(x: np.ndarray, stride: int = 1) -> np.ndarray:
        vectors, kernel = (part.astype(np.float64) for part in next(layers))
        x = convolution(x, kernel, stride)
        if len(vectors) == 1:
            return x + vectors[0][:, None, None]
        beta, gamma, mean, variance = vectors[..., None, None]
        x = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
        return np.where(x > 0, x, 0.1 * x)

    x, stages, outputs = conv(np.moveaxis(pixels / 255, -1, 0)), [], []
    for blocks in (1, 2, 8, 8, 4):
        x = conv(x, 2)
        for _ in range(blocks):
            x = x + conv(conv(x))
        stages.append(x)
    for scale in range(3):
        if scale:
            x = conv(x).repeat(2, axis=1).repeat(2, axis=2)
            x = np.concatenate([x, stages[4 - scale]])
        for _ in range(5):
            x = conv(x)
        y = conv(conv(x))
        rows = y.reshape(3, -1, *y.shape[1:]).transpose(2, 3, 0, 1)  # row, column, anchor
        outputs.append(rows.reshape(-1, rows.shape[-1]))
    assert next(layers, None) is None
    return np.concatenate(outputs)


def test_the_network_with_weights_of_a_file_is_the_one_in_numpy(tmp_path: Path) -> None:
    parts = write(tmp_path / "a.weights", classes=4)
    model = YOLOv3(str(tmp_path / "a.weights"), width=NARROW).build(spec(4))
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3), np.uint8)
    found = model(pixels, training=False).numpy()
    assert found.shape == (2, 3 * (2 * 3 + 4 * 6 + 8 * 12), 9)
    for image, own in zip(pixels, found, strict=True):
        expected = in_numpy(image, parts)
        assert expected.std() > 0.1
        np.testing.assert_allclose(own, expected, atol=2e-4, rtol=1e-3)


# Size


def test_it_has_62_001_757_weights_and_10_647_anchors() -> None:
    model = YOLOv3().build(spec(80, (416, 416)))
    assert model.count_params() == 62_001_757
    assert "62,001,757 weights" in str(YOLOv3.__doc__)
    assert model.output_shape == (None, 10_647, 85)
    base = base_of(model)
    assert base is not None
    assert [layer.name for layer in model.layers if layer.weights] == [base.name, *OUTPUTS]
    assert trainable_parameters(model) == 255 * (1024 + 512 + 256 + 3)
    unfreeze(base, "all", "trained")
    assert trainable_parameters(model) == 62_001_757 - 52_608
    head = head_of(model)
    assert isinstance(head, YOLOHead)
    assert head.grids == [(13, 13), (26, 26), (52, 52)]
    assert head.anchors[0] == [(116, 90), (156, 198), (373, 326)]
    assert (head.score, head.overlap, head.most) == (0.65, 0.5, 100)
    # Nothing is found by a random network: it begins with objects at one anchor in a hundred.
    bias = model.get_layer("conv_74").bias.numpy().reshape(3, 85)
    np.testing.assert_allclose(1 / (1 + np.exp(-bias[:, 4])), 0.01, rtol=1e-3)
    assert not np.delete(bias, 4, axis=1).any()


def test_other_classes_change_the_output_convolutions_alone() -> None:
    one, two = (YOLOv3(width=NARROW).build(spec(c)) for c in (1, 80))
    assert count(base_of(one).weights) == count(base_of(two).weights)
    inputs = (1024 + 512 + 256) // 32 + 3
    assert two.count_params() - one.count_params() == 3 * 79 * inputs
    assert one.output_shape[-1] == 6


def test_other_images_are_refused_with_the_nearest_size() -> None:
    for size, near in (((400, 430), (416, 416)), ((8, 1000), (32, 992)), ((47, 48), (32, 64))):
        with pytest.raises(ModelError) as refused:
            YOLOv3().build(spec(size=size))
        assert str(refused.value) == (
            "YOLOv3 reads images whose sides are multiples of 32; those of 'image' are "
            f"{size[0]}x{size[1]}. The nearest is data.size={near}; it was trained on (416, 416)."
        )
    with pytest.raises(ModelError, match="reads images of 3 channels; 'image' has 1"):
        YOLOv3().check(spec(channels=1))
    labels = (Label("label", "class", (), ("a", "b")),)
    with pytest.raises(ModelError, match="YOLOv3 finds boxes, and the labels are of kind 'class'"):
        YOLOv3().check(spec().replace(labels=labels))


def test_it_is_saved_and_declared_as_any_builder(reload: Callable[..., Any]) -> None:
    builder = YOLOv3.example()
    assert from_json(to_json(builder)) == builder
    model = builder.build(spec(2, (32, 64)))
    pixels = np.random.default_rng(1).integers(0, 256, (2, 32, 64, 3), np.uint8)
    again = reload(model)
    np.testing.assert_array_equal(again(pixels, training=False), model(pixels, training=False))
    answers = task_for(spec(2), "auto").for_model(again).answers(again(pixels, training=False))
    assert answers.shape == (2, 100, 6)


def test_it_computes_in_half_precision_and_answers_in_float32() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = YOLOv3(width=NARROW).build(spec(2, (32, 32)))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model(np.zeros((1, 32, 32, 3), np.uint8)).dtype == tf.float32
    assert base_of(model).get_layer("conv_3").compute_dtype == "bfloat16"


# Weight files


def assert_loaded(model: Any, parts: list[Any], but: tuple[str, ...] = ()) -> None:
    """Every weight of a file is in its place."""
    layers = {layer.name: layer for layer in model._flatten_layers()}
    for number, (vectors, kernel) in enumerate(parts):
        name = f"conv_{number}"
        if name in but:
            continue
        own = layers[name].get_weights()
        np.testing.assert_array_equal(own[0], kernel.transpose(2, 3, 1, 0))
        if len(vectors) == 1:
            np.testing.assert_array_equal(own[1], vectors[0])
            continue
        norm = layers[f"{name}_norm"]
        for what, vector in zip(VECTORS, vectors, strict=True):
            np.testing.assert_array_equal(getattr(norm, what), vector)


@pytest.mark.parametrize(
    "begin",
    [header(0, 2), header(0, 1, "<i"), header(1, 0), header(0, 1000, "<i"), header(2000, 2, "<i")],
    ids=["0.2", "0.1", "1.0", "0.1000", "2000.2"],
)
def test_the_header_says_how_long_it_is(tmp_path: Path, begin: bytes) -> None:
    path = tmp_path / "a.weights"
    parts = write(path, 3, begin=begin)
    before = path.read_bytes()
    assert_loaded(YOLOv3(str(path), width=NARROW).build(spec(3)), parts)
    assert path.read_bytes() == before


@pytest.mark.ci
def test_the_whole_file_of_80_classes(tmp_path: Path) -> None:
    path = tmp_path / "yolov3.weights"
    parts = write(path, 80, width=1.0)
    assert path.stat().st_size == WHOLE
    model = YOLOv3(str(path)).build(spec(80, (32, 32)))
    assert_loaded(model, parts)
    pixels = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)
    expected = in_numpy(pixels[0], parts)
    np.testing.assert_allclose(model(pixels, training=False)[0], expected, atol=5e-3, rtol=1e-2)


def test_a_file_of_80_classes_begins_other_data_with_random_outputs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "yolov3.weights"
    parts = write(path)
    caplog.set_level(logging.INFO, "tfpipe.models")
    builder = YOLOv3(str(path), width=NARROW)
    assert builder.is_trained(spec(80)) is True
    assert builder.is_trained(spec(2)) is False
    model = builder.build(spec(2, letterbox=False))
    assert_loaded(model, parts, OUTPUTS)
    assert caplog.messages == [
        f"{path} is of 80 classes, and the data has 2: the output convolutions of YOLOv3 begin at "
        "random, and are to be trained.",
        "YOLOv3's weights are of images that keep their proportions, and those of the data may be "
        "stretched. Declare data.fit='letterbox'.",
    ]
    caplog.clear()
    builder.build(spec(80))
    assert not caplog.messages


def refusal(path: Path, classes: int = 80, width: float = NARROW) -> str:
    with pytest.raises(ModelError) as refused:
        YOLOv3(str(path), width=width).check(spec(classes))
    return str(refused.value).replace(str(path), "FILE")


def sparse(path: Path, size: int) -> Path:
    """Write a header, and nothing up to a size."""
    path.write_bytes(header())
    with path.open("r+b") as stream:
        stream.truncate(size)
    return path


def test_a_file_that_is_too_short_or_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "yolov3.weights"
    for size, where in (
        (20, "conv_0, a convolution of 3x3 from 3 to 32 channels"),
        (20 + 4 * (4 * 32 + 27 * 32), "conv_1, a convolution of 3x3 from 32 to 64 channels"),
        (162_482_580, "conv_52, a convolution of 1x1 from 1024 to 512 channels"),  # the backbone's
        (WHOLE - 1, "conv_74, a convolution of 1x1 from 256 to 255 channels"),
    ):
        assert refusal(sparse(path, size), width=1.0) == (
            f"weights=FILE ends in {where}; {WHOLE - size:,} bytes are missing: YOLOv3 of 80 "
            "classes has 248,007,048. Fetch it again, as a whole."
        )
        # Of other data it is the published file all the same.
        assert f"{where}; {WHOLE - size:,} bytes" in refusal(path, 200, width=1.0)
    assert refusal(sparse(path, WHOLE + 5), width=1.0) == (
        "weights=FILE has 248,007,053 bytes, 5 too many: YOLOv3 of 80 classes has 248,007,048. "
        "Fetch it again, as a whole."
    )
    of_three = WHOLE - 4 * 77 * 3 * 1795
    assert refusal(sparse(path, of_three + 4), 3, width=1.0) == (
        f"weights=FILE has {of_three + 4:,} bytes, 4 too many: YOLOv3 of 3 classes has "
        f"{of_three:,}. Fetch it again, as a whole."
    )


def test_a_file_of_other_classes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.weights"
    write(path, 20)
    for classes in (80, 3):
        assert refusal(path, classes) == (
            f"weights=FILE has the size of a file of 20 classes; the data has {classes}. Declare "
            "data with the classes of the file, in its order, or use a file of 80 classes, whose "
            "output convolutions are trained anew for yours."
        )


def test_what_is_no_weight_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "yolov3.weights"
    missing = (
        "weights=FILE is not there. Expected Darknet's yolov3.weights; weights=None begins at "
        "random."
    )
    assert refusal(path) == missing
    with pytest.raises(ModelError, match="is not there"):
        YOLOv3(str(path)).fetch()
    for begin, what in (
        (b"", "0 bytes long"),
        (b"\x00" * 11, "11 bytes long"),
        (b"\x89HDF\r\n\x1a\n" * 4, "HDF5, as Keras saves it"),
        (b"PK\x03\x04" * 8, "an archive, as Keras saves it"),
        (b"<!DOCTYPE html><html>", "a page of the web"),
    ):
        path.write_bytes(begin)
        assert refusal(path) == (
            f"weights=FILE is {what}, and no weight file of Darknet. Expected yolov3.weights."
        )
    assert "is a folder, not a file" in refusal(tmp_path)


def test_numbers_that_no_training_gives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "yolov3.weights"
    write(path, 3)
    whole = path.read_bytes()
    first = 20 + 4 * (4 * 1 + 27)  # conv_1, of two filters
    for place, number in ((first, np.nan), (first + 4 * 9, np.inf), (first + 4 * 7, -0.1)):
        path.write_bytes(whole[:place] + struct.pack("<f", number) + whole[place + 4 :])
        with pytest.raises(ModelError, match=r"has numbers in conv_1 that no training gives"):
            YOLOv3(str(path), width=NARROW).build(spec(3))


# Without the file, and training


def test_on_generated_data_a_narrow_network_stands_in(tmp_path: Path) -> None:
    path = tmp_path / "yolov3.weights"
    builder = YOLOv3(str(path), score=0.4)
    instead, note = builder.offline()
    assert instead == YOLOv3(width=0.125, score=0.4)
    assert note == (
        f"A YOLOv3 of an eighth of the filters with random weights stood in for {path}, which is "
        "not there: what was learnt says nothing about the network."
    )
    path.write_bytes(b"whatever is there")
    assert builder.offline() == (builder, "")
    assert YOLOv3().offline() == (YOLOv3(), "")


def test_phases_train_the_outputs_then_the_neck_then_all(tmp_path: Path) -> None:
    path = tmp_path / "yolov3.weights"
    write(path)
    model = YOLOv3(str(path), width=NARROW).build(spec(2))
    base = base_of(model)

    def trained() -> set[str]:
        layers = model._flatten_layers()
        return {la.name for la in layers if la.name.startswith("conv_") and la.trainable_weights}

    assert {n for n in trained() if "norm" not in n} == {*OUTPUTS}
    unfreeze(base, "conv_52")
    numbers = {int(name.split("_")[1]) for name in trained()}
    assert numbers == {*range(52, 75)}
    unfreeze(base, "all")
    assert {int(name.split("_")[1]) for name in trained()} == {*range(75)}


DECLARED = """
from tfpipe import FineTune, Phase, Pipeline
from tfpipe.data import VOC
from tfpipe.models import YOLOv3

PHOTOS = VOC("photos", size=(64, 96), fit="letterbox", classes=("a", "b", "c"), test=None)

class Three(Pipeline):
    data = PHOTOS
    model = YOLOv3("three.weights", width=1 / 32, score=0.01, most=5)

class Own(Pipeline):
    data = PHOTOS
    model = YOLOv3("coco.weights", width=1 / 32)
    fine_tune = FineTune(phases=(Phase(epochs=1), Phase(epochs=1, unfreeze="conv_52")))
    batch_size = 2

class Random(Pipeline):
    data = PHOTOS
    model = YOLOv3(width=1 / 32)
"""
ANNOTATION = """<annotation><filename>{name}.png</filename>
<size><width>40</width><height>30</height><depth>3</depth></size>
<object><name>b</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>25</xmax><ymax>20</ymax></bndbox>
</object></annotation>"""


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of declarations, beside photographs with boxes, and weights of 3 and 80 classes."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "found.py"
    file.write_text(DECLARED)
    for folder in ("images", "annotations"):
        (tmp_path / "photos" / folder).mkdir(parents=True)
    for name in "abcdef":
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos/images" / f"{name}.png")
        xml = ANNOTATION.format(name=name)
        (tmp_path / "photos/annotations" / f"{name}.xml").write_text(xml)
    write(tmp_path / "three.weights", 3)
    write(tmp_path / "coco.weights", 80)
    return file


def test_a_declaration_predicts_where_all_weights_are_of_the_file(declared: Path) -> None:
    terminal = Terminal(io.StringIO())
    predictor = of_declaration(load(f"{declared}::Three"), terminal)
    assert predictor.notes == ()
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3), np.uint8)
    answers = np.stack(predictor.model({"image": pixels}))
    model = YOLOv3("three.weights", width=NARROW, score=0.01, most=5).build(spec(3))
    head = head_of(model)
    assert head is not None
    expected = head.answers(model(pixels, training=False)).numpy()
    assert (expected[..., 5] >= 0).all()
    np.testing.assert_allclose(answers, expected, atol=1e-4)
    with pytest.raises(ModelError) as refused:
        of_declaration(load(f"{declared}::Own"), terminal)
    assert "found.py declares a model that must be trained first" in str(refused.value)
    assert str(refused.value).endswith(
        "A network that answers without training is declared with weights of its data's own "
        "classes."
    )
    with pytest.raises(ModelError, match=r"so its answers would be random. Declare weights=PATH\."):
        of_declaration(load(f"{declared}::Random"), terminal)
    asked = of_declaration(load(f"{declared}::Random", ["model.weights=None"]), terminal)
    assert "the network is random" in asked.notes[0]
    assert len(asked.model({"image": pixels})) == 2


@pytest.mark.ci
def test_the_heads_are_fine_tuned_from_a_declaration(tfpipe: Any, declared: Path) -> None:
    answer = tfpipe("run", f"{declared}::Own", "--no-export")
    assert answer.code == 0, answer.err
    assert "coco.weights is of 80 classes, and the data has 3: the output convolutions" in (
        answer.out + answer.err
    )
    (run,) = Path("runs").glob("*/*")
    rows = (run / "metrics.csv").read_text().splitlines()
    assert len(rows) == 3
    for word in ("box_error", "class_error", "val_loss"):
        assert word in rows[0]
    best = keras.models.load_model(run / "checkpoints" / "best.keras", compile=False)
    own, other = (base_of(m).get_layer("conv_3").get_weights() for m in (best, built_of(declared)))
    np.testing.assert_array_equal(own, other)  # frozen in both phases


def built_of(declared: Path) -> Any:
    pipeline: Any = load(f"{declared}::Own").pipeline
    features, label = pipeline.data.element()
    return pipeline.model.build(ElementSpec(features, (label,)))
