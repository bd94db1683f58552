"""Models that need no training, and what the tests of the page do with a page."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.chromium import Tab
from tests.serving.conftest import Client, serving
from tfpipe.serving import repository
from tfpipe.serving.servable import Servable, Signature, Tensor

FIRST = "document.querySelector('#answer .first')?.textContent"
TEXT = "document.getElementById('answer').innerText"
CURL = "document.getElementById('curl').textContent"
PROBLEM = "document.getElementById('problem').textContent"
TOKEN = "secret"
NAMES = [f"kind {i}" for i in range(12)]


class Function:
    """What a model answers, with a note of what it was asked; it may be held up."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked, self.go = answer, [], threading.Event()
        self.go.set()

    def __call__(self, **tensors: Any) -> dict[str, Any]:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        self.asked.append(arrays)
        assert self.go.wait(20)
        answers = self.answer(**arrays).items()
        return {n: tf.constant(a, None if a.dtype == object else tf.float32) for n, a in answers}


def by_mean(image: np.ndarray) -> dict[str, Any]:
    """The first class of a sheet that is mostly dark, the second of another."""
    dark = image.reshape(len(image), -1).mean(axis=1) < 128
    return {"probabilities": np.stack([dark, ~dark], 1)}


def by_length(text: np.ndarray) -> dict[str, Any]:
    if b"bad" in text:
        raise ValueError("this text is not liked")
    places = np.array([len(t) for t in text]) % len(NAMES)
    return {"probabilities": np.eye(len(NAMES))[places]}


def of_row(age: np.ndarray, **words: np.ndarray) -> dict[str, Any]:
    return {
        "risk": np.stack([age / 100, 1 - age / 100], 1),
        "tags": np.tile([[0.9, 0.2, 0.7]], (len(age), 1)),
        "cost": age[:, None] * 10,
    }


def by_file(bytes: np.ndarray) -> dict[str, Any]:
    return by_mean(np.stack([picture(file) for file in bytes]))


def twice(bytes: np.ndarray) -> dict[str, Any]:
    """PNG files of twice as many pixels a side."""
    larger = []
    for file in bytes:
        image, written = Image.open(io.BytesIO(file)), io.BytesIO()
        image.resize((2 * image.width, 2 * image.height)).save(written, "PNG")
        larger.append(written.getvalue())
    return {"image_bytes": np.array(larger, object)}


