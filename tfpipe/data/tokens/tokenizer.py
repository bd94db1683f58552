"""The tokenizer: texts into the places of their pieces in a vocabulary, and back."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from tfpipe.declare.formats import TokenFormat
from tfpipe.declare.spec import Feature
from tfpipe.text import quoted

if TYPE_CHECKING:
    import numpy as np

UNKNOWN = "<unk>"
# What Python's `bytes.split` and TensorFlow's `strings.split` take for white space.
SPACES = " \t\n\r\v\f"

# A word with the space before it, or a white space alone: no piece of a text goes beyond one.
_BEFORE_WORD = re.compile(rf" ?[^{SPACES}]+|[{SPACES}]")
_NO_LETTERS = re.compile("[^A-Za-z]+")
_NO_BREAK = re.compile("[\u00a0\u202f]")
_MARKS = re.compile("([,.!?])")


def normalised(text: str, form: TokenFormat) -> str:
    """Return a text as it is cut; see `TokenFormat.normalise`."""
    if form.normalise is None:
        return text
    if form.normalise == "sentence":
        return _MARKS.sub(r" \1", _NO_BREAK.sub(" ", text).lower())
    lines = (_NO_LETTERS.sub(" ", line).strip(" ").lower() for line in text.split("\n"))
    return form.joint.join(lines)


def before_words(text: str) -> list[str]:
    """Return the parts of a text within which subwords are: words, each with the space before."""
    return _BEFORE_WORD.findall(text)


@dataclass(frozen=True)
class Tokenizer:
    """Cuts texts and finds the pieces in a vocabulary.

    Args:
        vocabulary: the tokens in order of their numbers; `<unk>` stands for any other.
        form: what texts are cut into.
    """

    vocabulary: tuple[str, ...]
    form: TokenFormat

    @classmethod
    def of(cls, feature: Feature) -> "Tokenizer":
        """Return the tokenizer of a feature of tokens."""
        assert feature.tokens is not None
        return cls(feature.categories, feature.tokens)

    def split(self, text: str) -> list[str]:
        """Return the pieces of a text, be they known or not."""
        return self.pieces(normalised(text, self.form))

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text that is normalised already."""
        if self.form.unit == "char":
            return list(text)
        if self.form.unit == "word":
            return words(text)
        longest = lru_cache(maxsize=1 << 16)(self._longest)
        return [piece for part in before_words(text) for piece in longest(part)]

    def encode(self, text: str) -> "np.ndarray":
        """Return [tokens] numbers of a text's pieces, int32."""
        return self.numbers(self.split(text))

    def numbers(self, pieces: Iterable[str]) -> "np.ndarray":
        """Return [pieces] their numbers, int32."""
        import numpy as np

        unknown, places = self._places.get(UNKNOWN, 0), self._places
        return np.array([places.get(piece, unknown) for piece in pieces], np.int32)

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of tokens."""
        return self.form.joint.join(self.vocabulary[number] for number in numbers)

    def unknown(self, pieces: Iterable[str]) -> list[str]:
        """Return the pieces that the vocabulary lacks, each once, in order."""
        return [piece for piece in dict.fromkeys(pieces) if piece not in self._places]

    @property
    def unknown_number(self) -> int:
        """The number of what stands for unknown pieces; -1 where nothing does."""
        return self._places.get(UNKNOWN, -1)

    def of_unknown(self, pieces: Iterable[str]) -> str:
        """Say which pieces of a text the vocabulary lacks; nothing where it has all."""
        lacking = self.unknown(pieces)
        if not lacking:
            return ""
        are = "is" if len(lacking) == 1 else "are"
        return f"{quoted(lacking, 5)} {are} not in the vocabulary and {are} read as <unk>."

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary)}

    @cached_property
    def _longest_piece(self) -> int:
        return max((len(token) for token in self.vocabulary if token != UNKNOWN), default=1)

    def _longest(self, part: str) -> tuple[str, ...]:
        """The longest known piece at each place, or one character where none is known."""

        def pieces() -> Iterator[str]:
            start = 0
            while start < len(part):
                ends = range(min(len(part), start + self._longest_piece), start + 1, -1)
                known = (e for e in ends if part[start:e] in self._places)
                end = next(known, start + 1)
                yield part[start:end]
                start = end

        return tuple(pieces())


def words(text: str) -> list[str]:
    """Return what white space divides."""
    return [word.decode() for word in text.encode("utf-8", "replace").split()]
