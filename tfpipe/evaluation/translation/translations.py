"""Texts in, translations out: what a trained model and its export answer sentences with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.data.tokens.graph import GraphTokenizer
from tfpipe.data.tokens.sentences import UNKNOWN, Sentences, moved
from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.declare.formats import EOS, MOST_BEAM, PAD
from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.translation.word_by_word import Dictionary
from tfpipe.models.sequence.decoding import EncoderDecoder, speaker_of, translated
from tfpipe.tasks.task import Task

BATCH = 256  # sentences that are translated at once


def asked_samples(spec: ElementSpec, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return samples as a person gives them: of a model that translates, sentences.

    Args:
        spec: the element spec that the model was trained on.
        samples: [rows, ...] as the data set has them, an array for each feature.
    """
    if not spec.translates:
        return samples
    source = spec.features[0]
    texts = Sentences(Tokenizer.of(source), source.shape[0]).decode(samples[source.name])
    return {source.name: np.array([*(text.encode() for text in texts), b""], object)[:-1]}


class Translations(tf.Module):
    """Translates sentences with a trained model, as TensorFlow's operations.

    Args:
        model: the keras.Model, whose layers are saved elsewhere.
        task: what its outputs mean.
        spec: the element spec it was trained on.
    """

    def __init__(self, model: keras.Model, task: Task, spec: ElementSpec) -> None:
        super().__init__(name="translations")
        source, target = spec.features
        self._tokenizer = GraphTokenizer(Tokenizer.of(source))
        self._words = tf.constant(target.categories)
        self._name, self._length = source.name, source.shape[0]
        # A function, in which TensorFlow looks for no variables.
        speaker = speaker_of(model, (source.name, target.name), task.probabilities)
        self._say: Callable[..., Any] = lambda *given: translated(speaker, *given)

    def signatures(self) -> dict[str, Any]:
        """What an export answers with, by name, as functions that are not traced yet.

        `serving_default` gives for each sentence the translation of the most probable tokens and
        its score, `translate` the best translations of a beam with theirs, best first.
        """
        sentences = tf.TensorSpec([None], tf.string, self._name)
        beam = tf.TensorSpec([], tf.int32, "beam")
        return {
            "serving_default": tf.function(
                lambda inputs: {
                    name: best[:, 0] for name, best in self.of_texts(inputs[self._name], 1).items()
                },
                [{self._name: sentences}],
                autograph=False,
            ),
            "translate": tf.function(
                lambda inputs: self.of_texts(inputs[self._name], inputs["beam"]),
                [{self._name: sentences, "beam": beam}],
                autograph=False,
            ),
        }

    def of_texts(self, sentences: tf.Tensor, beam: "int | tf.Tensor") -> dict[str, tf.Tensor]:
        """Return [sentences, beam] translations and scores, best first.

        Args:
            sentences: [sentences] texts.
            beam: how many translations to keep at each place, from 1 to 100.
        """
        rows = tf.map_fn(
            self._encoded, sentences, fn_output_signature=tf.TensorSpec([self._length], tf.int32)
        )
        tokens, scores = self.of_tokens(rows, tf.clip_by_value(beam, 1, MOST_BEAM))
        ended = tf.cumsum(tf.cast((tokens == EOS) | (tokens == PAD), tf.int32), -1) > 0
        words = tf.where(ended, "", tf.gather(self._words, tokens))
        texts = tf.strings.strip(tf.strings.reduce_join(words, -1, separator=" "))
        return {"translation": texts, "score": scores}

    def of_tokens(self, rows: tf.Tensor, beam: "int | tf.Tensor") -> tuple[tf.Tensor, tf.Tensor]:
        """Return what `decoding.translated` does, of [sentences, tokens]."""
        said: tuple[tf.Tensor, tf.Tensor] = self._say(rows, self._length, beam)
        return said

    def _encoded(self, sentence: tf.Tensor) -> tf.Tensor:
        """[length] tokens of a sentence: what `Sentences.encode` does."""
        numbers = tf.maximum(self._tokenizer.encode(sentence), UNKNOWN)
        ended = tf.concat([numbers, [EOS]], 0)[: self._length]
        return tf.pad(ended, [[0, self._length - tf.size(ended)]], constant_values=PAD)


@dataclass(frozen=True)
class Said:
    """Sentences of a split with their translations, as they are said and as they are true.

    Args:
        sources: the sentences.
        said: what the model says, the most probable tokens.
        true: what is true.
        scores: of what was said.
        attention: [words said, words of the sentence and its end] how much each was looked at, by
            row; of a few sentences, where the model has attention.
        word_by_word: what a `Dictionary` makes of the sentences.
    """

    sources: list[str]
    said: list[str]
    true: list[str]
    scores: np.ndarray
    attention: dict[int, np.ndarray]
    word_by_word: list[str]

    def exact(self, found: list[str]) -> np.ndarray:
        """Return which translations are word for word as they should be, [sentences]."""
        return np.array([one == true for one, true in zip(found, self.true, strict=True)])


def said_of(
    model: keras.Model,
    task: Task,
    spec: ElementSpec,
    batches: Iterable[Any],
    training: Iterable[Any],
    pictures: int = 4,
) -> Said:
    """Translate a split.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
        batches: of ({"source", "target"}, label).
        training: those of the training split, for the dictionary.
        pictures: of how many sentences to keep the attention, the longest ones.
    """
    source, target = spec.features
    both = [Sentences(Tokenizer.of(f), f.shape[0]) for f in (source, target)]
    translations = Translations(model, task, spec)

    @tf.function(reduce_retracing=True, autograph=False)
    def say(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        tokens, scores = translations.of_tokens(rows, 1)
        return tokens[:, 0], scores[:, 0]

    parts = [
        (np.asarray(x[source.name]), *map(np.asarray, say(x[source.name])), np.asarray(y))
        for x, y, *_ in batches
    ]
    rows, said, scores, true = (np.concatenate(part) for part in zip(*parts, strict=True))
    pairs = ((np.asarray(x[source.name]), np.asarray(y)) for x, y, *_ in training)
    longest = np.argsort(-(said > EOS).sum(1), kind="stable")[:pictures]
    return Said(
        both[0].decode(rows),
        both[1].decode(said),
        both[1].decode(true),
        scores,
        _attention(model, spec, longest, rows, said),
        both[1].decode(Dictionary(pairs).translated(rows)),
    )


def _attention(
    model: keras.Model, spec: ElementSpec, chosen: np.ndarray, rows: np.ndarray, said: np.ndarray
) -> dict[int, np.ndarray]:
    """How much each word of some sentences was looked at for each word of their translations."""
    speaker = speaker_of(model, (spec.features[0].name, spec.features[1].name))
    if not isinstance(speaker, EncoderDecoder):
        return {}
    layer = next((layer for layer in speaker.decoder.layers if layer.name == "attention"), None)
    if layer is None:
        return {}
    looked = keras.Model(speaker.decoder.inputs, layer.output[1])
    # As copies, which carry no masks of Keras's.
    kept, states = speaker.begin(tf.constant(rows[chosen]))
    known = map(tf.identity, [*kept, *states])
    read = tf.constant(moved(said[chosen]))
    weights = np.asarray(looked([read, *known], training=False))
    weights = weights.mean(axis=1) if weights.ndim == 4 else weights  # over the heads
    found = {}
    for row, of_row in zip(chosen.tolist(), weights, strict=True):
        words, seen = (int((part[row] > EOS).sum()) for part in (said, rows))
        found[row] = of_row[: max(words, 1), : seen + 1]
    return found
