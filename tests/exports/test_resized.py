"""The export of a model that sees the centre of its pictures: files of any size."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import ImageFolder, augment
from tfpipe.data.images.decoding import decode
from tfpipe.evaluation.predict import answers
from tfpipe.models import MLP

SIZES = [(20, 31), (31, 20), (9, 9), (16, 16), (17, 90), (64, 48)]


def file(size: tuple[int, int], seed: int, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kept", [None, (9, 9)], ids=["cut out", "enlarged"])
def test_files_are_seen_as_in_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "valid", "test"):
        for number, size in enumerate(SIZES):
            path = tmp_path / "photos" / split / ("cat", "dog")[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file(size, number))

    class Photos(Pipeline):
        data = ImageFolder("photos", size=(12, 10), resize=(16, 16), kept=kept, channels=3)
        augment = (augment.random_resized_crop(), augment.flip())
        model = MLP(units=(8,))
        batch_size = 2
        epochs = 1

    result = tfpipe.run(Photos(), root=tmp_path, quiet=True)
    prepared = result._prepared
    feature, head = prepared.spec.feature, prepared.compiled.task
    contract = json.loads((result.exported[0] / "assets" / "contract.json").read_text())
    assert contract["inputs"][0]["resize"] == [16, 16]
    assert contract["resize"] == (
        "inside serving_bytes: bilinear, antialiased, rounded; proportions kept, to cover "
        "`resize`, of which the centre of `shape` is cut out"
    )
    served = tf.saved_model.load(str(result.exported[0])).signatures["serving_bytes"]

    stored = [tmp_path / "photos/test" / ("cat", "dog")[n % 2] / f"{n}.png" for n in (0, 2, 4, 1)]
    batches = prepared.pipeline.data.input_fn("test", batch_size=6).as_numpy_iterator()
    (images, _), *_ = batches
    found = served(bytes=tf.constant([p.read_bytes() for p in stored]))["probabilities"].numpy()
    np.testing.assert_allclose(found[:, 1:], answers(result.model, head, images[:4]), atol=1e-6)

    others = [file(size, 7 + n, "JPEG") for n, size in enumerate(SIZES)]
    decoded = np.stack([decode(tf.constant(o), feature).numpy() for o in others])
    assert decoded.shape == (6, 12, 10, 3)
    found = served(bytes=tf.constant(others))["probabilities"].numpy()
    np.testing.assert_allclose(found[:, 1:], answers(result.model, head, decoded), atol=1e-6)
