"""Heads: what the last layer looks like, and which loss, metrics and answers go with a task.

| task           | labels                  | last layer       | answer                  |
| -------------- | ----------------------- | ---------------- | ----------------------- |
| classification | one of several classes  | a logit a class  | softmax                 |
| binary         | one of two classes      | one logit        | sigmoid                 |
| multilabel     | several yes/no answers  | a logit an answer| sigmoid                 |
| regression     | real numbers            | a value a number | the value               |

Logits, not probabilities, leave the model: the losses are stable on them. Probabilities are made
by `answers` for prediction and export.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError


@dataclass(frozen=True)
class Head:
    """The last layer of a task and what goes with it.

    Args:
        task: classification, binary, multilabel or regression.
        units: the width of the last layer.
        loss: the Keras loss on logits.
        metrics: the Keras metrics on logits.
    """

    task: str
    units: int
    loss: Deferred
    metrics: tuple[Deferred, ...]

    def answers(self, logits: Any) -> Any:
        """Probabilities of logits, or the values of a regression, as float32."""
        import tensorflow as tf

        logits = tf.cast(logits, tf.float32)
        if self.task == "classification":
            return tf.nn.softmax(logits)
        return logits if self.task == "regression" else tf.nn.sigmoid(logits)


def head_for(spec: ElementSpec, task: str = "auto") -> Head:
    """The head for labels and a task.

    Args:
        spec: the element spec of the data.
        task: "auto" reads it from the labels: real numbers are a regression, yes/no answers are
            multilabel, two classes are binary, more are a classification.

    Raises:
        ConfigError: for a task that the labels cannot serve.
    """
    label, count = spec.label, len(spec.classes)
    if task == "auto":
        task = {"real": "regression", "multilabel": "multilabel"}.get(
            label.kind, "binary" if count == 2 else "classification"
        )
    fitting = {
        "classification": label.kind == "class",
        "binary": label.kind == "class" and count == 2,
        "multilabel": label.kind == "multilabel",
        "regression": label.kind in ("real", "class"),
    }
    if not fitting[task]:
        able = [name for name, fits in fitting.items() if fits]
        what = {
            "class": f"class indices of {count} classes",
            "multilabel": f"{count} yes/no answers",
            "real": "real numbers",
        }[label.kind]
        raise ConfigError(
            f"task={task!r} does not fit the labels, which are {what}. Possible: {', '.join(able)}."
        )
    return _HEADS[task](count, label.shape)


def _classification(classes: int, shape: tuple[int, ...]) -> Head:
    return Head(
        "classification",
        classes,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        (keras.metrics.SparseCategoricalAccuracy(name="accuracy"),),
    )


def _binary(classes: int, shape: tuple[int, ...]) -> Head:
    return _yes_or_no("binary", 1)


def _multilabel(classes: int, shape: tuple[int, ...]) -> Head:
    return _yes_or_no("multilabel", prod(shape))


def _yes_or_no(task: str, units: int) -> Head:
    return Head(
        task,
        units,
        keras.losses.BinaryCrossentropy(from_logits=True),
        (keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),),
    )


def _regression(classes: int, shape: tuple[int, ...]) -> Head:
    return Head(
        "regression",
        prod(shape) if shape else 1,
        keras.losses.MeanSquaredError(),
        (keras.metrics.MeanAbsoluteError(name="mae"),),
    )


_HEADS = {
    "classification": _classification,
    "binary": _binary,
    "multilabel": _multilabel,
    "regression": _regression,
}
