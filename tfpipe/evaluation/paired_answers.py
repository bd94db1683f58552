"""The answers of two models to the same samples, and how they compare."""

from dataclasses import dataclass

import numpy as np

from tfpipe.evaluation.predictions import Answered, Predictions, sample_ids
from tfpipe.evaluation.significance import Bootstrap, McNemar, bootstrap, mcnemar
from tfpipe.tasks.task import Task


@dataclass(frozen=True)
class Paired:
    """The rows of two models' answers that are about the same samples.

    Args:
        rows: of the first model and of the second, in the same order.
        sizes: how many samples each of them answered.
        relabelled: how many samples both have under different labels, which are left out.
    """

    rows: tuple[np.ndarray, np.ndarray]
    sizes: tuple[int, int]
    relabelled: int = 0

    def __len__(self) -> int:
        return len(self.rows[0])


def pair(first: Predictions, second: Predictions, output: str = "") -> Paired:
    """Pair answers by the hash of their sample, and by its label.

    Samples that occur several times are paired as often as both have them.

    Args:
        first: the answers of one model.
        second: those of another.
        output: which of several outputs; empty where there is one.
    """
    here, there = (_keys(p.ids, p.outputs[output].labels) for p in (first, second))
    _, *rows = np.intersect1d(here, there, assume_unique=True, return_indices=True)
    here, there = (_occurrences(p.ids) for p in (first, second))
    shared = len(np.intersect1d(here, there, assume_unique=True))
    return Paired((rows[0], rows[1]), (len(first.ids), len(second.ids)), shared - len(rows[0]))


def compare_answers(
    task: Task, first: Answered, second: Answered, paired: Paired, comparisons: int = 1
) -> McNemar | Bootstrap | None:
    """Say whether two models differ by more than chance; None where no pair has a finite loss.

    An answer that is no number is wrong; where numbers are asked for, it is left out.

    Args:
        task: what the answers mean.
        first: the answers of one model.
        second: those of another.
        paired: which of them are about the same samples.
        comparisons: how many are made at once.

    Raises:
        NotImplementedError: for a task that does not say how wrong an answer is.
    """
    answered = list(zip((first, second), paired.rows, strict=True))
    right = [task.right(a.answers[rows], a.labels[rows]) for a, rows in answered]
    if right[0] is not None and right[1] is not None:
        numbers = (np.isfinite(a.answers[rows]).all(axis=-1) for a, rows in answered)
        return mcnemar(right[0] & next(numbers), right[1] & next(numbers), comparisons)
    losses = np.stack([task.losses(a.answers[rows], a.labels[rows]) for a, rows in answered])
    finite = losses[:, np.isfinite(losses).all(axis=0)]
    return bootstrap(finite[0], finite[1], comparisons=comparisons) if finite.size else None


def _keys(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return what tells each row from all others: its sample, its label, and which of several."""
    of_labels = sample_ids(
        np.asarray(labels, np.float64) if labels.dtype.kind in "biuf" else labels
    )
    keys = np.rec.fromarrays([ids, of_labels])
    return _occurrences(keys.view("V16").copy())


def _occurrences(keys: np.ndarray) -> np.ndarray:
    """Return keys with the number of times that each was there before, which makes them unique."""
    _, numbers, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.argsort(numbers, kind="stable")
    before = np.empty(len(keys), np.int64)
    before[order] = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.rec.fromarrays([keys, before]).view(f"V{keys.dtype.itemsize + 8}").copy()
