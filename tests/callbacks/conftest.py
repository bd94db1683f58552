"""What the tests of callbacks share: a run to draw, and what is in its event files."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

# Pipelines find callbacks/ in their project; `pytest` by itself does not look there.
sys.path.insert(0, str(Path(__file__).parents[2]))


@dataclass
class Run:
    """What tfpipe shows a callback, with arrays for its splits."""

    directory: Path
    task: str = "classification"
    classes: tuple[str, ...] = ("cat", "dog", "owl")
    splits: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def tensorboard(self) -> Path:
        return self.directory / "tensorboard"

    @property
    def report(self) -> Path:
        return self.directory / "report"

    def batches(self, split: str) -> Any:
        if split not in self.splits:
            return None
        return tf.data.Dataset.from_tensor_slices(self.splits[split]).batch(3)

    def answers(self, logits: Any) -> Any:
        if self.task == "classification":
            return tf.nn.softmax(logits)
        return logits if self.task == "regression" else tf.nn.sigmoid(logits)


def answered(answers: list[int], truth: list[int]) -> tuple[Any, Any]:
    return 5 * np.eye(3, dtype=np.float32)[answers], np.array(truth, np.int64)


@pytest.fixture
def answering() -> Callable[[list[int], list[int]], tuple[Any, Any]]:
    """Makes features for which `identity` gives certain answers, and labels."""
    return answered


@pytest.fixture
def identity() -> Callable[[int], Any]:
    """Makes a model whose logits are its features."""

    def make(width: int) -> Any:
        inputs = keras.Input((width,))
        return keras.Model(inputs, keras.layers.Identity()(inputs))

    return make


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Three classes; of eight validation samples five are answered right, of three to train all."""
    validation = answered([0, 0, 0, 1, 1, 2, 0, 2], [0, 0, 0, 1, 0, 1, 1, 2])
    train = answered([0, 1, 2], [0, 1, 2])
    return Run(tmp_path, splits={"train": train, "validation": validation})


@pytest.fixture
def events() -> Callable[[Path], list[tuple[str, int, np.ndarray]]]:
    """The images in the event files of a folder: tag, step and pixels."""

    def read(folder: Path) -> list[tuple[str, int, np.ndarray]]:
        from tensorboard.compat.proto.event_pb2 import Event

        found = []
        files = folder.rglob("*tfevents*")
        # By the time and the number in their names: the tenth writer of a process comes last.
        for file in sorted(files, key=lambda f: [int(n) for n in re.findall(r"\d+", f.name)]):
            for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
                event = Event.FromString(record)
                for value in event.summary.value:
                    pixels = tf.io.decode_png(value.tensor.string_val[2]).numpy()
                    found.append((value.tag, event.step, pixels))
        return found

    return read
