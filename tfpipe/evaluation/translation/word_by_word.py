"""What is reached without a network: each word by the one that goes with it most."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from tfpipe.data.tokens.sentences import UNKNOWN
from tfpipe.declare.formats import PAD

Batches = Iterable[tuple[np.ndarray, np.ndarray]]

_BATCHES = 1_000  # that are counted, at the most


class Dictionary:
    """Counts how often words are in a pair together, and translates each by the closest one.

    Closest is the word of the largest Dice coefficient, twice the pairs with both by the sum of
    those with either (Dice 1945); of several the more frequent one.

    Args:
        batches: of [rows, tokens] sentences and their translations.
    """

    def __init__(self, batches: Batches) -> None:
        both, ours, theirs = _Counts(), _Counts(), _Counts()
        for rows, labels in islice(batches, _BATCHES):
            source, target = rows.astype(np.int64), labels.astype(np.int64)
            # Once a sentence, however often they are in it.
            ours.add(_once(source[:, :, None]))
            theirs.add(_once(target[:, :, None]))
            codes = (source[:, :, None] << 32) | target[:, None, :]
            known = (source[:, :, None] > UNKNOWN) & (target[:, None, :] > UNKNOWN)
            both.add(_once(np.where(known, codes, PAD)))
        codes, times = both.found()
        first, second = codes >> 32, codes & 0xFFFFFFFF
        dice = 2 * times / (ours.of(first) + theirs.of(second))
        order = np.lexsort((second, -dice, first))
        words, places = np.unique(first[order], return_index=True)
        self._closest = dict(zip(words.tolist(), second[order][places].tolist(), strict=True))

    def translated(self, rows: np.ndarray) -> np.ndarray:
        """Return [rows, tokens] translations of sentences, as long as these are."""
        special = range(UNKNOWN + 1)
        known = {**self._closest, **{number: number for number in special}}
        return np.vectorize(lambda token: known.get(token, UNKNOWN), otypes=[np.int32])(rows)


class _Counts:
    """How often numbers are there, a batch at a time."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, numbers: np.ndarray) -> None:
        self._parts.append(np.unique(numbers, return_counts=True))

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers, ascending, and their times."""
        if not self._parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        every, times = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        numbers, places = np.unique(every, return_inverse=True)
        return numbers, np.bincount(places, times).astype(np.int64)

    def of(self, wanted: np.ndarray) -> np.ndarray:
        """Return the times of numbers that are all there."""
        numbers, times = self.found()
        return times[np.searchsorted(numbers, wanted)]


def _once(codes: np.ndarray) -> np.ndarray:
    """Return the codes above the special ones of each row, each once a row."""
    ordered = np.sort(codes.reshape(len(codes), -1), axis=1)
    first = np.ones_like(ordered, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return ordered[first & (ordered > UNKNOWN)]
