"""Small TF-Hub modules for tests, saved as the published ones are: reusable SavedModels."""

import tarfile
from pathlib import Path
from typing import Any

import tensorflow as tf

WORDS = ("good", "bad", "film", "fine")


class Images(tf.Module):
    """Feature vectors of images of 0..1, with all that tells training from prediction.

    In training half of the values are dropped, as by dropout whose draws are the same each time,
    and the mean that is subtracted moves, as that of batch normalisation, unless it shall not.
    """

    def __init__(
        self, side: int | None = 8, width: int = 6, seed: int = 1, moves: bool = True
    ) -> None:
        super().__init__()
        self.moves = moves
        kernel = tf.random.stateless_normal([6, width], [seed, 0])
        self.kernel = tf.Variable(kernel, name="dense/kernel")
        self.mean = tf.Variable(tf.zeros([width]), trainable=False, name="norm/mean")
        self.regularization_losses = [tf.function(self._penalty, input_signature=[])]
        takes = tf.TensorSpec([None, side, side, 3], tf.float32, "inputs")
        for training in (True, False):
            self.__call__.get_concrete_function(takes, training=training)
        self.takes = takes

    def _penalty(self) -> Any:
        return 0.01 * tf.reduce_sum(self.kernel**2)

    @tf.function
    def __call__(self, inputs: Any, training: bool = False) -> Any:
        pooled = [tf.reduce_mean(inputs, [1, 2]), tf.reduce_max(inputs, [1, 2])]
        found = tf.concat(pooled, axis=1) @ self.kernel
        if training and self.moves:
            self.mean.assign(0.9 * self.mean + 0.1 * tf.reduce_mean(found, 0))
        if training:
            keep = tf.cast(tf.range(tf.shape(found)[1]) % 2, tf.float32)
            found = found * keep * 2.0
        return tf.tanh(found - self.mean)


class Texts(tf.Module):
    """Embeddings of texts: about the mean over words, whose numbers are in a file beside it."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        vocabulary.write_text("".join(f"{word}\n" for word in WORDS))
        lines = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticVocabularyTable(lines, 1)
        rows = tf.random.stateless_normal([len(WORDS) + 1, 4], [3, 0])
        self.rows = tf.Variable(rows, name="embedding/rows")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
    def __call__(self, texts: Any) -> Any:
        words = self.table.lookup(tf.strings.split(texts))
        counts = tf.cast(words.row_lengths(), tf.float32)[:, None]
        found = tf.reduce_sum(tf.gather(self.rows, words), axis=1)
        return (found + self.rows[-1]) / (counts + 1.0)  # a text without words is something too


class Classifier(tf.Module):
    """A classifier of images, whose logits tell how bright a picture is."""

    def __init__(self, classes: int, side: int, probabilities: bool = False) -> None:
        super().__init__()
        self.offsets = tf.Variable(tf.linspace(0.0, 1.0, classes), name="offsets")
        self.probabilities = probabilities
        self.__call__.get_concrete_function(tf.TensorSpec([None, side, side, 3], name="inputs"))

    @tf.function
    def __call__(self, inputs: Any) -> Any:
        brightness = tf.reduce_mean(inputs, [1, 2, 3])[:, None]
        logits = -500.0 * tf.abs(brightness - self.offsets[None])
        return tf.nn.softmax(logits) if self.probabilities else logits


def save(module: tf.Module, folder: Path, **signatures: Any) -> Path:
    """Save a module; its folder."""
    tf.saved_model.save(module, str(folder), signatures=signatures or None)
    return folder


def images(folder: Path, **options: Any) -> Path:
    """A module of images, with a signature beside the call."""
    module = Images(**options)
    signature = tf.function(lambda inputs: {"default": module(inputs)}, [module.takes])
    return save(module, folder, serving_default=signature)


def texts(folder: Path) -> Path:
    """A module of texts."""
    return save(Texts(folder.with_name(f"{folder.name}_words.txt")), folder)


def classifier(folder: Path, classes: int = 1001, side: int = 16, **options: Any) -> Path:
    """A classifier of images."""
    return save(Classifier(classes, side, **options), folder)


def packed(folder: Path, archive: Path) -> Path:
    """A module as .tar.gz, as the published ones are: its files at the top."""
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, ".")
    return archive
