"""Text: one running text cut into tokens, of which a model predicts the next one."""

import codecs
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import annotated_types

from tfpipe.data.columns import Columns
from tfpipe.data.input_fn import InMemory, Options
from tfpipe.data.sources.base import Share, StoredSplits
from tfpipe.data.sources.csv import check_encoding
from tfpipe.data.splits import Split, share_of
from tfpipe.declare.field_types import Positive
from tfpipe.declare.formats import Normalise, TokenFormat, TokenUnit
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import DataError
from tfpipe.text import counted

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.data.tokens.tokenizer import Tokenizer
    from tfpipe.data.tokens.windows import TokenWindows

Part = Share | Positive
Vocabulary = Annotated[int, annotated_types.Ge(2)]

_CALLED = {"char": "characters", "word": "words", "subword": "pieces"}
_SAMPLES, _SAMPLE_TOKENS = 500, 20_000  # windows and tokens of a generated text, at the least


class Text(StoredSplits):
    """A running text as windows of tokens; the label is the window moved on by one token.

    The vocabulary is learnt from the training part alone: `<unk>` first, then by falling frequency.
    It travels with the model, so that prompts are cut in the same way. What is held out are the
    last tokens: those of the test at the end, those of the validation before them.

    Parts and limits are counted in characters; where tokens are words, in words.

    Args:
        path: the file.
        tokens: "char" for characters, "word" for what white space divides, "subword" for pieces of
            words that are learnt by merging frequent pairs.
        windows: how many tokens a window has.
        order: "random": windows without overlap, shuffled; each pass over the text begins at an
            offset of its own. "sequential": `batch_size` long rows, each batch going on where the
            one before ended, for recurrent networks that carry their state.
        vocabulary: how many tokens to know, `<unk>` among them, the most frequent ones; all when
            None, and of subwords up to 1,000.
        normalise: "letters" makes all but the letters A to Z a space, strips each line, lower-cases
            it, and joins the lines without anything between them. None takes the text as it is.
        limit: how much of the training part to use at most, its beginning.
        validation: what to hold out: a share of the text, or how much of it. None for nothing.
        test: the same for the test split.
        encoding: how the file's characters are stored.
        prompt: what a run continues after some of its epochs, to show what it has learnt; the
            beginning of what is held out when None.

    Raises:
        ConfigError: for an encoding that is unknown.
        DataError: for a file that cannot be read, a text shorter than a window, and a vocabulary
            larger than the text supports.

    Example:
        data = Text("timemachine.txt", normalise="letters", limit=10_000, order="sequential")
    """

    path: str
    tokens: TokenUnit = "char"
    windows: Positive = 35
    order: Literal["random", "sequential"] = "random"
    vocabulary: Vocabulary | None = None
    normalise: Normalise | None = None
    limit: Positive | None = None
    validation: Part | None = 0.1
    test: Part | None = None
    encoding: str = "utf-8"
    prompt: str | None = None

    def validate(self) -> None:
        check_encoding("Text", self.encoding)

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        known, shape = self.tokenizer.vocabulary, (self.windows,)
        feature = Feature("tokens", shape, "int32", "tokens", known, tokens=self.tokenizer.form)
        return (feature,), Label("next", "tokens", shape, known)

    def spec(self, seed: int = 0) -> ElementSpec:
        features, label = self.element()
        return ElementSpec(features, (label,), self._stored_sizes())

    def label_reading(self) -> str:
        called = _CALLED[self.tokens]
        return f"the next of {len(self.tokenizer.vocabulary):,} {called}"

    def notes(self) -> list[str]:
        notes = []
        for split, text in self._parts.items():
            unknown = self.tokenizer.unknown(self.tokenizer.pieces(text))
            if unknown and split != "train":
                there = "token" if len(unknown) == 1 else "tokens"
                shown = ", ".join(map(repr, unknown[:3])) + (", ..." if unknown[3:] else "")
                lacks = "the training part" if self.vocabulary is None else "the vocabulary"
                notes.append(
                    f"{split} has {len(unknown):,} {there} that {lacks} lacks ({shown}), read as "
                    "<unk>."
                )
        return notes

    def verify(self, cache: bool | str = "auto") -> None:
        self._stored_sizes()

    def read_from(self) -> list[Path]:
        return [Path(self.path).expanduser()]

    @property
    def _form(self) -> TokenFormat:
        """What the text is cut into."""
        return TokenFormat(self.tokens, self.normalise, self.order == "sequential")

    @cached_property
    def tokenizer(self) -> "Tokenizer":
        """What cuts texts into the tokens of the vocabulary."""
        from tfpipe.data.tokens.tokenizer import Tokenizer
        from tfpipe.data.tokens.vocabulary import SUBWORDS, by_frequency, subwords

        form, text = self._form, self._parts["train"]
        if self.tokens == "subword":
            known = subwords(text, self.vocabulary or SUBWORDS)
        else:
            known = by_frequency(Tokenizer((), form).pieces(text), self.vocabulary)
        if self.vocabulary is not None and self.vocabulary > len(known):
            raise DataError(
                f"Text.vocabulary={self.vocabulary}, and the training part of {self._shown} has "
                f"{len(known) - 1:,} {_CALLED[self.tokens]}, with <unk> {len(known):,} tokens. Use "
                "at most that, or leave it out."
            )
        return Tokenizer(known, form)

    def stored(self, split: str) -> "np.ndarray":
        """Return [tokens] the part of the text that a split has, int32."""

        def encode() -> "np.ndarray":
            return self.tokenizer.numbers(self.tokenizer.pieces(self._parts[split]))

        return self._once(("tokens", split), encode)

    def _windows(self, split: str) -> "TokenWindows":
        from tfpipe.data.tokens.windows import TokenWindows

        sequential = self.order == "sequential"
        return TokenWindows(self.stored(split), self.windows, split == "train", sequential)

    def _stored_sizes(self) -> dict[str, int]:
        from tfpipe.data.tokens.windows import windows_in

        sizes = {}
        for split in self._parts:
            tokens, moved = len(self.stored(split)), split == "train"
            sizes[split] = windows_in(tokens, self.windows, moved)
            if not sizes[split]:
                least = 2 * self.windows if moved else self.windows + 1
                raise DataError(
                    f"Text.windows={self.windows}, and the {split} part of {self._shown} has "
                    f"{counted(tokens, 'token')}: it needs {least:,} at least. Use a longer text "
                    "or shorter windows, or hold out another part."
                )
        return sizes

    def _plan(self, options: Options) -> dict[str, Split]:
        return {name: Split(name, size) for name, size in self._stored_sizes().items()}

    def _memory(self, split: str, part: Split, options: Options) -> InMemory:
        return self._once(("memory", split), lambda: self._windows(split))

    def _read(self, stored: str) -> Columns:
        import numpy as np

        windows = self._windows(stored)
        starts = windows.epoch(Options(1))[0]
        x, y = windows.batch(starts, starts[0], starts[:2], ())
        return Columns({"tokens": np.asarray(x)}, np.asarray(y))

    @property
    def _shown(self) -> str:
        """What errors call the text."""
        return self.path

    @cached_property
    def _parts(self) -> dict[str, str]:
        """The text of each split."""
        from tfpipe.data.tokens.tokenizer import normalised, words

        text = normalised(self._text(), self._form)
        units: list[str] | str = words(text) if self.tokens == "word" else text
        stop, joint = len(units), " " if self.tokens == "word" else ""
        parts = {}
        for name, declared in (("test", self.test), ("validation", self.validation)):
            if declared is not None:
                size = declared if isinstance(declared, int) else share_of(len(units), declared)
                parts[name] = joint.join(units[max(0, stop - size) : stop])
                stop = max(0, stop - size)
        parts["train"] = joint.join(units[: min(stop, self.limit or stop)])
        return {n: parts[n] for n in ("train", "validation", "test") if n in parts}

    def _text(self) -> str:
        from tfpipe.data.text_files import read_text

        utf8 = codecs.lookup(self.encoding).name == "utf-8"
        read = read_text(str(Path(self.path).expanduser()), "utf-8-sig" if utf8 else self.encoding)
        if isinstance(read, tuple):
            place, problem = read
            raise DataError(f"{Path(self.path).expanduser().absolute()}{place}: {problem}.")
        return read.decode().replace("\r\n", "\n")


class SampleText(Text):
    """A generated text in place of a file's: sentences of a few words, whose rules can be learnt.

    Args:
        size: how many training windows to make.
        seed: the same seed makes the same text.
    """

    internal: ClassVar[bool] = True
    stands_in: ClassVar[bool] = True
    size: Positive = _SAMPLES
    seed: int = 0

    def read_from(self) -> list[Path]:
        return []

    def _text(self) -> str:
        from tfpipe.data.tokens.sample_text import sample_text

        return sample_text(self.size, self.windows, self.tokens, self.seed)


def sample_text_of(source: Text, size: int | None, seed: int) -> SampleText:
    """Return a generated text in place of a source's own, cut into the same kind of tokens.

    Args:
        source: whose fields to take; its file is not read.
        size: how many training windows; None for 20,000 tokens, or 500.
        seed: the pipeline's seed.
    """
    return SampleText(
        "a generated text",
        source.tokens,
        source.windows,
        source.order,
        normalise=source.normalise,
        validation=None if source.validation is None else 0.1,
        test=None if source.test is None else 0.1,
        prompt=source.prompt,
        size=size or max(_SAMPLES, _SAMPLE_TOKENS // source.windows),
        seed=seed,
    )
