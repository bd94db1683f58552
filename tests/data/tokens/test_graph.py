"""Tokenizers as TensorFlow's operations: they agree with those in Python, whatever the text."""

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data.tokens.graph import GraphTokenizer
from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.data.tokens.vocabulary import by_frequency, subwords
from tfpipe.declare.formats import TokenFormat

TEXT = "It was the best of times,\nit was the worst of times; the müde Zürcher 🦊 slept. " * 3
ODD = (
    TEXT,
    "",
    " ",
    "\n\n the\t times \r\n",
    "worster\u00a0times\u2003and\x0btimes\x0c",
    "the best 🦊🦊, tHe wörst",
    "x",
    "1898\n2024",
)


@pytest.mark.parametrize(
    "form",
    [
        TokenFormat(),
        TokenFormat(normalise="letters"),
        TokenFormat("word"),
        TokenFormat("word", "letters"),
        TokenFormat("subword"),
        TokenFormat("subword", "letters"),
    ],
    ids=str,
)
def test_it_agrees_with_python(form: TokenFormat) -> None:
    pieces = Tokenizer((), form).split(TEXT) if form.unit != "subword" else ()
    known = by_frequency(pieces) if pieces else subwords(TEXT, 60)
    tokenizer = Tokenizer(known, form)
    graph = GraphTokenizer(tokenizer)
    encode = tf.function(graph.encode, [tf.TensorSpec([], tf.string)], autograph=False)
    for text in ODD:
        expected = tokenizer.encode(text)
        found = encode(tf.constant(text)).numpy()
        assert found.dtype == np.int32
        assert found.tolist() == expected.tolist(), text
        assert graph.decode(tf.constant(found)).numpy().decode() == tokenizer.decode(expected)
