"""`tfpipe export` in every format, `tfpipe verify`, and what neither lets pass."""

import io
import json
import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from tfpipe.declare.spec import Label
from tfpipe.exports import signatures
from tfpipe.exports.comparison import compared
from tfpipe.exports.onnx import OPSET
from tfpipe.exports.parity import onnx_answers
from tfpipe.exports.versions import next_version
from tfpipe.tasks.task import task_of

PIPELINES = Path(__file__).parents[2] / "pipelines"


def test_images_in_every_format(tfpipe: Any, small: Path, tmp_path: Path) -> None:
    """Each file proves itself, wherever it is; none of them does when it was changed."""
    assert tfpipe("run", small, "--no-export").code == 0
    formats = ("saved_model", "onnx", "litert", "litert-int8")
    words = [word for name in formats for word in ("--format", name)]
    answer = tfpipe("export", "last", *words, "--max-loss", "1")
    assert answer.code == 0, answer.err
    lines = {line.split("  ")[0]: line for line in answer.out.splitlines()}
    assert "accuracy of 24" in lines["onnx"]
    assert "100.00%" in lines["litert"]
    assert "litert-int8" in lines
    models = Path("saved_models/small")
    file = models / "onnx/1/model.onnx"
    report = json.loads((file.parent / "report.json").read_text())
    assert (report["format"], report["checkpoint"], report["split"]) == ("onnx", "best", "test")
    (output,) = report["outputs"]
    assert output["largest_difference"] < 1e-5
    assert output["equal_answers"] == 1.0
    assert output["trained"] == output["converted"]
    assert report["bytes"] > report["weight_bytes"] > 1000
    assert report["milliseconds"] > 0

    # A copy of the one file has all that it needs.
    for suffix, name in (("onnx", "onnx"), ("tflite", "litert")):
        copy = tmp_path / f"copied.{suffix}"
        shutil.copy(models / name / "1" / f"model.{suffix}", copy)
        found = json.loads(tfpipe("verify", copy, "--json").out)
        assert found["path"] == str(copy)
        assert 0 <= found["differences"][name] < 1e-5
        assert found["tolerance"] == pytest.approx(1e-4)
    with zipfile.ZipFile(models / "litert-int8/1/model.tflite") as packed:
        assert packed.read("labels.txt") == b"dark\ngrey\nbright\n"
        contract = json.loads(packed.read("contract.json"))
    assert contract["format"] == "litert-int8"
    assert contract["tolerance"] > 1e-4
    answer = tfpipe("verify", models)
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()[2:5]] == [
        "serving_default",
        "serving_float",
        "serving_bytes",
    ]

    # Weights that were changed, or are not all there, are noticed.
    damaged = onnx.load_model(str(file))
    weights = max(damaged.graph.initializer, key=lambda values: len(values.raw_data))
    weights.raw_data = bytes(len(weights.raw_data))
    onnx.save_model(damaged, str(file))
    answer = tfpipe("verify", file)
    assert answer.code == 3
    assert f"{file} is not the trained one: onnx differs by " in answer.err
    values = models / "1/variables/variables.data-00000-of-00001"
    values.write_bytes(values.read_bytes()[:100])
    answer = tfpipe("verify", models)
    assert answer.code == 3
    assert "saved_models/small/1 cannot be compared with its golden samples" in answer.err
    # Nor is an artefact right of which nothing can be compared.
    assert tfpipe("export", "last").code == 0
    golden = models / "2/assets/golden.npz"
    with np.load(golden) as kept:
        arrays = {name: kept[name] for name in kept if "answers" not in name}
    np.savez(golden, **arrays)
    answer = tfpipe("verify", models)
    assert answer.code == 3
    assert "its golden samples have no answers, so that nothing can be compared" in answer.err
    answer = tfpipe("verify", small)
    assert answer.code == 2
    assert "is no exported model: expected is the folder of a SavedModel" in answer.err


BFLOAT16 = """
import numpy as np
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.models import MLP


def rows():
    rng = np.random.default_rng(0)
    x = {name: rng.normal(1000, 1, 80).astype("float32") for name in ("a", "b")}
    return x, (x["a"] > x["b"]).astype(int)


class Table(Pipeline):
    data = Arrays(rows, validation=0.2, test=0.2)
    model = MLP(units=(4,), dropout=0.1)
    precision = "bfloat16"
    epochs = 1
"""


