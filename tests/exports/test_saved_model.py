"""The export: needs no tfpipe, takes raw samples, and is the model that was trained."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.data.images.decoding import decode
from tfpipe.errors import CheckFailed
from tfpipe.evaluation.predict import answers
from tfpipe.models import CNN_2_4_6, MLP, WhitenedCNN


def images() -> Any:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (60, 12, 12, 3)).astype("uint8"), np.arange(60) % 3


class Images(Pipeline):
    data = Arrays(images, classes=("ant", "bee", "fly"))
    model = CNN_2_4_6(convs=2, dropout=0.5, batch_norm=True, units=8)
    epochs = 1


NETWORKS = {
    "convolutions": CNN_2_4_6(convs=2, dropout=0.5, batch_norm=True, units=8),
    "views of each image": WhitenedCNN(widths=(8, 8), views="shifted"),
}


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    pipeline = Images(model=NETWORKS[request.param])
    return tfpipe.run(pipeline, root=tmp_path_factory.mktemp("exported"), quiet=True)


def encoded(size: tuple[int, int], kind: str) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype("uint8")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


FILES = [encoded((12, 12), "PNG"), encoded((40, 31), "JPEG"), encoded((5, 7), "PNG")]

# Importing what is None in sys.modules is an ImportError.
ASK = """
import json, sys
sys.modules["keras"] = sys.modules["tfpipe"] = None
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
x = np.load(sys.argv[2] + "/x.npy")
files = [open(f"{sys.argv[2]}/{i}", "rb").read() for i in range(3)]
arrays = model.signatures["serving_default"](image=tf.constant(x))
encoded = model.signatures["serving_bytes"](bytes=tf.constant(files))
print(json.dumps({
    "arrays": arrays["probabilities"].numpy().tolist(),
    "encoded": encoded["probabilities"].numpy().tolist(),
    "names": [n.decode() for n in encoded["class_name"].numpy()],
    "index": encoded["class_index"].numpy().tolist(),
}))
"""


def test_answers_in_a_process_without_tfpipe_and_keras(trained: Any, tmp_path: Path) -> None:
    x = images()[0][:5]
    np.save(tmp_path / "x.npy", x)
    for number, data in enumerate(FILES):
        (tmp_path / str(number)).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK, str(trained.exported[0]), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    found = json.loads(done.stdout)
    head, feature = trained._prepared.compiled.task, trained._prepared.spec.feature
    decoded = np.stack([decode(tf.constant(f), feature).numpy() for f in FILES])
    expected = answers(trained.model, head, decoded)
    np.testing.assert_allclose(found["arrays"], answers(trained.model, head, x), atol=1e-6)
    np.testing.assert_allclose(found["encoded"], expected, atol=1e-6)
    np.testing.assert_allclose(np.sum(found["encoded"], axis=1), 1.0, atol=1e-5)
    assert found["index"] == expected.argmax(axis=1).tolist()
    assert found["names"] == [("ant", "bee", "fly")[i] for i in found["index"]]


def test_holds_labels_contract_and_golden_samples(trained: Any) -> None:
    assets = trained.exported[0] / "assets"
    assert (assets / "labels.txt").read_text() == "ant\nbee\nfly\n"
    contract = json.loads((assets / "contract.json").read_text())
    assert contract["task"] == "classification"
    assert contract["inputs"][0]["shape"] == [12, 12, 3]
    with np.load(assets / "golden.npz", allow_pickle=False) as golden:
        assert golden["array_image"].dtype == np.uint8
        assert len(golden["answers"]) == len(golden["array_image"])


def test_stores_each_weight_once_and_no_optimizer(trained: Any) -> None:
    (data,) = (trained.exported[0] / "variables").glob("*.data-*")
    weights = sum(w.nbytes for w in trained.model.get_weights())
    assert weights <= data.stat().st_size < weights + 20_000


@pytest.mark.fresh_process
def test_versions_count_up(trained: Any) -> None:
    assert trained.export().name == "2"
    assert [p.name for p in trained.exported] == ["1", "2"]


@pytest.mark.fresh_process
def test_a_model_that_answers_otherwise_is_not_exported(tmp_path: Path) -> None:
    class Moody(Images):
        def build_model(self) -> Any:
            inputs = keras.Input((12, 12, 3))
            noisy = keras.layers.Lambda(lambda x: x + tf.random.uniform(tf.shape(x), maxval=99.0))
            flat = keras.layers.Flatten()(noisy(inputs))
            return keras.Model(inputs, keras.layers.Dense(3)(flat))

    with pytest.raises(
        CheckFailed, match="The exported model is not the trained one: serving_default differs by"
    ) as caught:
        tfpipe.run(Moody(), root=tmp_path, quiet=True)
    assert caught.value.exit_code == 3
    assert (
        list(
            (tmp_path / "saved_models" / next(iter(tmp_path.glob("saved_models/*"))).name).iterdir()
        )
        == []
    )


def test_what_rounding_changes_is_allowed_for_and_said(tmp_path: Path, caplog: Any) -> None:
    class Sensitive(Images):
        """One whose operations give another value when a graph joins them."""

        def build_model(self) -> Any:
            inputs = keras.Input((12, 12, 3))
            joined = keras.layers.Lambda(lambda x: x / (250 if tf.executing_eagerly() else 255))
            return keras.Model(
                inputs, keras.layers.Dense(3)(keras.layers.Flatten()(joined(inputs)))
            )

    run = tfpipe.run(Sensitive(), root=tmp_path, quiet=True)
    contract = json.loads((run.exported[0] / "assets" / "contract.json").read_text())
    assert contract["tolerance"] > 1e-5
    (said,) = (r.getMessage() for r in caplog.records if "Rounding alone" in r.getMessage())
    assert f"may differ by {contract['tolerance']:.3g} and not by 1e-05" in said
    assert tfpipe.verify(str(run.exported[0]))["tolerance"] == contract["tolerance"]


def flat(labels: Any) -> Any:
    return lambda: (np.random.default_rng(0).normal(size=(50, 4)).astype("float32"), labels)


@pytest.mark.parametrize(
    ("labels", "names", "shape"),
    [
        (np.arange(50) % 2, {"probabilities", "class_index", "class_name"}, (None, 2)),
        (np.linspace(0, 1, 50), {"values"}, (None, 1)),
        (np.eye(50, 4, dtype=int), {"probabilities"}, (None, 4)),
    ],
)
def test_signatures_of_the_other_tasks(
    tmp_path: Path, labels: Any, names: set[str], shape: tuple[Any, ...]
) -> None:
    class Flat(Pipeline):
        data = Arrays(flat(labels))
        model = MLP(units=(3,))
        epochs = 1

    result = tfpipe.run(Flat(), root=tmp_path, quiet=True)
    loaded = tf.saved_model.load(str(result.exported[0]))
    signature = loaded.signatures["serving_default"]
    assert set(loaded.signatures) == {"serving_default"}  # no files for vectors
    assert set(signature.structured_outputs) == names
    first = signature.structured_outputs.get(
        "probabilities", signature.structured_outputs.get("values")
    )
    assert tuple(first.shape) == shape
