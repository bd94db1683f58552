"""Texts into the numbers of their words: the first layer of text models.

Keras finds these functions by their registered names when a saved model is loaded; a program that
does not otherwise use tfpipe imports this module first.
"""

from typing import Any

import keras
import tensorflow as tf

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import Feature

NO_WORD, ANY_OTHER = "", "[UNK]"
# Stands in for words where there are none, as a look-up cannot be empty; no text has it as a word.
NEVER = " "

_SPACES = r"[\p{Cc}\p{Z}]+"
_HTML_BREAKS = r"<\s*/?\s*(br|p|div|hr|li)\b[^<>]*>"
_PUNCTUATION = r"[\p{P}$+<=>^`|~]"


@keras.saving.register_keras_serializable(package="tfpipe")
def spaced(texts: Any) -> Any:
    """Texts with one space for each run of white space, control characters and line separators."""
    return tf.strings.regex_replace(texts, _SPACES, " ")


@keras.saving.register_keras_serializable(package="tfpipe")
def standardized(texts: Any) -> Any:
    """Texts in lower case, without punctuation, with spaces for the line breaks of HTML."""
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, _HTML_BREAKS, " ")
    return spaced(tf.strings.regex_replace(texts, _PUNCTUATION, ""))


def words_layer(
    feature: Feature, train: Training | None, vocabulary: int, length: int, standardize: bool
) -> keras.layers.TextVectorization:
    """A layer that gives [texts, length] numbers of words, 0 for none and 1 for an unknown one.

    Args:
        feature: the texts.
        train: gives batches of the training split's features; None for a layer that knows no word.
        vocabulary: how many numbers there are at most.
        length: how many words of a text are read.
        standardize: whether case, punctuation and the line breaks of HTML go.
    """
    options = {
        "max_tokens": vocabulary,
        "output_sequence_length": length,
        "standardize": standardized if standardize else spaced,
    }
    known = [NEVER]
    if train is not None:
        learner = keras.layers.TextVectorization(**options)
        learner.adapt(train().map(lambda x: x[feature.name] if isinstance(x, dict) else x))
        learnt = learner.get_vocabulary(include_special_tokens=False)
        known = [str(word) for word in learnt] or known
    # As an argument the words are saved letter by letter; Keras's file of them ends a word at
    # every kind of line break, which some words hold.
    return keras.layers.TextVectorization(
        vocabulary=[NO_WORD, ANY_OTHER, *known], name=f"{feature.name}_words", **options
    )