def test_what_was_trained_in_bfloat16_is_converted_in_float32(tfpipe: Any, small: Path) -> None:
    """Images, and columns of 1,000 ± 1, whose mean bfloat16 rounds to a multiple of 4."""
    Path("table.py").write_text(BFLOAT16)
    for file in (small, Path("table.py")):
        assert tfpipe("run", file, "precision=bfloat16", "epochs=1", "--no-export").code == 0
        answer = tfpipe("export", "last", "--format", "onnx", "--format", "litert")
        assert answer.code == 0, answer.err
        assert "trained in bfloat16, here compared and written in float32\n" in answer.out
        for name in ("onnx", "litert"):
            (report,) = Path(f"saved_models/{file.stem}").glob(f"{name}/1/report.json")
            found = json.loads(report.read_text())
            assert found["trained_in"] == "bfloat16"
            assert found["outputs"][0]["largest_difference"] < 1e-5
            assert found["golden"]["differences"][name] < 1e-5


DECODE = signatures.decode
FLAGS: dict[str, Callable[[Any, Any], Any]] = {
    "no antialias": lambda file, feature: tf.cast(
        tf.round(tf.image.resize(tf.io.decode_image(file, 3, expand_animations=False), (8, 8))),
        tf.uint8,
    ),
    "channel order": lambda file, feature: DECODE(file, feature)[..., ::-1],
    "/255 twice": lambda file, feature: DECODE(file, feature) // 255,
}


def test_preprocessing_that_differs_in_one_flag_is_not_exported(
    tfpipe: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tfpipe("run", small, "--no-export").code == 0
    for flag, decode in FLAGS.items():
        monkeypatch.setattr(signatures, "decode", decode)
        answer = tfpipe("export", "last")
        assert answer.code == 3, flag
        assert "The exported model is not the trained one: serving_bytes differs by" in answer.err
        assert "Nothing was exported." in answer.err
        assert not [*Path().glob("saved_models/small/*")], flag
    monkeypatch.undo()


def test_words_of_tables_and_texts(tfpipe: Any) -> None:
    """ONNX looks words up; LiteRT reads no text; neither splits sentences, and both say so."""
    assert tfpipe("run", PIPELINES / "churn_mlp.py", "--sample", "320", "epochs=1").code == 0
    answer = tfpipe("export", "last", "--format", "onnx", "--checkpoint", "last")
    assert answer.code == 0, answer.err
    session = onnxruntime.InferenceSession("saved_models/churn_mlp/onnx/1/model.onnx")
    assert {i.name for i in session.get_inputs()} >= {"Geography", "CreditScore", "HasCrCard"}
    answer = tfpipe("export", "last", "--format", "litert")
    assert answer.code == 2
    assert "LiteRT cannot hold this model: its own operations read no text, and " in answer.err
    assert tfpipe("run", PIPELINES / "imdb_text.py", "--sample", "64", "epochs=1").code == 0
    answer = tfpipe("export", "last", "--format", "onnx")
    assert answer.code == 2
    assert "ONNX cannot hold this model: " in answer.err
    assert "export it as a SavedModel." in answer.err
    assert not [*Path("saved_models/imdb_text").glob("onnx/*")]


def test_what_is_in_an_export(tfpipe: Any, small: Path) -> None:
    """Golden samples, statistics of training, and requests that TensorFlow Serving reads."""
    assert tfpipe("run", small).code == 0
    folder = Path("saved_models/small/1")
    contract = json.loads((folder / "assets/contract.json").read_text())
    assert contract["run"].startswith("small/")
    assert contract["checkpoint"] == "last"
    assert contract["metrics"]["test"].keys() == {"loss", "accuracy"}
    assert "licences of the training data" in contract["licence"]
    assert contract["signatures"]["serving_float"]["inputs"] == {
        "image": {"dtype": "float32", "shape": [None, 8, 8, 3]}
    }
    shares = contract["training"]["answers"]
    assert list(shares) == ["dark", "grey", "bright"]
    assert sum(shares.values()) == pytest.approx(1)
    image = contract["training"]["inputs"]["image"]
    assert image["count"] == 76
    assert 80 < image["mean"] < 120
    with np.load(folder / "assets/golden.npz") as golden:
        files = [golden[f"file_{i}"].tobytes() for i in range(24)]
        assert golden["answers"].shape == golden["file_answers"].shape == (24, 3)
    sizes = {Image.open(io.BytesIO(file)).size for file in files}
    assert {(8, 8), (14, 14), (5, 5), (18, 18)} == sizes
    assert {Image.open(io.BytesIO(file)).format for file in files} == {"PNG", "JPEG"}

    records = tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in records]
    asked = [log.predict_log.request for log in logs]
    requests = {request.model_spec.signature_name: request for request in asked}
    assert requests.keys() == {"serving_default", "serving_bytes"}
    assert {r.model_spec.name for r in requests.values()} == {"small"}
    loaded = tf.saved_model.load(str(folder))
    serve = loaded.signatures
    for name, request in requests.items():
        given = {key: tf.constant(tf.make_ndarray(p)) for key, p in request.inputs.items()}
        assert serve[name](**given)["probabilities"].shape == (1, 3)
    arrays = tf.random.uniform((4, 8, 8, 3), 0, 255, seed=0)
    np.testing.assert_array_equal(
        serve["serving_float"](image=arrays)["probabilities"],
        serve["serving_default"](image=tf.cast(tf.round(arrays), tf.uint8))["probabilities"],
    )
    weights = sum(v.numpy().nbytes for v in serve["serving_default"].variables)
    written = sum(p.stat().st_size for p in (folder / "variables").iterdir())
    assert written < 1.1 * weights + 4000  # names and shapes, which a small model has too


