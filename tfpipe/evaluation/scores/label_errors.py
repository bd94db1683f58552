"""Labels that may be wrong: where a model that knows its classes is sure of another one."""

import numpy as np


def suspicious_labels(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rows with another answer than their label, the most suspicious label first.

    The less probable a label is to the model, the more suspicious (the self-confidence of Northcutt
    et al., Confident Learning, 2021).

    Args:
        probabilities: [rows, classes] of a model that was not trained on these rows.
        labels: [rows] class indices.
    """
    of_label = probabilities[np.arange(len(labels)), labels]
    other = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return np.asarray(other[np.argsort(of_label[other], kind="stable")])


def doubtful_labels(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rows whose label may be wrong, by confident learning.

    A class's threshold is the mean probability that samples of that label get for it; a label is
    counted where another class is answered, and above its own threshold.

    Args:
        probabilities: [rows, classes] of a model that was not trained on these rows.
        labels: [rows] class indices.
    """
    classes, rows = probabilities.shape[1], np.arange(len(labels))
    count = np.bincount(labels, minlength=classes)
    thresholds = np.bincount(labels, probabilities[rows, labels], classes) / np.maximum(count, 1)
    thresholds[count == 0] = np.inf  # of such a class nothing is known
    answered = probabilities.argmax(axis=1)
    sure = probabilities[rows, answered] >= thresholds[answered]
    return np.flatnonzero(sure & (answered != labels))
