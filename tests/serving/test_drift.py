"""Drift: what counts as unlike training, for each kind of input and of answer."""

import io
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfpipe.serving.drift import Drift, mean_of, stability_of

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


def test_of_many_long_texts_some_are_looked_at() -> None:
    """A text of 30 megabytes, or 512 long ones, keep nobody waiting for half a second."""
    text = {"name": "text", "kind": "text", "shape": []}
    training = {"inputs": {"text": {"lengths": {"min": 1, "max": 1000}}}}
    drift = Drift({"inputs": [text], "training": training})
    drift.add({"text": files(b"a " * (1 << 24))}, {})
    assert (drift.inputs(), drift.outside()) == ({"text": 1}, {("text", "above"): 1})
    drift.add({"text": files(*[b"a " * (1 << 15)] * 512)}, {})
    assert (drift.inputs(), drift.outside()) == ({"text": 65}, {("text", "above"): 65})


def test_a_date_or_a_number_in_words_is_no_unknown_word() -> None:
    columns = [{"name": kind, "kind": kind, "shape": []} for kind in ("date", "number", "category")]
    words = {name: {"words": {"2024-02-29": 1.0}} for name in ("date", "number", "category")}
    drift = Drift({"inputs": columns, "training": {"inputs": words}})
    drift.add({name: files(b"2025-01-31") for name in words}, {})
    assert drift.outside() == {("category", "unknown"): 1}


def test_who_asks_meanwhile_changes_no_count() -> None:
    x = {"name": "x", "kind": "number", "shape": []}
    drift = Drift({"inputs": [x], "training": {"inputs": {"x": {"min": 0, "max": 1}}}})
    usual, done = sys.getswitchinterval(), threading.Event()

    def ask() -> None:
        while not done.is_set():
            drift.inputs()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for _ in range(3000):
            drift.add({"x": np.array([2.0])}, {})
    finally:
        done.set()
        sys.setswitchinterval(usual)
        for thread in threads:
            thread.join()
    assert (drift.inputs(), drift.outside()) == ({"x": 3000}, {("x", "above"): 3000})


def test_recent_answers_are_compared_with_training() -> None:
    """A long time without drift does not hide a short one with it, and chance is no drift."""
    drift = Drift(IMAGES)
    for _ in range(100):  # half of each class, as in training
        drift.add({}, {"probabilities": np.array([[0.7, 0.3]] * 50 + [[0.3, 0.7]] * 50)})
    assert drift.answers() == {("y", "a"): 5000, ("y", "b"): 5000}
    recent = drift.recent()
    assert recent["y", "a"] == recent["y", "b"] < 500
    assert stability_of([0.5, 0.5], [*recent.values()]) == 0
    for _ in range(6):
        drift.add({}, answered(100))
    recent = drift.recent()
    counts = [recent["y", name] for name in "ab"]
    assert stability_of([0.5, 0.5], counts) > 0.25
    assert stability_of([0.5, 0.5], [5600, 5000]) < 0.01  # of all answers it would be hidden
    rng = np.random.default_rng(0)
    for classes in (2, 20, 100, 1000):
        shares = [1 / classes] * classes
        assert stability_of(shares, rng.multinomial(20 * classes - 1, shares).tolist()) is None
        enough = rng.multinomial(max(100, 20 * classes), shares).tolist()
        assert stability_of(shares, enough) < 0.1


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
