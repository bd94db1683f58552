"""What the tests of networks of tokens share: specs, windows, sentences, small translators."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.formats import SPECIAL, TokenFormat
from tfpipe.declare.kinds import ModelBuilder, Training
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.models import Seq2Seq, Transformer

MakeTokens = Callable[..., ElementSpec]


@pytest.fixture(scope="session")
def tokens_of() -> MakeTokens:
    """Makes a spec of so many tokens in windows: tokens_of(28, windows=35)."""

    def make(vocabulary: int = 28, windows: int = 35, carried: bool = False) -> ElementSpec:
        known = ("<unk>", *(chr(0x100 + i) for i in range(vocabulary - 1)))
        form = TokenFormat(carried=carried)
        feature = Feature("tokens", (windows,), "int32", "tokens", known, tokens=form)
        return ElementSpec((feature,), (Label("next", "tokens", (windows,), known),), {"train": 8})

    return make


@pytest.fixture(scope="session")
def windows() -> Callable[[int, int], Training]:
    """Makes what gives batches of so many windows of tokens."""

    def make(rows: int, length: int) -> Training:
        x = tf.random.stateless_uniform((2 * rows, length), (0, 0), maxval=28, dtype=tf.int32)
        return lambda: tf.data.Dataset.from_tensor_slices(x).batch(rows)

    return make


@pytest.fixture(scope="session")
def sentence_spec() -> MakeTokens:
    """Makes a spec of sentences and translations: sentence_spec(read=20, said=16, length=8)."""

    def make(read: int = 20, said: int = 16, length: int = 8) -> ElementSpec:
        known = [(*SPECIAL, *(f"w{i}" for i in range(size - 4))) for size in (read, said)]
        form = TokenFormat("word", "sentence")
        features = tuple(
            Feature(name, (length,), "int32", "tokens", words, tokens=form)
            for name, words in zip(("source", "target"), known, strict=True)
        )
        return ElementSpec(features, (Label("translation", "sentence", (length,), known[1]),))

    return make


@pytest.fixture(scope="session")
def translators() -> dict[str, ModelBuilder]:
    """Small networks that translate."""
    return {
        "gru": Seq2Seq.example(),
        "gru with attention": Seq2Seq(units=8, embedding=8, attention=True),
        "lstm": Seq2Seq("lstm", units=8, embedding=8, layers=1, attention=True),
        "transformer": Transformer.example(),
    }


@pytest.fixture(scope="session")
def sentences() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sentences of at most five of eight tokens, with what a decoder reads, and translations."""
    rng = np.random.default_rng(0)

    def rows(vocabulary: int, lengths: list[int]) -> np.ndarray:
        tokens = rng.integers(4, vocabulary, (len(lengths), 8))
        return np.where(np.arange(8) < np.array(lengths)[:, None], tokens, 0).astype(np.int32)

    source, labels = rows(20, [5, 2, 1]), rows(16, [4, 5, 2])
    moved = np.pad(labels, ((0, 0), (1, 0)), constant_values=1)[:, :-1]
    return {"source": source, "target": moved}, labels
