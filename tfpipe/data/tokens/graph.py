"""A tokenizer as TensorFlow's operations, for exports: texts into numbers and back."""

import tensorflow as tf

from tfpipe.data.tokens.tokenizer import UNKNOWN, Tokenizer


class GraphTokenizer(tf.Module):
    """Does what a `Tokenizer` does, one text at a time.

    Args:
        tokenizer: the vocabulary, and what texts are cut into.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(name="tokenizer")
        self._form = tokenizer.form
        self.joint = tokenizer.form.joint
        known = list(tokenizer.vocabulary)
        self._longest = max((len(t) for t in known if t != UNKNOWN), default=1)
        self._vocabulary = tf.constant(known)
        self._unknown = known.index(UNKNOWN) if UNKNOWN in known else 0
        numbers = tf.range(len(known), dtype=tf.int64)
        self._places = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(self._vocabulary, numbers), -1
        )

    def encode(self, text: tf.Tensor) -> tf.Tensor:
        """Return [tokens] numbers of a text, int32."""
        if self._form.normalise == "sentence":
            text = tf.strings.regex_replace(text, "[\u00a0\u202f]", " ")
            text = tf.strings.regex_replace(tf.strings.lower(text, "utf-8"), "([,.!?])", r" \1")
        elif self._form.normalise is not None:
            lines = tf.strings.regex_replace(tf.strings.split(text, "\n"), "[^A-Za-z]+", " ")
            stripped = tf.strings.lower(tf.strings.strip(lines))
            text = tf.strings.reduce_join(stripped, separator=self._form.joint)
        if self._form.unit == "word":
            return self._known(tf.strings.split(text))
        characters = tf.strings.unicode_split(text, "UTF-8")
        if self._form.unit == "char":
            return self._known(characters)
        return self._pieces(characters)

    def decode(self, numbers: tf.Tensor) -> tf.Tensor:
        """Return the text of [tokens] numbers."""
        tokens = tf.gather(self._vocabulary, numbers)
        return tf.strings.reduce_join(tokens, separator=self._form.joint)

    def _known(self, pieces: tf.Tensor) -> tf.Tensor:
        places = self._places.lookup(pieces)
        return tf.cast(tf.where(places < 0, tf.constant(self._unknown, tf.int64), places), tf.int32)

    def _pieces(self, characters: tf.Tensor) -> tf.Tensor:
        """The longest known piece at each place, one after the other."""
        size = tf.size(characters)
        lengths = tf.ones_like(characters, tf.int32)
        texts = characters
        for length in range(2, self._longest + 1):
            grown = tf.strings.ngrams(characters, length, separator="")
            missing = tf.maximum(0, size - tf.size(grown))
            padded = tf.concat([grown, tf.fill([missing], "")], 0)
            there = (self._places.lookup(padded) >= 0) & (tf.range(size) + length <= size)
            lengths = tf.where(there, length, lengths)
            texts = tf.where(there, padded, texts)
        starts = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[])
        *_, starts = tf.while_loop(
            lambda at, *_: at < size,
            lambda at, count, starts: (at + lengths[at], count + 1, starts.write(count, at)),
            [tf.constant(0), tf.constant(0), starts],
        )
        return self._known(tf.gather(texts, starts.stack()))
