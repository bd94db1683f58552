"""Answers of a model in memory: probabilities for samples as the source gives them."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.tasks.task import Task


def answers(model: Any, task: Task, samples: Any, batch_size: int = 256) -> Any:
    """The model's answers, computed as inference does: nothing random, nothing updated.

    Args:
        model: the keras.Model.
        task: what its outputs mean.
        samples: [rows, ...] raw samples, or a mapping of names to them.
        batch_size: how many to compute at once.

    Returns:
        [rows, outputs] probabilities or values, as the task says, float32; a mapping of them where
        there are several outputs.
    """
    # As tensors: of arrays, Keras takes those of Python's texts but not those of bytes.
    tensors = tf.nest.map_structure(tf.convert_to_tensor, samples)
    size = len(tf.nest.flatten(tensors)[0])
    parts = [
        tf.nest.map_structure(lambda t, i=i: t[i : i + batch_size], tensors)
        for i in range(0, size, batch_size)
    ]
    answered = [task.answers(model(part, training=False)) for part in parts]
    return tf.nest.map_structure(lambda *rows: np.concatenate([*map(np.asarray, rows)]), *answered)
