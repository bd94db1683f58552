"""Vocabularies learnt from a text: its characters, its words, or the pieces that words share.

Tokens are in order of falling frequency, those that are as frequent in order of the alphabet.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tfpipe.data.tokens.tokenizer import UNKNOWN, Tokenizer, before_words
from tfpipe.declare.formats import TokenFormat

SUBWORDS = 1000  # pieces where nobody said how many
_TWICE = 2  # how often a pair must be there to be one piece


def by_frequency(
    tokens: Iterable[str],
    most: int | None = None,
    first: Sequence[str] = (UNKNOWN,),
    least: int = 1,
) -> tuple[str, ...]:
    """Return a vocabulary.

    Args:
        tokens: all of a text.
        most: how many tokens to know at most, the most frequent ones; None for all.
        first: what comes before them.
        least: how often a token must be there.
    """
    counts = Counter(tokens)
    known = [t for t, n in counts.items() if n >= least and t not in first]
    ordered = (*first, *sorted(known, key=lambda token: (-counts[token], token)))
    return ordered[:most]


def subwords(text: str, most: int) -> tuple[str, ...]:
    """Return a vocabulary of pieces: characters, and what pairs of pieces were merged to.

    The most frequent pair becomes one piece, again and again, until there are enough of them or no
    pair is there twice (Sennrich, Haddow and Birch 2016, Neural machine translation of rare words
    with subword units). A word has its space before it, and no piece goes beyond a word.

    Args:
        text: to learn from.
        most: how many tokens to know at most.
    """
    counts = Counter(before_words(text))
    parts, times = [tuple(word) for word in counts], list(counts.values())
    pieces = {character for word in counts for character in word}
    pairs: Counter[tuple[str, str]] = Counter()
    places: defaultdict[tuple[str, str], set[int]] = defaultdict(set)

    def count(place: int, sign: int) -> None:
        part = parts[place]
        for pair in pairwise(part):
            pairs[pair] += sign * times[place]
            places[pair].add(place)

    for place in range(len(parts)):
        count(place, 1)
    while len(pieces) + 1 < most and pairs:
        pair, frequency = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if frequency < _TWICE:
            break
        pieces.add("".join(pair))
        for place in places.pop(pair):
            count(place, -1)
            parts[place] = _merged(parts[place], pair)
            count(place, 1)
        del pairs[pair]
    frequent = Tokenizer((UNKNOWN, *pieces), TokenFormat("subword")).split(text)
    used = by_frequency(frequent, first=(UNKNOWN,))
    return (*used, *sorted(pieces.difference(used)))[:most]


def _merged(part: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Return a word's pieces, each occurrence of a pair as one."""
    joined: list[str] = []
    at = 0
    while at < len(part):
        both = part[at : at + 2] == pair
        joined.append("".join(pair) if both else part[at])
        at += 1 + both
    return tuple(joined)
