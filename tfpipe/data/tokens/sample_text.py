"""A generated text: sentences of a few words in an order that can be learnt."""

from tfpipe.declare.formats import TokenUnit

GRAMMAR = ("article", "quality", "animal", "verb", "article", "place")
WORDS = {
    "article": ("the", "a", "one"),
    "quality": ("old", "small", "quick", "white", "sleepy", "brave"),
    "animal": ("fox", "dog", "horse", "jay", "wolf", "cat", "zebra"),
    "verb": ("sees", "leaves", "likes", "guards", "visits"),
    "place": ("house", "garden", "river", "market", "park", "quay"),
}
_TRAINED = 0.7  # of the text: what is not held out, less the signs that normalising leaves out
_SHORTEST = {"char": 1, "word": 7, "subword": 7}  # characters of a token, at the most on average


def sample_text(windows: int, length: int, unit: TokenUnit, seed: int) -> str:
    """Return lines of a sentence each, enough for so many training windows and held-out parts.

    Args:
        windows: how many.
        length: tokens of a window.
        unit: what the text will be cut into.
        seed: decides the words.
    """
    import numpy as np

    rng = np.random.default_rng([seed, 0x7E87])
    wanted, lines, size = (
        int((windows + 1) * length * _SHORTEST[unit] / _TRAINED) + 1,
        list[str](),
        0,
    )
    while size < wanted:
        words = [WORDS[kind][rng.integers(len(WORDS[kind]))] for kind in GRAMMAR]
        lines.append(" ".join(words) + ".\n")
        size += len(lines[-1])
    return "".join(lines)
