"""A task of one's own is one file: ordinal regression, declared, trained, answered, exported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe.tasks.task as registry
from tfpipe.declare import kinds

ORDINAL = '''

import keras as real_keras
import tensorflow as tf

from tfpipe.tasks import Task


class Cumulative(real_keras.losses.Loss):
    """Of K ordered classes, K - 1 questions: is it more than the first, the second, ...?"""

    def call(self, y_true, y_pred):
        ranks = tf.range(tf.shape(y_pred)[-1])
        above = tf.cast(tf.reshape(y_true, [-1, 1]) > tf.cast(ranks, y_true.dtype), tf.float32)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(above, y_pred), axis=-1)


class Ordinal(Task):
    """Classes in an order, each a step beyond the one before."""

    name = "ordinal"
    has_classes = True

    @classmethod
    def fits(cls, label):
        return label.kind == "class" and len(label.classes) > 2

    @property
    def units(self):
        return len(self.label.classes) - 1

    @property
    def loss(self):
        return Cumulative()

    @property
    def metrics(self):
        return ()

    def answers(self, outputs):
        above = tf.sigmoid(tf.cast(outputs, tf.float32))
        first = tf.ones_like(above[:, :1])
        above = tf.concat([first, above, tf.zeros_like(first)], -1)
        steps = tf.maximum(above[:, :-1] - above[:, 1:], 0.0)
        return steps / tf.reduce_sum(steps, -1, keepdims=True)

    def class_indices(self, answers):
        return tf.argmax(answers, axis=-1)

    def outputs(self, answers):
        return {"probabilities": answers, "rank": self.class_indices(answers)}
'''


@pytest.fixture
def file(small: Path) -> Path:
    text = small.read_text()
    fields = "\n\nclass Ranked(Small):\n    task = 'ordinal'\n    augment = ()\n"
    fields += "    model = MLP(units=(16,))\n"
    fields += "    optimizer = keras.optimizers.Adam(0.01)\n    epochs = 40\n"
    small.write_text(text.replace("class Small(", f"{ORDINAL}\n\nclass Small(") + fields)
    return small


@pytest.fixture(autouse=True)
def forgotten() -> Any:
    yield
    registry.TASKS.pop("ordinal", None)
    if "ordinal" in kinds.TASK_NAMES:
        kinds.TASK_NAMES.remove("ordinal")


def test_it_is_trained_reported_predicted_and_exported(tfpipe: Any, file: Path) -> None:
    target = f"{file}::Ranked"
    assert tfpipe("check", target).code == 0
    answer = tfpipe("run", target)
    assert answer.code == 0, answer.err
    (run,) = Path("runs").glob("*/*")
    report = json.loads((run / "report" / "report.json").read_text())["test"]
    assert np.trace(np.array(report["classes"]["confusion"])) >= 20, "most of the 24 are right"
    status = json.loads((run / "status.json").read_text())
    assert set(status["metrics"]["test"]) == {"loss"}

    Image.new("RGB", (8, 8), (30, 30, 30)).save("dark.png")
    predicted = json.loads(tfpipe("predict", "last", "dark.png", "--json").out)
    assert predicted[0]["classes"][0]["class"] == "dark"

    (exported,) = Path("saved_models").glob("*/1")
    contract = json.loads((exported / "assets" / "contract.json").read_text())
    assert contract["task"] == "ordinal"
    signature = tf.saved_model.load(str(exported)).signatures["serving_default"]
    bright = tf.constant(np.full((1, 8, 8, 3), 190, np.uint8))
    (name,) = signature.structured_input_signature[1]
    assert int(signature(**{name: bright})["rank"][0]) == 2

    resumed = tfpipe("resume", "last", "epochs=41")
    assert resumed.code == 0, resumed.err


def test_an_unknown_task_is_refused_with_those_there_are(tfpipe: Any, file: Path) -> None:
    answer = tfpipe("check", f"{file}::Ranked", "task=ordinl")
    assert answer.code == 2
    assert "Ranked.task takes one of 'auto', " in answer.err
    assert "'ordinal', got 'ordinl' (str)." in answer.err
