"""Answers of a model in memory: probabilities for samples as the source gives them."""

from typing import Any

import numpy as np

from tfpipe.models.heads import Head


def answers(model: Any, head: Head, samples: Any, batch_size: int = 256) -> np.ndarray:
    """The model's answers, computed as inference does: nothing random, nothing updated.

    Args:
        model: the keras.Model.
        head: what its logits mean.
        samples: [rows, ...] raw samples, or a mapping of names to them.
        batch_size: how many to compute at once.

    Returns:
        [rows, outputs] probabilities, or values for a regression, float32.
    """
    if isinstance(samples, dict):
        size = len(next(iter(samples.values())))
        parts = [
            {n: a[i : i + batch_size] for n, a in samples.items()}
            for i in range(0, size, batch_size)
        ]
    else:
        parts = [samples[i : i + batch_size] for i in range(0, len(samples), batch_size)]
    return np.concatenate([np.asarray(head.answers(model(p, training=False))) for p in parts])
