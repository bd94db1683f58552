"""Pairs: sentences with their translations, as tokens of two vocabularies."""

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.data.broken_input import OnBad, Problem, left_out, refuse
from tfpipe.data.columns import Columns
from tfpipe.data.input_fn import InMemory, Options
from tfpipe.data.sources.base import HeldOut, StoredSplits, call
from tfpipe.data.sources.csv import check_encoding
from tfpipe.data.splits import Split, plan, sizes
from tfpipe.declare.field_types import Positive, show
from tfpipe.declare.formats import SPECIAL, TokenFormat
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import DataError
from tfpipe.text import counted

if TYPE_CHECKING:
    from tfpipe.data.tokens.sentences import Sentences

Pair = tuple[str, str]

_FORM = TokenFormat("word", "sentence")
_SIDES = ("source", "target")
_SAMPLES = 2000


@dataclass(frozen=True)
class _Stored:
    """The pairs of a stored split, where each comes from, and what could not be used."""

    pairs: list[Pair]
    places: list[str]
    problems: list[Problem]


class Pairs(StoredSplits):
    """Sentences and their translations, cut into words; the label is the translation.

    Sentences are lower-cased, spaces that may not break become others, . , ! and ? get a space
    before them, and white space divides words. The vocabulary of each side is learnt from the
    training pairs alone: `<pad>`, `<bos>`, `<eos>` and `<unk>`, then the words by falling
    frequency; they travel with the model. A sentence ends with `<eos>` and is then cut or padded to
    `length`.

    A sample has two features: "source", and "target", which the decoder reads while it learns: the
    translation moved on by one, `<bos>` before it. To predict, a model is given sentences alone.

    Args:
        path: a file with a pair a line, a tab between its sentences (what follows a second tab is
            passed over); or a function without arguments that returns pairs of texts, or a mapping
            of split names, "train" among them, to such.
        length: how many tokens a sentence has.
        min_count: how often a word must be in the training pairs to be known.
        vocabulary: how many tokens of each side to know at the most, the four named above among
            them, the most frequent ones; all when None.
        limit: how many training pairs to read at the most, the first ones.
        validation: what to hold out of the training pairs: a share, or a number, which takes the
            last ones; the name of a split of a function's; or None.
        test: the same for the test split.
        encoding: how the file's characters are stored.
        on_bad: "error" refuses lines that cannot be used and lists them; "skip" leaves them out and
            says how many. Such are lines without a tab, with an empty sentence, or in another
            encoding.

    Raises:
        ConfigError: for an encoding that is unknown.
        DataError: for a file or pairs that cannot be used, and a vocabulary larger than they
            support.

    Example:
        data = Pairs("fra.txt", length=10, limit=600)
    """

    path: str | Callable[[], Any]
    length: Positive = 10
    min_count: Positive = 2
    vocabulary: Positive | None = None
    limit: Positive | None = None
    validation: HeldOut | None = 0.1
    test: HeldOut | None = "test"
    encoding: str = "utf-8"
    on_bad: OnBad = "error"

    def validate(self) -> None:
        check_encoding("Pairs", self.encoding)

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        return self._element(0)

    def spec(self, seed: int = 0) -> ElementSpec:
        features, label = self._element(seed)
        return ElementSpec(features, (label,), sizes(self._stored_sizes(), *self._shares))

    def label_reading(self) -> str:
        (source, target), _ = self.element()
        known = [len(feature.categories) for feature in (source, target)]
        return f"sentences of {known[1]:,} tokens, for sentences of {known[0]:,}"

    def notes(self) -> list[str]:
        notes = super().notes()
        for stored in self._stored.values():
            total = len(stored.pairs) + len(stored.problems)
            notes += left_out(stored.problems, total, "pairs")
        pairs = [pair for stored in self._stored.values() for pair in stored.pairs]
        cut = sum(max(len(_words(text)) for text in pair) >= self.length for pair in pairs)
        if cut:
            notes.append(
                f"{cut:,} of {counted(len(pairs), 'pair')} have a sentence that does not fit into "
                f"length={self.length} with its end, and were cut."
            )
        return notes

    def verify(self, cache: bool | str = "auto") -> None:
        _ = self._stored

    def read_from(self) -> list[Path]:
        return [] if callable(self.path) else [Path(self.path).expanduser()]

    def sentences(self, seed: int = 0) -> "tuple[Sentences, Sentences]":
        """Return what cuts the sentences of both sides.

        Args:
            seed: decides which pairs are held out, and so which words are known.
        """
        return self._once(("sentences", seed), lambda: self._learnt(seed))

    def _learnt(self, seed: int) -> "tuple[Sentences, Sentences]":
        from tfpipe.data.tokens.sentences import Sentences
        from tfpipe.data.tokens.tokenizer import Tokenizer
        from tfpipe.data.tokens.vocabulary import by_frequency

        part, train = self._plan(Options(1, seed=seed))["train"], self._stored["train"].pairs
        kept = train if part.rows is None else [train[row] for row in part.rows.tolist()]
        both = []
        for side, name in enumerate(_SIDES):
            words = [word for pair in kept for word in _words(pair[side])]
            known = by_frequency(words, self.vocabulary, SPECIAL, self.min_count)
            if self.vocabulary is not None and self.vocabulary > len(known):
                raise DataError(
                    f"Pairs.vocabulary={self.vocabulary}, and the {name} sentences of "
                    f"{self._shown} have {len(known) - len(SPECIAL):,} words that are there at "
                    f"least {self.min_count} times, with {' '.join(SPECIAL)} {len(known):,} "
                    "tokens. Use at most that, or leave it out."
                )
            if self.vocabulary is not None and self.vocabulary <= len(SPECIAL):
                raise DataError(
                    f"Pairs.vocabulary={self.vocabulary} has room for {' '.join(SPECIAL)} alone. "
                    f"Use at least {len(SPECIAL) + 1}."
                )
            if len(known) <= len(SPECIAL):
                raise DataError(
                    f"Pairs.min_count={self.min_count}, and none of the {len({*words}):,} words "
                    f"of the {name} sentences of {self._shown} is there so often. Use a smaller "
                    "one, or more pairs."
                )
            both.append(Sentences(Tokenizer(known, _FORM), self.length))
        return both[0], both[1]

    def _element(self, seed: int) -> tuple[tuple[Feature, ...], Label]:
        shape = (self.length,)
        known = [side.tokenizer.vocabulary for side in self.sentences(seed)]
        features = tuple(
            Feature(name, shape, "int32", "tokens", tokens, tokens=_FORM)
            for name, tokens in zip(_SIDES, known, strict=True)
        )
        return features, Label("translation", "sentence", shape, known[1])

    def _stored_sizes(self) -> dict[str, int]:
        return {name: len(stored.pairs) for name, stored in self._stored.items()}

    def _stored_places(self, stored: str) -> list[str]:
        return self._stored[stored].places

    def _plan(self, options: Options) -> dict[str, Split]:
        # Without a look at the label, whose words follow from what is held out.
        return self._once(
            ("plan", options.seed),
            lambda: plan(self._stored_sizes(), *self._shares, options.seed, lambda: None),
        )

    def _memory(self, split: str, part: Split, options: Options) -> InMemory:
        return self._once(
            ("memory", split, options.seed),
            lambda: InMemory(self._encoded(part.stored, options.seed), part.rows),
        )

    def _read(self, stored: str) -> Columns:
        return self._encoded(stored, 0)

    def _encoded(self, stored: str, seed: int) -> Columns:
        from tfpipe.data.tokens.sentences import moved

        def encode() -> Columns:
            sources, targets = zip(*self._stored[stored].pairs, strict=True)
            of_source, of_target = self.sentences(seed)
            labels = of_target.encode(targets)
            return Columns({"source": of_source.encode(sources), "target": moved(labels)}, labels)

        return self._once(("encoded", stored, seed), encode)

    @property
    def _shown(self) -> str:
        """What errors call the pairs."""
        return f"{show(self.path)}()" if callable(self.path) else self.path

    @cached_property
    def _stored(self) -> dict[str, _Stored]:
        """What each stored split has."""
        splits = self._returned() if callable(self.path) else {"train": self._lines()}
        for name, stored in splits.items():
            total = len(stored.pairs) + len(stored.problems)
            if self.on_bad == "error":
                refuse(stored.problems, total, "pairs", f"Pairs({self._shown!r})")
            if not stored.pairs and name in ("train", *self._shares):
                raise DataError(f"Pairs({self._shown!r}): the {name} split has no pair to learn.")
        return splits

    def _lines(self) -> _Stored:
        """The pairs of the file's lines."""
        from tfpipe.data.text_files import read_text

        path = Path(str(self.path)).expanduser()
        utf8 = codecs.lookup(self.encoding).name == "utf-8"
        read = read_text(str(path), "utf-8-sig" if utf8 else self.encoding)
        if not isinstance(read, tuple):
            lines = read.decode().replace("\r\n", "\n").split("\n")
            return _sound(self._of_lines(lines), self.limit)
        place, problem = read
        if not place or "\n".encode(self.encoding) != b"\n":  # nothing of it can be read
            raise DataError(f"{path.absolute()}{place}: {problem}.")
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8 if utf8 else b"").split(b"\n")
        return _sound(self._of_lines(map(self._decoded, raw)), self.limit)

    def _of_lines(self, lines: Iterable[str | Problem]) -> Iterator[tuple[str, Any]]:
        """The place and the sentences of each line that is not empty, or what is wrong with it."""
        name = Path(str(self.path)).name
        for number, line in enumerate(lines, 1):
            if isinstance(line, Problem):
                yield f"{name}:{number}", line
            elif line:
                yield f"{name}:{number}", line.split("\t")[:2]

    def _decoded(self, line: bytes) -> str | Problem:
        """A line as text, or what is wrong with it."""
        from tfpipe.data.csv.reader import not_decoded

        try:
            text = line.removesuffix(b"\r").decode(self.encoding)
        except UnicodeDecodeError as error:
            return Problem("", not_decoded(line[error.start], self.encoding, line))
        return Problem("", "a NUL byte, which no text has") if "\0" in text else text

    def _returned(self) -> dict[str, _Stored]:
        """The pairs that the function returns, by split."""
        assert callable(self.path)
        returned = call("Pairs", self.path)
        splits = returned if isinstance(returned, Mapping) else {"train": returned}
        if "train" not in splits:
            raise DataError(
                f"Pairs: {self._shown} returned splits without 'train': {', '.join(splits)}."
            )
        found = {}
        for name, pairs in splits.items():
            if isinstance(pairs, str) or not isinstance(pairs, Iterable):
                raise DataError(
                    f"Pairs: {self._shown} returned a {type(pairs).__name__} for {name}. Expected "
                    'are pairs of texts, such as [("go.", "va !"), ...].'
                )
            numbered = ((f"{name}, pair {number}", pair) for number, pair in enumerate(pairs, 1))
            found[name] = _sound(numbered, self.limit if name == "train" else None)
        return found


