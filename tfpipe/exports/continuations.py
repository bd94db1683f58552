"""Continuing texts inside an export: prompts in, texts out, with nothing but TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.data.tokens.graph import GraphTokenizer
from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.declare.formats import MOST_TOKENS
from tfpipe.declare.spec import ElementSpec
from tfpipe.exports.image_signatures import Untracked
from tfpipe.models.sequence.generation import Reader, Sampling, continued, one_by_one, reader_of
from tfpipe.tasks.task import Task

_PROMPTS, _READ, _SAID = 3, 10, 20  # golden texts, and their tokens

_INPUTS = {"prompt": tf.string, "length": tf.int32, "temperature": tf.float32, "seed": tf.int32}
_FURTHER = {"top_k": tf.int32, "top_p": tf.float32}


class TextSignatures(tf.Module):
    """Continues texts: what `generate` and `generate_top` do.

    `generate` takes for each text its prompt, how many tokens to say, the temperature and a seed,
    and gives the text: the prompt and what follows it. `generate_top` also takes how many of the
    most probable tokens to draw from (0 for all), and the share of the probability that these have
    at most (1 for all).

    Args:
        model: the trained keras.Model, whose layers are saved elsewhere.
        task: what its outputs mean.
        spec: the element spec it was trained on.
    """

    def __init__(self, model: keras.Model, task: Task, spec: ElementSpec) -> None:
        super().__init__(name="continuations")
        tokenizer = Tokenizer.of(spec.feature)
        self._tokenizer, self._never = GraphTokenizer(tokenizer), tokenizer.unknown_number
        self._reader = Untracked(_reader(model, task, spec))

    def signatures(self) -> dict[str, Any]:
        """The signatures by name, as functions that are not traced yet."""
        return {
            "generate": _function(
                lambda prompt, length, temperature, seed: self._all(
                    prompt,
                    length,
                    temperature,
                    seed,
                    tf.zeros_like(length),
                    tf.ones_like(temperature),
                ),
                _INPUTS,
            ),
            "generate_top": _function(self._all, _INPUTS | _FURTHER),
        }

    def _all(
        self,
        prompt: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        rows = (prompt, length, temperature, seed, top_k, top_p)
        return {"text": tf.map_fn(self._one, rows, fn_output_signature=tf.string)}

    def _one(self, row: tuple[tf.Tensor, ...]) -> tf.Tensor:
        prompt, length, temperature, seed, top_k, top_p = row
        tokens = self._tokenizer.encode(prompt)
        tokens = tf.cond(tf.size(tokens) > 0, lambda: tokens, lambda: tf.zeros([1], tf.int32))
        sampling = Sampling(temperature, tf.maximum(top_k, 0), top_p, seed, self._never)
        length = tf.clip_by_value(length, 0, MOST_TOKENS)
        said = continued(self._reader.value, tokens, length, sampling)
        joint = tf.where(length > 0, self._tokenizer.joint, "")
        return tf.strings.join([prompt, joint, self._tokenizer.decode(said)])


def _function(function: Callable[..., Any], inputs: dict[str, tf.DType]) -> Any:
    signature = [tf.TensorSpec([None], dtype, name) for name, dtype in inputs.items()]
    return tf.function(function, signature, autograph=False)


def _reader(model: keras.Model, task: Task, spec: ElementSpec) -> Reader:
    return reader_of(model, spec.feature.shape[0], task.probabilities)


def continues_texts(spec: ElementSpec) -> bool:
    """Return whether a model of such data says a text's next tokens."""
    return [f.kind for f in spec.features] == ["tokens"] and spec.label.kind == "tokens"


def golden_texts(
    model: keras.Model, task: Task, spec: ElementSpec, samples: np.ndarray
) -> dict[str, list[bytes]]:
    """Return prompts and the texts that the trained model makes of them, the most probable ones.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
        samples: [rows, tokens] of held-out windows.
    """
    tokenizer, reader = Tokenizer.of(spec.feature), _reader(model, task, spec)
    prompts = [tokenizer.decode(row[:_READ].tolist()) for row in samples[:_PROMPTS]]
    texts, sampling = [], Sampling(never=tokenizer.unknown_number)
    for prompt in prompts:
        said = one_by_one(reader, tokenizer.encode(prompt).tolist() or [0], _SAID, sampling)
        texts.append(prompt + tokenizer.form.joint + tokenizer.decode(said))
    return {
        "prompts": [prompt.encode() for prompt in prompts],
        "texts": [text.encode() for text in texts],
        "lengths": [b"%d" % _SAID] * len(texts),
    }
