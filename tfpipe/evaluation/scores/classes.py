"""How answers do that are one class of several."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tfpipe.evaluation.scores.intervals import interval

# Curves are drawn of so many classes, those that are told apart worst.
CURVES = 6


class OfClass(NamedTuple):
    """How one class does; NaN where there is nothing to count."""

    name: str
    samples: int
    precision: float
    recall: float
    f1: float


class Curve(NamedTuple):
    """A curve over all thresholds, of one class against the others."""

    name: str
    x: np.ndarray
    y: np.ndarray
    area: float


@dataclass(frozen=True)
class ClassScores:
    """The figures of a split whose answers are classes, each sample counted once.

    Args:
        classes: the class names in order of their index.
        probabilities: [rows, classes].
        labels: [rows] class indices.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    labels: np.ndarray

    @cached_property
    def answered(self) -> np.ndarray:
        """[rows] the class of each answer; -1 where a probability is no number."""
        known = np.isfinite(self.probabilities).all(axis=1)
        return np.where(known, np.nan_to_num(self.probabilities).argmax(axis=1), -1)

    @cached_property
    def unanswered(self) -> int:
        """How many answers are no numbers; they count as wrong."""
        return int((self.answered < 0).sum())

    @cached_property
    def right(self) -> np.ndarray:
        """[rows] whether each answer is right."""
        return np.asarray(self.answered == self.labels)

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy."""
        return interval(int(self.right.sum()), len(self.labels))

    @cached_property
    def matrix(self) -> np.ndarray:
        """[true, answered] how many samples; without answers that are no numbers."""
        from sklearn.metrics import confusion_matrix

        known = self.answered >= 0
        if not known.any():
            return np.zeros((len(self.classes),) * 2, np.int64)
        places = range(len(self.classes))
        found = confusion_matrix(self.labels[known], self.answered[known], labels=places)
        return np.asarray(found)

    @cached_property
    def by_class(self) -> list[OfClass]:
        """Precision, recall, F1 and support of each class, as scikit-learn counts them."""
        from sklearn.metrics import precision_recall_fscore_support

        places = range(len(self.classes))
        found = precision_recall_fscore_support(
            self.labels, self.answered, labels=places, zero_division=np.nan
        )
        rows = zip(self.classes, *found, strict=True)
        return [OfClass(name, int(n), p, r, f) for name, p, r, f, n in rows]

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that have samples."""
        found = [c.f1 for c in self.by_class if c.samples]
        return float(np.mean(np.nan_to_num(found)))

    def confused(self, most: int = 10) -> list[tuple[str, str, int]]:
        """Return the pairs that are confused most: true, answered, how often."""
        wrong = self.matrix.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = (np.unravel_index(place, wrong.shape) for place in order)
        return [
            (self.classes[t], self.classes[a], int(wrong[t, a])) for t, a in pairs if wrong[t, a]
        ]

    def top(self, k: int) -> float:
        """Return the share of samples whose class is among the k most probable."""
        from sklearn.metrics import top_k_accuracy_score

        known = np.nan_to_num(self.probabilities, nan=-1.0)
        places = range(len(self.classes))
        return float(top_k_accuracy_score(self.labels, known, k=k, labels=places))

    @cached_property
    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and labels without the answers that are no numbers."""
        some = self.answered >= 0
        return self.probabilities[some], self.labels[some]

    @cached_property
    def areas(self) -> np.ndarray:
        """[classes] the area under each class's ROC curve; NaN where it has none."""
        from sklearn.metrics import roc_auc_score

        probabilities, labels = self.known
        areas = np.full(len(self.classes), np.nan)
        for index in range(len(self.classes)):
            of_class = labels == index
            if of_class.any() and not of_class.all():
                areas[index] = roc_auc_score(of_class, probabilities[:, index])
        return areas

    @property
    def drawn(self) -> list[int]:
        """The classes of which curves are drawn: the second of two, or those told apart worst."""
        if len(self.classes) == 2:
            return [1] if np.isfinite(self.areas[1]) else []
        order = np.argsort(np.nan_to_num(self.areas, nan=np.inf), kind="stable")
        return [int(i) for i in order[:CURVES] if np.isfinite(self.areas[i])]

    def roc(self) -> list[Curve]:
        """Return false and true positive rates over all thresholds."""
        from sklearn.metrics import roc_curve

        probabilities, labels = self.known
        curves = []
        for index in self.drawn:
            x, y, _ = roc_curve(labels == index, probabilities[:, index])
            curves.append(Curve(self.classes[index], x, y, float(self.areas[index])))
        return curves

    def precision_recall(self) -> list[Curve]:
        """Return recall and precision over all thresholds, with the average precision."""
        from sklearn.metrics import average_precision_score, precision_recall_curve

        probabilities, labels = self.known
        curves = []
        for index in self.drawn:
            of_class, scores = labels == index, probabilities[:, index]
            precision, recall, _ = precision_recall_curve(of_class, scores)
            area = float(average_precision_score(of_class, scores))
            curves.append(Curve(self.classes[index], recall, precision, area))
        return curves


class AtThreshold(NamedTuple):
    """What answers of two classes are worth where the second is answered from a probability on."""

    threshold: float
    precision: float
    recall: float
    f1: float
    accuracy: float


def thresholds(probabilities: np.ndarray, labels: np.ndarray) -> list[AtThreshold]:
    """Return what thresholds from 0.1 to 0.9 would give, and the one of the best F1, in order.

    Args:
        probabilities: [rows, 2].
        labels: [rows] 0 or 1.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    scores = probabilities[:, 1]
    found = []
    for threshold in sorted({*(n / 10 for n in range(1, 10)), best_threshold(scores, labels)}):
        said = scores >= threshold
        p, r, f, _ = precision_recall_fscore_support(
            labels, said, average="binary", zero_division=np.nan
        )
        found.append(AtThreshold(threshold, p, r, f, float(accuracy_score(labels, said))))
    return found


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the probability from which on answering yes has the best F1; 0.5 without a yes."""
    from sklearn.metrics import precision_recall_curve

    if not labels.any():
        return 0.5
    precision, recall, at = precision_recall_curve(labels, scores)
    with np.errstate(invalid="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))[:-1]
    return float(at[f1.argmax()])
