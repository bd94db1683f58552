"""Labels that are probably wrong: where a model that knows its classes is sure of another one."""

import numpy as np


def label_errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rows whose label is probably wrong, the most suspicious first.

    Confident learning (Northcutt et al., 2021): a class's threshold is the mean probability that
    samples of that label get for it. A label is suspicious where another class is answered and
    above its own threshold; the less probable the label is, the more.

    Args:
        probabilities: [rows, classes] of a model that was not trained on these rows.
        labels: [rows] class indices.
    """
    rows, classes = probabilities.shape
    of_label = probabilities[np.arange(rows), labels]
    count = np.bincount(labels, minlength=classes)
    thresholds = np.bincount(labels, of_label, classes) / np.maximum(count, 1)
    thresholds[count == 0] = np.inf  # of such a class nothing is known
    others = probabilities - thresholds
    others[np.arange(rows), labels] = -np.inf
    wrong = probabilities.argmax(axis=1) != labels
    suspicious = np.flatnonzero((others.max(axis=1) >= 0) & wrong)
    return np.asarray(suspicious[np.argsort(of_label[suspicious], kind="stable")])
