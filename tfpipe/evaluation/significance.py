"""Whether two models differ by more than chance, judged on the same samples.

Right and wrong answers are compared by McNemar's exact test: of the samples that one of the models
alone answers right, each is as likely to be the first model's as the second's if neither is better.
How wrong numbers are is compared by a paired bootstrap of the mean difference.

Q. McNemar, Psychometrika 12 (1947); B. Efron and R. Tibshirani, An Introduction to the Bootstrap
(1993), chapter 13.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfpipe.text import counted

CHANCE = 0.05  # a difference that is seen less often by chance is more than chance
DRAWS = 10_000
_AT_ONCE = 2_000_000  # numbers that are drawn at a time
_MOST_VALUES = 10_000  # more differences than this are drawn in groups


@dataclass(frozen=True)
class McNemar:
    """How often two models are right about the same samples.

    Args:
        samples: how many there are.
        first: how many the first model answers right.
        second: how many the second model answers right.
        only_first: how many the first model alone answers right.
        only_second: how many the second model alone answers right.
        p_value: how often a difference so large is seen by chance, 0 to 1.
        comparisons: how many are made at once: each of them has to be so much rarer.
    """

    samples: int
    first: int
    second: int
    only_first: int
    only_second: int
    p_value: float
    comparisons: int = 1
    test: Literal["mcnemar"] = "mcnemar"

    @property
    def significant(self) -> bool:
        """Whether the difference is more than chance."""
        return self.p_value < CHANCE / self.comparisons

    def sentence(self, first: str, second: str) -> str:
        """Say what was found, of models with these names."""
        more, of = self.second - self.first, f"{self.samples:,}"
        if more == 0:
            if not self.only_first:
                return f"{first} and {second} answer the same {self.first:,} of {of} right."
            return (
                f"{second} answers as many of {of} right as {first}, {self.first:,}, though not "
                f"the same ones: each is right on {self.only_first:,} where the other is wrong."
            )
        said = f"{second} answers {abs(more):,} of {of} {'more' if more > 0 else 'fewer'} right"
        if self.significant:
            return (
                f"{said} than {first}; by chance alone a difference so large would be seen in "
                f"{_share(self.p_value)} comparisons."
            )
        return (
            f"{said} than {first}, which is not more than chance: a difference so large would be "
            f"seen in {_share(self.p_value)} comparisons."
        )


@dataclass(frozen=True)
class Bootstrap:
    """How far apart the losses of two models are on the same samples.

    Args:
        samples: how many there are.
        first: the mean loss of the first model.
        second: the mean loss of the second model.
        low: the least that the second mean is above the first one, within the interval.
        high: the most.
        level: of the interval, such as 0.95.
        draws: how many resamples it was read from.
    """

    samples: int
    first: float
    second: float
    low: float
    high: float
    level: float = 1 - CHANCE
    draws: int = DRAWS
    test: Literal["bootstrap"] = "bootstrap"

    @property
    def significant(self) -> bool:
        """Whether the difference is more than chance: no difference is outside of the interval."""
        return self.low > 0 or self.high < 0

    def sentence(self, first: str, second: str) -> str:
        """Say what was found, of models with these names."""
        more, of = self.second - self.first, counted(self.samples, "sample")
        if more == 0 and self.low == self.high:
            return f"{second}'s answers are as far off as {first}'s on {of}."
        sign = 1.0 if more > 0 else -1.0
        low, high = sorted((sign * self.low, sign * self.high))
        said = (
            f"{second}'s answers are {'further off' if more > 0 else 'closer'} than {first}'s by "
            f"{abs(more):.4g} on average over {of} "
            f"({self.level * 100:.4g}% interval {low:.4g} to {high:.4g})"
        )
        return f"{said}, which is {'' if self.significant else 'not '}more than chance."


def mcnemar(first: np.ndarray, second: np.ndarray, comparisons: int = 1) -> McNemar:
    """Compare right and wrong answers by McNemar's exact test, two-sided.

    Args:
        first: [samples] whether each answer of the first model is right.
        second: [samples] the same of the second model, in the same order.
        comparisons: how many are made at once.
    """
    from scipy.special import bdtr

    first, second = np.asarray(first, bool), np.asarray(second, bool)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart = only_first + only_second
    p_value = min(1.0, 2.0 * float(bdtr(min(only_first, only_second), apart, 0.5))) if apart else 1
    right = int(first.sum()), int(second.sum())
    return McNemar(len(first), *right, only_first, only_second, float(p_value), comparisons)


def bootstrap(
    first: np.ndarray,
    second: np.ndarray,
    *,
    comparisons: int = 1,
    draws: int = DRAWS,
    seed: int = 0,
) -> Bootstrap:
    """Compare losses by a paired bootstrap of their mean difference, by percentiles.

    More than 10,000 samples are put at random into 10,000 groups, which are then drawn.

    Args:
        first: [samples] the losses of the first model, finite.
        second: [samples] the same of the second model, in the same order.
        comparisons: how many are made at once: the interval is so much wider.
        draws: how many resamples.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    differences = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    values, sizes = differences, np.ones(len(differences))
    if len(values) > _MOST_VALUES:
        values = values[rng.permutation(len(values))]
        starts = np.linspace(0, len(values), _MOST_VALUES, endpoint=False).astype(np.int64)
        sizes = np.diff(starts, append=len(values)).astype(np.float64)
        values = np.add.reduceat(values, starts)
    means: list[np.ndarray] = []
    at_once = max(1, _AT_ONCE // len(values))
    for begun in range(0, draws, at_once):
        drawn = rng.integers(0, len(values), (min(at_once, draws - begun), len(values)))
        means.append(values[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    outside = CHANCE / comparisons
    low, high = np.quantile(np.concatenate(means), [outside / 2, 1 - outside / 2])
    mean_losses = float(np.mean(first)), float(np.mean(second))
    return Bootstrap(len(differences), *mean_losses, float(low), float(high), 1 - outside, draws)


def _share(p_value: float) -> str:
    """Say how many comparisons a probability means: `4 of 100`, `less than 1 of 1,000`."""
    if p_value < 0.001:
        return "less than 1 of 1,000"
    if p_value < 0.0995:
        return f"{max(1, round(1000 * p_value))} of 1,000"
    return f"{round(100 * p_value)} of 100" if p_value < 0.995 else "nearly all"