def test_two_exports_at_once_get_two_versions(tmp_path: Path) -> None:
    """Both take number 1 for the next one; the later of them writes again, as number 2."""
    together = threading.Barrier(2, timeout=60)
    met: set[str] = set()
    found: list[Path] = []

    def write(folder: Path) -> None:
        name = threading.current_thread().name
        if name not in met:
            met.add(name)
            together.wait()
        (folder / "who").write_text(name)

    def export() -> None:
        found.append(next_version(tmp_path / "model", write))

    threads = [threading.Thread(target=export, name=name) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in found) == ["1", "2"]
    assert {(path / "who").read_text() for path in found} == {"a", "b"}
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["1", "2"]


def test_numbers_and_classes_are_compared_by_what_they_mean() -> None:
    classes = task_of(Label(name="y", kind="class", classes=("a", "b", "c")))
    trained = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.2, 0.8, 0], [0.7, 0.3, 0]])
    converted = np.array([[0.8, 0.2, 0], [0.6, 0.4, 0], [0.2, 0.8, 0], [0.7, 0.3, 0]])
    (found,) = compared(classes, trained, converted, np.array([0, 1, 1, 1]))
    assert found.largest_difference == pytest.approx(0.2)
    assert (found.equal_answers, found.trained, found.converted) == (0.75, 0.75, 0.5)
    assert found.lost() == 0.25


def test_words_beyond_ascii_go_to_onnx_as_they_are(tmp_path: Path) -> None:
    text = onnx.helper.make_tensor_value_info("town", onnx.TensorProto.STRING, [None])
    same = onnx.helper.make_tensor_value_info("same", onnx.TensorProto.STRING, [None])
    node = onnx.helper.make_node("Identity", ["town"], ["same"])
    graph = onnx.helper.make_graph([node], "towns", [text], [same])
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save_model(model, str(tmp_path / "towns.onnx"))
    answers = onnx_answers(tmp_path / "towns.onnx")
    towns = np.array(["Köln".encode(), b"Oslo", "東京".encode()])
    assert answers({"town": towns})["same"].tolist() == ["Köln", "Oslo", "東京"]


def test_names_of_classes_in_another_order_are_noticed(tfpipe: Any, small: Path) -> None:
    assert tfpipe("run", small, "epochs=1").code == 0
    labels = Path("saved_models/small/1/assets/labels.txt")
    labels.write_text("bright\ngrey\ndark\n")
    answer = tfpipe("verify", "small")
    assert answer.code == 3
    assert "labels.txt does not have the classes of contract.json" in answer.err
