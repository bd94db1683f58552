"""Whether a probability of 80% is right in 80 of 100 cases."""

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """How probabilities compare with what came true (Guo et al., On Calibration, 2017).

    Args:
        confidence: [bins] the mean probability of the answers in each bin that has some.
        right: [bins] the share of them that is right.
        count: [bins] how many they are.
        error: the expected calibration error: the mean distance of the two, by count.
        temperature: what logits would have to be divided by; above 1 for a model too sure.
        mended: the error that is left after that.
    """

    confidence: np.ndarray
    right: np.ndarray
    count: np.ndarray
    error: float
    temperature: float
    mended: float


def calibration(
    probabilities: np.ndarray, labels: np.ndarray, fit_on: tuple[np.ndarray, np.ndarray]
) -> Calibration:
    """Return how well the probability of the class that was answered says how often it is right.

    Args:
        probabilities: [rows, classes].
        labels: [rows] class indices.
        fit_on: the same of the split on which the temperature is found, validation rather than
            the test.
    """
    confidence, right, count = reliability(probabilities, labels)
    heat = temperature(*fit_on)
    mended = expected_error(*reliability(heated(probabilities, heat), labels))
    error = expected_error(confidence, right, count)
    return Calibration(confidence, right, count, error, heat, mended)


def reliability(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return confidence, share of right answers and count of each bin that has answers.

    Args:
        probabilities: [rows, classes].
        labels: [rows] class indices.
    """
    sure, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    some = count > 0
    confidence = np.bincount(place, sure, BINS)[some] / count[some]
    return confidence, np.bincount(place, correct, BINS)[some] / count[some], count[some]


def expected_error(confidence: np.ndarray, right: np.ndarray, count: np.ndarray) -> float:
    """Return the mean distance of confidence and share of right answers, by count."""
    return float(np.abs(confidence - right) @ count / max(count.sum(), 1))


def temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return what the logits are best divided by: it has the least cross-entropy.

    Args:
        probabilities: [rows, classes].
        labels: [rows] class indices.
    """
    from scipy.optimize import minimize_scalar

    rows, logits = np.arange(len(labels)), _logits(probabilities)

    def cross_entropy(log_heat: float) -> float:
        scaled = logits / np.exp(log_heat)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, labels]))

    found = minimize_scalar(cross_entropy, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def heated(probabilities: np.ndarray, heat: float) -> np.ndarray:
    """Return the probabilities of the same logits divided by a temperature."""
    scaled = _logits(probabilities) / heat
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities.astype(np.float64), 1e-12, None))
