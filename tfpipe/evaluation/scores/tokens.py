"""What is reached without a network on a text's next tokens: by chance, and by counting."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tfpipe.evaluation.scores.baseline import Baseline

Windows = Iterable[tuple[np.ndarray, np.ndarray]]


class Counted(NamedTuple):
    """How often tokens and pairs of them are in a text.

    Args:
        tokens: [vocabulary] times of each.
        pairs: those that are there, as `first * vocabulary + second`, ascending.
        times: of each of these pairs.
    """

    tokens: np.ndarray
    pairs: np.ndarray
    times: np.ndarray


def count(windows: Windows, vocabulary: int) -> Counted:
    """Return the counts of a text.

    Args:
        windows: [rows, tokens] windows, and the tokens that follow each token.
        vocabulary: how many tokens there are.
    """
    codes = [x.astype(np.int64).ravel() * vocabulary + y.ravel() for x, y in windows]
    pairs, times = np.unique(np.concatenate(codes), return_counts=True)
    tokens = np.bincount(pairs % vocabulary, times, vocabulary)
    return Counted(tokens, pairs, times)


def counted_baselines(counted: Counted, windows: Windows) -> list[Baseline]:
    """Return the perplexity of a uniform guess, and of the training text's counts.

    Each token, and each token after another, is taken to be there once more than it is, so that
    none is impossible.

    Args:
        counted: the training text.
        windows: those to judge.
    """
    vocabulary, losses, size = len(counted.tokens), np.zeros(2), 0
    after = np.bincount(counted.pairs // vocabulary, counted.times, vocabulary)
    for x, y in windows:
        first, second = x.astype(np.int64).ravel(), y.astype(np.int64).ravel()
        codes = first * vocabulary + second
        places = np.minimum(np.searchsorted(counted.pairs, codes), len(counted.pairs) - 1)
        together = np.where(counted.pairs[places] == codes, counted.times[places], 0)
        alone = (counted.tokens[second] + 1) / (counted.tokens.sum() + vocabulary)
        paired = (together + 1) / (after[first] + vocabulary)
        losses -= [np.log(alone).sum(), np.log(paired).sum()]
        size += len(codes)
    unigram, bigram = np.exp(losses / size)
    return [
        Baseline("a uniform guess", float(vocabulary)),
        Baseline("counting tokens", float(unigram)),
        Baseline("counting pairs of tokens", float(bigram)),
    ]


class TokenScores:
    """How the tokens of a split are answered.

    Args:
        answers: [rows, tokens, 2] the probability of the true token, and the most probable one.
        labels: [rows, tokens] the true ones.
    """

    def __init__(self, answers: np.ndarray, labels: np.ndarray) -> None:
        with np.errstate(divide="ignore"):
            self.losses = -np.log(answers[..., 0].astype(np.float64))
        self.right = answers[..., 1] == labels
        self.labels = labels

    @property
    def perplexity(self) -> float:
        """The exponential of the mean cross-entropy over all tokens."""
        return float(np.exp(self.losses.mean()))

    @property
    def accuracy(self) -> float:
        """The share of tokens of which the most probable one is the true one."""
        return float(self.right.mean())

    def interval(self) -> tuple[float, float]:
        """The 95% interval of the perplexity, as windows differ; not known for one window."""
        rows = self.losses.mean(axis=1)
        if len(rows) < 2:
            return float("nan"), float("nan")
        spread = 1.96 * rows.std(ddof=1) / len(rows) ** 0.5
        return float(np.exp(rows.mean() - spread)), float(np.exp(rows.mean() + spread))

    def by_token(self) -> list[tuple[int, int, float, float]]:
        """Return of each token that is there its number, times, accuracy and mean loss."""
        flat, size = self.labels.ravel(), int(self.labels.max()) + 1
        times = np.bincount(flat, minlength=size)
        right = np.bincount(flat, self.right.ravel(), size)
        losses = np.bincount(flat, self.losses.ravel(), size)
        there = np.flatnonzero(times)
        order = there[np.argsort(-losses[there], kind="stable")]
        return [
            (int(t), int(times[t]), float(right[t] / times[t]), float(losses[t] / times[t]))
            for t in order
        ]