def _words(text: str) -> list[str]:
    from tfpipe.data.tokens.tokenizer import Tokenizer

    return Tokenizer((), _FORM).split(text)


def _sound(found: Iterable[tuple[str, Any]], limit: int | None) -> _Stored:
    """Divide pairs into those that can be used, the first ones, and what is wrong with others."""
    stored = _Stored([], [], [])
    for place, pair in found:
        if len(stored.pairs) == limit:
            break
        texts = isinstance(pair, (tuple, list)) and all(isinstance(text, str) for text in pair)
        if isinstance(pair, Problem):
            problem = pair.what
        elif not texts:
            problem = f"{show(pair)} where a pair of texts is expected"
        elif len(pair) < 2:
            problem = "no tab between two sentences"
        elif not all(map(_words, pair)):
            problem = f"an empty {_SIDES[bool(_words(pair[0]))]} sentence"
        else:
            stored.pairs.append((pair[0], pair[1]))
            stored.places.append(place)
            continue
        stored.problems.append(Problem(place, problem))
    return stored


class SamplePairs(Pairs):
    """A generated pair of languages in place of a file's, which can be learnt.

    Args:
        size: how many training pairs to make.
        seed: the same seed makes the same pairs.
    """

    internal: ClassVar[bool] = True
    stands_in: ClassVar[bool] = True
    size: Positive = _SAMPLES
    seed: int = 0

    def read_from(self) -> list[Path]:
        return []

    def _lines(self) -> _Stored:
        from tfpipe.data.tokens.sample_pairs import sample_pairs

        kept = prod(1 - share for share in self._shares if isinstance(share, float))
        pairs = sample_pairs(ceil(self.size / kept), self.seed)
        return _sound(((f"pair {n}", pair) for n, pair in enumerate(pairs, 1)), None)


def sample_pairs_of(source: Pairs, size: int | None, seed: int) -> SamplePairs:
    """Return generated pairs in place of a source's own.

    Args:
        source: whose fields to take; its file is not read.
        size: how many training pairs; 2,000 when None.
        seed: the pipeline's seed.
    """
    return SamplePairs(
        "generated pairs",
        max(source.length, 8),
        source.min_count,
        validation=None if source.validation is None else 0.1,
        test=None if source.test is None else 0.1,
        size=size or _SAMPLES,
        seed=seed,
    )
