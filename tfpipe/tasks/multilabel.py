"""Multilabel classification: several yes/no answers, a logit for each."""

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import Label
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import tensorflow as tf


class Multilabel(Task):
    """Several yes/no answers; the labels are columns of 0 and 1."""

    name = "multilabel"

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "multilabel"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return cls.fits(label)

    @classmethod
    def describe(cls, label: Label) -> str:
        return f"{len(label.classes)} yes/no answers"

    @classmethod
    def generate(cls, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (scores > 0).astype(np.int64)

    @property
    def units(self) -> int:
        return prod(self.label.shape)

    @property
    def loss(self) -> Deferred:
        loss: Deferred = keras.losses.BinaryCrossentropy(from_logits=True)
        return loss

    @property
    def metrics(self) -> tuple[Deferred, ...]:
        return (keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),)

    def answers(self, outputs: Any) -> "tf.Tensor":
        import tensorflow as tf

        return tf.nn.sigmoid(tf.cast(outputs, tf.float32))
