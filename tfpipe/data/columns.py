"""Columns: the samples of a stored split, held in memory as arrays."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Columns:
    """Arrays with one row a sample.

    Args:
        features: an array, or a tensor, for each feature by name; texts and categories as bytes
            in UTF-8, in an array of objects.
        labels: [rows] class indices or numbers, or [rows, ...] for several; a mapping of names to
            such arrays where there are several labels.
        weights: [rows] how much each sample counts; None where all count alike.
    """

    features: dict[str, Any]
    labels: Any
    weights: "np.ndarray | None" = None

    def __len__(self) -> int:
        one = self.labels
        return len(next(iter(one.values())) if isinstance(one, dict) else one)

    def in_tensors(self) -> "Columns":
        """Return the same with tensors, from which batches are gathered without a copy."""
        import tensorflow as tf

        with tf.device("CPU"):
            features = {n: tf.convert_to_tensor(a) for n, a in self.features.items()}
        return Columns(features, self.labels, self.weights)

    def take(self, rows: "np.ndarray") -> "Columns":
        """Return some of the rows, in the order given."""
        features = {n: a[rows] for n, a in self.features.items()}
        weights = None if self.weights is None else self.weights[rows]
        several = isinstance(self.labels, dict)
        labels = {n: a[rows] for n, a in self.labels.items()} if several else self.labels[rows]
        return Columns(features, labels, weights)
