"""How a model does class by class: the confusion matrix of a split, and what is read from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.tasks.task import Task


@dataclass(frozen=True)
class Confusion:
    """Which classes were taken for which.

    Args:
        classes: the class names in order of their index.
        matrix: [true, answered] how many samples.
    """

    classes: tuple[str, ...]
    matrix: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """The share of each class that was answered right; NaN for a class without samples."""
        of = self.matrix.sum(axis=1)
        return np.where(of > 0, np.diag(self.matrix) / np.maximum(of, 1), np.nan)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Class, samples, share answered right, and the class it was most often taken for."""
        rows = []
        for index, name in enumerate(self.classes):
            wrong = self.matrix[index].copy()
            wrong[index] = 0
            other = int(wrong.argmax())
            taken = f"{self.classes[other]} ({wrong[other]:,})" if wrong[other] else ""
            size, right = int(self.matrix[index].sum()), self.right[index]
            rows.append((name, f"{size:,}", f"{right:.1%}" if size else "", taken))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data for report.json."""
        right = {n: round(float(r), 6) for n, r in zip(self.classes, self.right, strict=True)}
        return {
            "classes": list(self.classes),
            "confusion": self.matrix.tolist(),
            "right": {name: value for name, value in right.items() if value == value},
        }


def confusion(
    model: Any, task: Task, classes: tuple[str, ...], batches: Any, output: str = ""
) -> Confusion:
    """Count the answers of a model on a whole split.

    Args:
        model: the trained keras.Model.
        task: what the output means; one that has classes.
        classes: the class names in order of their index.
        batches: a tf.data.Dataset of (features, label) or (features, label, weight) batches.
        output: which of several outputs; empty where there is one.
    """
    count = len(classes)

    @tf.function(reduce_retracing=True)
    def counted(x: Any, y: Any) -> Any:
        outputs = model(x, training=False)
        answer = task.class_indices(task.answers(outputs[output] if output else outputs))
        y = y[output] if output else y
        truth = tf.cast(tf.reshape(y, [-1]), tf.int64)
        return tf.math.confusion_matrix(truth, tf.cast(answer, tf.int64), count, dtype=tf.int64)

    matrix = np.zeros((count, count), np.int64)
    for x, y, *_ in batches:
        matrix += counted(x, y).numpy()
    return Confusion(classes, matrix)
