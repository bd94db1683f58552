"""Sentences as rows of tokens of one length: an end, and padding behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.declare.formats import BOS, EOS, PAD, SPECIAL
from tfpipe.text import counted

if TYPE_CHECKING:
    import numpy as np

UNKNOWN = len(SPECIAL) - 1  # the number of `<unk>`; those below it are no words


@dataclass(frozen=True)
class Sentences:
    """Cuts sentences into tokens and puts them together again.

    Args:
        tokenizer: with a vocabulary that begins with the tokens of `SPECIAL`.
        length: how many tokens a row has.
    """

    tokenizer: Tokenizer
    length: int

    def encode(self, sentences: Sequence[str]) -> "np.ndarray":
        """Return [sentences, length] tokens, int32: the end is appended, then cut or padded."""
        import numpy as np

        rows = np.full((len(sentences), self.length), PAD, np.int32)
        for row, sentence in zip(rows, sentences, strict=True):
            numbers = np.maximum(self.tokenizer.encode(sentence), UNKNOWN)[: self.length]
            row[: len(numbers)] = numbers
            row[len(numbers) : len(numbers) + 1] = EOS
        return rows

    def note(self, sentence: str) -> str:
        """Say what of a sentence is not read: unknown words, and those behind the last token."""
        words = self.tokenizer.split(sentence)
        cut = len(words) - self.length
        notes = [self.tokenizer.of_unknown(words)]
        if cut > 0:
            notes.append(f"The last {counted(cut, 'token')} of {len(words)} are not read.")
        return " ".join(filter(None, notes))

    def decode(self, rows: "np.ndarray") -> list[str]:
        """Return the sentences of [sentences, tokens]: what stands before the end."""
        found = []
        for row in rows.tolist():
            end = next((at for at, number in enumerate(row) if number in (EOS, PAD)), len(row))
            found.append(self.tokenizer.decode(row[:end]))
        return found


def moved(rows: "np.ndarray") -> "np.ndarray":
    """Return what a decoder reads while it learns to say rows: the beginning, then all but the last
    token of each.
    """
    import numpy as np

    return np.concatenate([np.full_like(rows[:, :1], BOS), rows[:, :-1]], axis=1)
