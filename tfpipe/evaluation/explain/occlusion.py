"""Which words of a text move its answer: each is left out in turn (Zeiler and Fergus, 2014)."""

from collections.abc import Callable, Sequence

import numpy as np

MOST_WORDS = 60


def occlusion(
    answer: Callable[[Sequence[str]], np.ndarray], text: str
) -> tuple[tuple[str, float], ...]:
    """Return the first words of a text with how much each one speaks for its answer.

    Args:
        answer: gives [texts] how sure the model is of the answer in question.
        text: the text.

    Returns:
        Words with how much surer the model is with than without it; the greatest is 1 or -1.
    """
    words = text.split()
    shown = words[:MOST_WORDS]
    without = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(shown))]
    sure, *others = (float(value) for value in answer([text, *without]))
    moved = [sure - other for other in others]
    most = max((abs(value) for value in moved), default=0.0) or 1.0
    return tuple((word, value / most) for word, value in zip(shown, moved, strict=True))
