"""A generated pair of languages: other words for the same, and the quality behind its noun."""

from tfpipe.data.tokens.sample_text import GRAMMAR, WORDS

_ORDER = (0, 2, 1, 3, 4, 5)  # of the words of a sentence


def sample_pairs(size: int, seed: int) -> list[tuple[str, str]]:
    """Return sentences with their translations.

    Args:
        size: how many.
        seed: decides the words.
    """
    import numpy as np

    rng = np.random.default_rng([seed, 0x9A125])
    pairs = []
    for _ in range(size):
        said = [(kind, WORDS[kind][rng.integers(len(WORDS[kind]))]) for kind in GRAMMAR]
        ends = [(word[::-1] + ("t" if kind == "verb" else "a")) for kind, word in said]
        source, target = " ".join(word for _, word in said), " ".join(ends[i] for i in _ORDER)
        pairs.append((f"{source}.", f"{target}."))
    return pairs
