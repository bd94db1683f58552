"""Drift: what counts as unlike training, for each kind of input and of answer."""

import io
import weakref
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfpipe.serving.drift import Drift, mean_of

IMAGES = {
    "inputs": [{"name": "image", "kind": "image", "shape": [8, 8, 3]}],
    "files": "JPEG, PNG",
    "output": "probabilities",
    "label": {"name": "y", "kind": "class", "classes": ["a", "b"], "parts": []},
    "training": {
        "inputs": {"image": {"count": 10, "mean": 100.0, "std": 10.0}},
        "answers": {"a": 0.5, "b": 0.5},
    },
}


def png(level: int, size: tuple[int, int] = (8, 8), mode: str = "L") -> bytes:
    written = io.BytesIO()
    Image.new(mode, size, level if mode == "L" else (level, level, level)).save(written, "png")
    return written.getvalue()


def files(*contents: bytes) -> np.ndarray:
    return np.array(contents, object)


def answered(count: int) -> dict[str, np.ndarray]:
    return {"probabilities": np.tile([[0.7, 0.3]], (count, 1))}


def test_of_image_files_one_in_64_samples_is_decoded() -> None:
    drift = Drift(IMAGES)
    for _ in range(64):
        drift.add({"bytes": files(png(200))}, answered(1))
    drift.add({"bytes": files(png(110))}, answered(1))
    assert drift.inputs() == {"image": 2}
    assert drift.outside() == {("image", "above"): 1}
    assert drift.answers() == {("y", "a"): 65}


def test_the_mean_of_a_file() -> None:
    assert mean_of(png(7), 1) == pytest.approx([7.0])
    assert mean_of(png(7, mode="RGB"), 3) == pytest.approx([7.0])
    assert mean_of(png(7, mode="RGB"), 1) == pytest.approx([7.0])
    assert mean_of(png(7, size=(1000, 1000)), 3) is None  # would keep others waiting
    assert mean_of(b"no image", 3) is None
    assert mean_of(png(7)[:40] + b"IEND", 3) is None


def test_arrays_are_looked_at_one_and_all() -> None:
    drift = Drift(IMAGES)
    pictures = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (100, 20, 250)])
    drift.add({"image": pictures}, answered(3))
    assert drift.inputs() == {"image": 3}
    assert drift.outside() == {("image", "below"): 1, ("image", "above"): 1}


def test_what_waits_to_be_counted_is_bounded() -> None:
    """Large arrays and texts do not stay for longer than the request that brought them."""
    text = {"name": "text", "kind": "text", "shape": []}
    words = {"inputs": {"text": {"lengths": {"min": 1, "max": 5}}}}
    for contract, name, values in (
        (IMAGES, "image", np.zeros((1, 8, 1024, 1024, 1), np.uint8)),
        (IMAGES, "other", np.zeros((1, 8), np.uint8)),  # is not counted
        ({"inputs": [text], "training": words}, "text", files(b"a " * (4 << 20))),
    ):
        drift = Drift(contract)
        asked = values.view()
        there = weakref.ref(asked)
        drift.add({name: asked}, answered(1))
        del asked
        assert there() is None, name


def test_several_answers_at_once_are_counted_each() -> None:
    label = {"name": "tags", "kind": "multilabel", "classes": ["x", "y", "z"], "parts": []}
    training = {"answers": {"x": 0.5, "y": 0.5, "z": 0.1}}
    drift = Drift({"label": label, "output": "probabilities", "training": training})
    drift.add({}, {"probabilities": np.array([[0.9, 0.6, 0.1], [0.2, 0.5, 0.4]])})
    assert drift.answers() == {("tags", "x"): 1, ("tags", "y"): 2}


def test_several_outputs_are_counted_each_by_its_name() -> None:
    parts = [
        {"name": "kind", "kind": "class", "classes": ["cat", "dog"]},
        {"name": "age", "kind": "real", "classes": []},
    ]
    label = {"name": "", "kind": "several", "classes": [], "parts": parts}
    answers = {"kind": {"cat": 0.9, "dog": 0.1}, "age": {"min": 0, "max": 9}}
    drift = Drift({"label": label, "training": {"answers": answers}})
    drift.add({}, {"kind": np.tile([[0.1, 0.9]], (200, 1)), "age": np.ones((200, 1))})
    assert drift.answers() == {("kind", "dog"): 200}
    assert drift.shares == {"kind": {"cat": 0.9, "dog": 0.1}}


@pytest.mark.parametrize(
    "contract",
    [
        {},
        {"inputs": IMAGES["inputs"], "files": "PNG"},
        {**IMAGES, "training": {}},
        {**IMAGES, "training": {"inputs": {"image": {}}}},
    ],
)
def test_an_export_that_says_less_is_counted_less(contract: dict[str, Any]) -> None:
    drift = Drift(contract)
    image = np.zeros((1, 8, 8, 3), np.uint8)
    for asked in ({"image": image}, {"bytes": files(png(9))}, {"x": np.float32(1)}):
        drift.add(asked, answered(1))
    assert drift.outside() == {}
