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
        nothing = np.zeros(0, np.int64)
        ours, theirs, both = [nothing], [nothing], [nothing]
        for rows, labels in islice(batches, _BATCHES):
            source, target = rows.astype(np.int64), labels.astype(np.int64)
            ours.append(_once(source))
            theirs.append(_once(target))
            codes = (source[:, :, None] << 32) | target[:, None, :]
            known = (source[:, :, None] > UNKNOWN) & (target[:, None, :] > UNKNOWN)
            both.append(_once(np.where(known, codes, PAD)))
        codes, times = np.unique(np.concatenate(both), return_counts=True)
        first, second = codes >> 32, codes & 0xFFFFFFFF
        of_ours, of_theirs = (np.bincount(np.concatenate(part)) for part in (ours, theirs))
        dice = 2 * times / (of_ours[first] + of_theirs[second])
        order = np.lexsort((second, -dice, first))
        words, places = np.unique(first[order], return_index=True)
        self._closest = dict(zip(words.tolist(), second[order][places].tolist(), strict=True))

    def translated(self, rows: np.ndarray) -> np.ndarray:
        """Return [rows, tokens] translations of sentences, as long as these are."""
        special = range(UNKNOWN + 1)
        known = {**self._closest, **{number: number for number in special}}
        return np.vectorize(lambda token: known.get(token, UNKNOWN), otypes=[np.int32])(rows)


def _once(codes: np.ndarray) -> np.ndarray:
    """Return what is above the special tokens in each row, once however often it is there."""
    ordered = np.sort(codes.reshape(len(codes), -1), axis=1)
    first = np.ones_like(ordered, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return ordered[first & (ordered > UNKNOWN)]
