"""Parts of a split in which a model does worse than in the rest, by more than chance."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

LEAST = 20  # samples in a slice, and outside of it
LEVEL = 0.05  # of false alarms among all slices that are named
_MOST_WORDS = 20


class Slice(NamedTuple):
    """A part of the samples.

    `p` is the chance of so large a difference where there is none, before it is corrected for the
    number of slices.
    """

    name: str
    samples: int
    score: float
    rest: float
    p: float


def slices(traits: Mapping[str, np.ndarray], scores: np.ndarray) -> list[Slice]:
    """Return the slices in which samples score lower than in the rest, the surest first.

    A slice is each frequent word of a column, and each quarter of a column of numbers. Shares of
    right answers are compared by Fisher's exact test, real scores by that of Mann and Whitney,
    both one-sided, and what counts as more than chance is decided by Benjamini and Hochberg.

    Args:
        traits: [rows] of each column by name: numbers, NaN where one is missing, or words.
        scores: [rows] booleans, whether an answer is right, or numbers of which more is better.
    """
    found = []
    for name, inside in _masks(traits):
        if LEAST <= inside.sum() <= len(inside) - LEAST:
            here, rest = scores[inside], scores[~inside]
            found.append(Slice(name, int(inside.sum()), here.mean(), rest.mean(), _p(here, rest)))
    if not found:
        return []
    from scipy.stats import false_discovery_control

    corrected = false_discovery_control([s.p for s in found])
    worse = [s for s, p in zip(found, corrected, strict=True) if p < LEVEL]
    return sorted(worse, key=lambda s: s.p)


def _masks(traits: Mapping[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Return the slices by name, each as [rows] booleans."""
    masks = []
    for name, values in traits.items():
        if values.dtype.kind in "fiub":
            numbers = values.astype(np.float64)
            masks.append((f"{name} is missing", np.isnan(numbers)))
            edges = np.unique(np.nanquantile(numbers, (0.0, 0.25, 0.5, 0.75, 1.0)))
            if np.isnan(edges).any() or len(edges) < 2:
                continue
            for low, high in itertools.pairwise(edges):
                last = high == edges[-1]
                inside = (numbers >= low) & ((numbers <= high) if last else (numbers < high))
                masks.append((f"{name} {low:.4g} to {high:.4g}", inside))
        else:
            words, counts = np.unique(values, return_counts=True)
            frequent = np.argsort(-counts, kind="stable")[:_MOST_WORDS]
            masks += [(f"{name} is {words[i] or 'missing'}", values == words[i]) for i in frequent]
    return masks


def _p(here: np.ndarray, rest: np.ndarray) -> float:
    from scipy.stats import fisher_exact, mannwhitneyu

    if here.dtype == bool:
        table = [[here.sum(), (~here).sum()], [rest.sum(), (~rest).sum()]]
        return float(fisher_exact(table, alternative="less").pvalue)
    return float(mannwhitneyu(here, rest, alternative="less").pvalue)