def picture(file: bytes) -> np.ndarray:
    """The grey values of an image file."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("L")).astype(int)


def of_vector(past: np.ndarray) -> dict[str, Any]:
    return {"values": np.tile(past.sum(axis=1, keepdims=True), (1, 12))}


def bright(bytes: np.ndarray) -> dict[str, Any]:
    """The bright part of each picture as a star, in its own pixels, and a doubtful moon."""
    corners = []
    for file in bytes:
        rows, columns = np.nonzero(picture(file) > 128)
        corners.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    boxes = np.float32([[c, [0, 0, 5, 5], [0, 0, 0, 0]] for c in corners])
    return {
        "boxes": boxes,
        "scores": np.float32([[0.9, 0.3, 0.0]] * len(bytes)),
        "classes": np.int32([[1, 0, -1]] * len(bytes)),
        "names": np.array([["star", "moon", ""]] * len(bytes), object),
        "count": np.int32([2] * len(bytes)),
    }


FUNCTIONS = {
    "sky": Function(bright),
    "digit": Function(by_file),
    "fashion": Function(by_file),
    "text": Function(by_length),
    "row": Function(of_row),
    "sine": Function(of_vector),
    "plain": Function(of_vector),
    "larger": Function(twice),
}


def feature(name: str, kind: str, dtype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "dtype": dtype, "shape": shape, "categories": []}


def label(name: str, kind: str, classes: list[str]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "classes": classes, "columns": [], "parts": []}


CONTRACTS: dict[str, dict[str, Any]] = {
    "digit": {
        "task": "binary",
        "inputs": [feature("image", "image", "uint8", [28, 28, 1])],
        "label": label("y", "class", ["1", "2"]),
        "output": "probabilities",
        "files": "PNG",
    },
    "fashion": {
        "task": "binary",
        "inputs": [feature("image", "image", "uint8", [28, 28, 1])],
        "label": label("y", "class", ["shoe", "shirt"]),
        "output": "probabilities",
        "files": "PNG",
        "training": {"inputs": {"image": {"mean": 70.0, "std": 30.0}}},
    },
    "sine": {
        "task": "regression",
        "inputs": [feature("past", "vector", "float32", [3])],
        "label": label("next", "real", []),
        "output": "values",
        "training": {"inputs": {"past": {"min": -1.0, "max": 1.0, "mean": 0.5, "std": 0.1}}},
    },
    "plain": {},
    "sky": {
        "task": "detection",
        "inputs": [feature("image", "image", "uint8", [64, 64, 3])],
        "label": label("boxes", "boxes", ["moon", "star"]),
        "output": "boxes",
        "files": "PNG",
    },
    "larger": {
        "task": "images",
        "inputs": [feature("image", "image", "uint8", [0, 0, 3])],
        "label": label("target", "image", []),
        "output": "image",
        "files": "PNG",
    },
    "text": {
        "task": "classification",
        "inputs": [feature("text", "text", "string", [])],
        "label": label("y", "class", NAMES),
        "output": "probabilities",
    },
    "row": {
        "task": "several",
        "inputs": [
            feature("town", "category", "string", []),
            feature("street", "category", "string", []),
            feature("sold", "date", "string", []),
            feature("age", "number", "float32", []),
        ],
        "label": {
            **label("", "several", []),
            "parts": [
                label("risk", "class", ["high", "low"]),
                label("tags", "multilabel", ["a", "b", "c"]),
                label("cost", "real", []),
            ],
        },
        "training": {
            "inputs": {
                "town": {"words": {"Rom": 0.2, "Ulm": 0.8}},
                "street": {"words": {f"street {i}": 0.02 for i in range(50)}},
                "sold": {"words": {"2024-02-29": 1.0}},
                "age": {"min": 10.0, "max": 90.0, "mean": 40.2, "std": 9.0, "whole": True},
            },
            "answers": {"risk": {"high": 0.5, "low": 0.5}, "cost": {"min": 100.0, "max": 300.0}},
        },
    },
}


def servable(name: str, version: int) -> Servable:
    """A model whose answers are those of a function."""
    contract, function = CONTRACTS[name], FUNCTIONS[name]
    known = contract.get("inputs", [feature("past", "vector", "float32", [3])])
    inputs = {f["name"]: Tensor(f["name"], f["dtype"], (None, *f["shape"])) for f in known}
    outputs = ("risk", "tags", "cost") if name == "row" else (contract.get("output", "values"),)
    answered = {n: Tensor(n, "float32", (None, None)) for n in outputs}
    signatures = {"serving_default": Signature("serving_default", inputs, answered, function)}
    if "files" in contract:
        encoded = {"bytes": Tensor("bytes", "string", (None,))}
        if name == "sky":
            of_boxes = {"boxes": 3, "scores": 2, "classes": 2, "names": 2, "count": 1}
            answered = {n: Tensor(n, "float32", (None,) * rank) for n, rank in of_boxes.items()}
            answered["names"] = Tensor("names", "string", (None, None))
        if name == "larger":
            answered = {"image_bytes": Tensor("image_bytes", "string", (None,))}
        signatures["serving_bytes"] = Signature("serving_bytes", encoded, answered, function)
    return Servable(name, version, Path(name), signatures, contract, {}, None)


@contextlib.contextmanager
def serving_all(folder: Path) -> Iterator[Client]:
    """A server of these models, with a token; a new version is seen when it is told to look."""
    folders = {name: folder / name for name in CONTRACTS}
    for each in folders.values():
        (each / "3").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            repository, "load", lambda folder, name, version, *of: servable(name, version)
        )
        with serving(folders, token=TOKEN, poll=0.0) as found:
            yield found


def opened(page: Tab, client: Client, model: str, width: int = 1000, height: int = 900) -> Tab:
    """The page of a model, with the token given."""
    page.complaints.clear()
    page.open(f"http://127.0.0.1:{client.port}/#{model}", width, height)
    page.until("document.getElementById('locked')?.hidden === false")
    page.run(
        f"document.getElementById('token').value = '{TOKEN}';"
        "document.querySelector('#locked button').click()"
    )
    page.until(f"document.getElementById('name').textContent == '{model}'")
    return page


def fill(page: Tab, identity: str, value: str) -> None:
    """Write into a field."""
    page.run(
        f"(() => {{ const box = document.getElementById({json.dumps(identity)});"
        f" box.value = {json.dumps(value)}; box.dispatchEvent(new Event('input')); }})()"
    )


def choose(page: Tab, model: str) -> None:
    """Choose another model."""
    page.run(
        "(() => { const box = document.getElementById('model');"
        f" box.value = '{model}'; box.onchange(); }})()"
    )


def run_command(page: Tab, folder: Path) -> None:
    """Run the command that the page shows, as it is; it must be answered."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    environ = {"TFPIPE_TOKEN": TOKEN, "PATH": os.environ["PATH"]}
    command = ["sh", "-c", page.run(CURL)]
    done = subprocess.run(command, capture_output=True, cwd=folder, env=environ, check=True)
    assert json.loads(done.stdout)["predictions"]
