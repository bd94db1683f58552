"""How well a detector finds the boxes of what is held out, at the end of each epoch."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.boxes.average_precision import average_precisions
from tfpipe.declare.pipeline import Pipeline
from tfpipe.tasks.detection import Detection
from tfpipe.training.datasets import dataset


class BoxPrecision(keras.callbacks.Callback):
    """Adds `val_map`, COCO's mean average precision, and `val_map50` to an epoch's metrics.

    Args:
        pipeline: whose validation split is answered.
        task: says what the outputs are.
    """

    def __init__(self, pipeline: Pipeline, task: Detection) -> None:
        super().__init__()
        self._pipeline, self._task = pipeline, task
        self._answer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        model, task = self.model, self._task
        self._answer = tf.function(
            lambda x: task.answers(model(x, training=False)),
            autograph=False,
            reduce_retracing=True,
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is None:
            return
        labels, answers = [], []
        for x, y, *_ in dataset(self._pipeline, "validation"):
            answers.append(self._answer(x).numpy())
            labels.append(np.asarray(y))
        found = average_precisions(
            np.concatenate(labels), np.concatenate(answers), len(self._task.label.classes)
        )
        # Without an object of any class nothing is known; 0 keeps callbacks going.
        logs["val_map"], logs["val_map50"] = (
            float(np.nan_to_num(value)) for value in (found.mean, found.at_50)
        )
