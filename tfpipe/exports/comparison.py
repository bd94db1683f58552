"""How a converted model answers beside the trained one: differences, accuracy, size, latency."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tfpipe.tasks.several import Several
from tfpipe.tasks.task import Task

Arrays = Mapping[str, np.ndarray]

_CALLS = 30
_EQUAL = 1e-3  # of the labels' deviation: numbers that are this close are one answer


@dataclass(frozen=True)
class Comparison:
    """One output of a converted model beside that of the trained one, on held-out samples.

    Args:
        output: its name; empty for the only one.
        samples: how many were compared.
        largest_difference: of a probability or a value.
        scale: the largest value of the trained model, at least 1.
        equal_answers: the share of samples with the same class; of numbers, of those that differ
            by at most a thousandth of the labels' deviation.
        measure: "accuracy" or "mean error".
        trained: the trained model's.
        converted: the converted model's.
    """

    output: str
    samples: int
    largest_difference: float
    scale: float
    equal_answers: float
    measure: str
    trained: float
    converted: float

    def lost(self) -> float:
        """How much worse it is: points of accuracy, or the share by which the error is larger."""
        if self.measure == "accuracy":
            return self.trained - self.converted
        return self.converted / self.trained - 1 if self.trained else float(self.converted > 0)

    def told(self) -> dict[str, Any]:
        """As report.json has it."""
        return {**asdict(self), "lost": self.lost()}


def compared(task: Task, trained: Any, converted: Any, labels: Any) -> list[Comparison]:
    """Return comparisons, one for each output.

    Args:
        task: what the answers mean.
        trained: the trained model's answers, or a mapping of them by output.
        converted: the converted model's.
        labels: the right answers.
    """
    if isinstance(task, Several):
        return [
            _compared(name, part, trained[name], converted[name], labels[name])
            for name, part in task.parts.items()
        ]
    return [_compared("", task, trained, converted, labels)]


def _compared(
    output: str, task: Task, trained: np.ndarray, converted: np.ndarray, labels: np.ndarray
) -> Comparison:
    difference = float(np.max(np.abs(trained - converted), initial=0.0))
    scale = max(1.0, float(np.max(np.abs(trained), initial=0.0)))
    rights = [task.right(answers, labels) for answers in (trained, converted)]
    if rights[0] is None or rights[1] is None:
        near = _EQUAL * max(float(np.std(labels)), 1e-12)
        equal = np.abs(trained - converted).reshape(len(labels), -1).max(axis=1) <= near
        errors = [np.abs(a.reshape(labels.shape) - labels).mean() for a in (trained, converted)]
        figures, measure = [float(e) for e in errors], "mean error"
    else:
        classes = [np.asarray(task.class_indices(a)) for a in (trained, converted)]
        equal = (classes[0] == classes[1]).reshape(len(labels), -1).all(axis=1)
        figures, measure = [float(np.mean(r)) for r in rights if r is not None], "accuracy"
    return Comparison(
        output, len(labels), difference, scale, float(np.mean(equal)), measure, *figures
    )


def latency(ask: Callable[[Arrays], Any], sample: Arrays) -> float:
    """Return the median of the milliseconds that one sample takes.

    Args:
        ask: answers arrays.
        sample: one row of each input.
    """
    ask(sample)
    taken = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        ask(sample)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000
