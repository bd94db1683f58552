"""How answers do that are real numbers."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np


class OfNumber(NamedTuple):
    """How the answers to one number do; NaN where there is nothing to count."""

    name: str
    mae: float
    rmse: float
    r2: float
    median: float


@dataclass(frozen=True)
class NumberScores:
    """The figures of a split whose answers are real numbers, each sample counted once.

    Args:
        names: what each number is called.
        answers: [rows, numbers].
        labels: [rows, numbers].
    """

    names: tuple[str, ...]
    answers: np.ndarray
    labels: np.ndarray

    @cached_property
    def known(self) -> np.ndarray:
        """[rows] whether all numbers of an answer are finite."""
        return np.asarray(np.isfinite(self.answers).all(axis=1))

    @property
    def unanswered(self) -> int:
        """How many answers are no numbers; the figures are of the others."""
        return int((~self.known).sum())

    @cached_property
    def residuals(self) -> np.ndarray:
        """[rows, numbers] answer less truth, of the answers that are numbers."""
        return np.asarray(self.answers[self.known] - self.labels[self.known], np.float64)

    @property
    def overall(self) -> OfNumber:
        """The figures over all numbers."""
        return self._scores("all", self.answers.reshape(-1), self.labels.reshape(-1))

    def by_number(self) -> list[OfNumber]:
        """Return the figures of each number."""
        columns = zip(self.names, self.answers.T, self.labels.T, strict=True)
        return [self._scores(name, said, true) for name, said, true in columns]

    def mae_interval(self) -> tuple[float, float]:
        """Return the 95% interval of the mean absolute error, by the bootstrap of its rows."""
        errors = np.abs(self.residuals).mean(axis=1)
        if len(errors) < 2:
            return float("nan"), float("nan")
        rng = np.random.default_rng(0)
        means = [rng.choice(errors, len(errors)).mean() for _ in range(1000)]
        low, high = np.quantile(means, (0.025, 0.975))
        return float(low), float(high)

    def _scores(self, name: str, said: np.ndarray, true: np.ndarray) -> OfNumber:
        from sklearn import metrics

        known = np.isfinite(said)
        said, true = said[known].astype(np.float64), true[known].astype(np.float64)
        if not len(said):
            return OfNumber(name, *[float("nan")] * 4)
        return OfNumber(
            name,
            float(metrics.mean_absolute_error(true, said)),
            float(metrics.root_mean_squared_error(true, said)),
            float(metrics.r2_score(true, said)) if len(said) > 1 else float("nan"),
            float(metrics.median_absolute_error(true, said)),
        )
