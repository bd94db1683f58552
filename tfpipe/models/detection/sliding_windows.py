"""A classifier that is asked about windows all over an image, as a Keras layer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.boxes.suppression import best_of_each_class
from tfpipe.boxes.windows import pyramid, shares

AT_ONCE = 64  # windows that are in memory at a time
_NEVER = -1e9


@keras.saving.register_keras_serializable(package="tfpipe")
class SlidingWindows(keras.layers.Layer):
    """The windows that a classifier is sure of, [batch, most, 6]: corners, score, class.

    All copies of an image lie below each other in one picture, from which the windows of all of
    them are cut, resized to what the classifier takes, and answered in batches. Copies and windows
    have whole values from 0 to 255, as if each was a picture of its own.

    Args:
        classifier: gives a logit for each of its classes, or one for two; it is never trained.
        classes: which class of the data each of its classes is; -1 for one that is left out.
        window: (height, width) in pixels.
        step: pixels from one window to the next.
        shrink: how many times as large a copy of the image is as the next one.
        score: the probability from which on a window is kept as its most probable class.
        overlap: of two windows of a class whose intersection over union is larger, one is left out.
        most: how many boxes are given of an image.
        options: further arguments of keras.layers.Layer.
    """

    def __init__(
        self,
        classifier: keras.Model,
        classes: Sequence[int],
        window: tuple[int, int] = (150, 200),
        step: int = 16,
        shrink: float = 1.5,
        score: float = 0.98,
        overlap: float = 0.3,
        most: int = 100,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options, "trainable": False})
        self.supports_jit = False
        classifier.trainable = False
        self.classifier, self.classes = classifier, [*classes]
        self.window, self.step, self.shrink = (window[0], window[1]), step, shrink
        self.score, self.overlap, self.most = score, overlap, most

    def build(self, input_shape: Any) -> None:
        height, width = input_shape[1:3]
        self._levels = pyramid((height, width), self.window, self.step, self.shrink)
        tops = np.cumsum([0, *(level.size[0] for level in self._levels)])
        moved = [
            level.corners + np.array([[top, 0]], np.int32)
            for level, top in zip(self._levels, tops, strict=False)
        ]
        self._corners = np.concatenate(moved)
        self._boxes = np.concatenate([shares(level, self.window) for level in self._levels])
        self.built = True

    def call(self, inputs: Any) -> Any:
        # One after another: what is in memory of several would add up.
        spec = tf.TensorSpec([self.most, 6], tf.float32)
        images = tf.convert_to_tensor(inputs)
        return tf.map_fn(self._found, images, fn_output_signature=spec, parallel_iterations=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], self.most, 6)

    def get_config(self) -> dict[str, Any]:
        names = ("classes", "window", "step", "shrink", "score", "overlap", "most")
        classifier = keras.saving.serialize_keras_object(self.classifier)
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "classifier": classifier}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SlidingWindows":
        classifier = keras.saving.deserialize_keras_object(config["classifier"])
        return cls(**{**config, "classifier": classifier})

    def _found(self, image: tf.Tensor) -> tf.Tensor:
        """Return the boxes of an image, [most, 6]."""
        width, copies = self._levels[0].size[1], [_whole(image)]
        for level in self._levels[1:]:
            copy = _whole(tf.image.resize(copies[0], level.size, antialias=True))
            copies.append(tf.pad(copy, [[0, 0], [0, width - level.size[1]], [0, 0]]))
        logits = self._answers(tf.concat(copies, axis=0))
        if logits.shape[-1] == 1:  # of two classes: as a softmax of 0 and that
            logits = tf.concat([tf.zeros_like(logits), logits], axis=-1)
        best = tf.argmax(logits, axis=-1, output_type=tf.int32)
        chosen = tf.one_hot(best, logits.shape[-1], True, False, dtype=tf.bool)
        others = tf.where(chosen, -np.inf, logits)
        # Of probabilities, which are rounded to 1, the best of several could not be told.
        odds = tf.reduce_max(logits, axis=-1) - tf.reduce_logsumexp(others, axis=-1)
        classes = tf.gather(tf.constant(self.classes), best)
        count = 1 + max(self.classes)
        own = tf.one_hot(classes, count, True, False, dtype=tf.bool)
        of_classes = tf.where(own, odds[:, tf.newaxis], _NEVER)
        found = best_of_each_class(
            tf.constant(self._boxes)[tf.newaxis],
            of_classes[tf.newaxis],
            score=self.score,
            overlap=self.overlap,
            most=self.most,
        )
        return tf.ensure_shape(found[0], [self.most, 6])

    def _answers(self, copies: tf.Tensor) -> tf.Tensor:
        """Return what the classifier gives for each window, [windows, numbers].

        Args:
            copies: the image and its smaller copies below each other.
        """
        corners, count = tf.constant(self._corners), len(self._corners)
        batches = -(-count // AT_ONCE)
        size = [*self.window, copies.shape[-1]]
        own = self.classifier.input_shape[1:3]
        takes = tuple(side or given for side, given in zip(own, self.window, strict=True))

        def cut(corner: tf.Tensor) -> tf.Tensor:
            return tf.slice(copies, [corner[0], corner[1], 0], size)

        def answer(batch: tf.Tensor, answers: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            some = corners[batch * AT_ONCE : (batch + 1) * AT_ONCE]
            windows = tf.map_fn(cut, some, fn_output_signature=tf.TensorSpec(size, tf.float32))
            if takes != self.window:
                windows = _whole(tf.image.resize(windows, takes, antialias=True))
            given = self.classifier(windows, training=False)
            return batch + 1, answers.write(batch, tf.cast(given, tf.float32))

        width = self.classifier.output_shape[-1]
        held = tf.TensorArray(
            tf.float32, batches, infer_shape=False, element_shape=tf.TensorShape([None, width])
        )
        _, answers = tf.while_loop(
            lambda batch, _: batch < batches,
            answer,
            [tf.constant(0), held],
            parallel_iterations=1,
        )
        return tf.ensure_shape(answers.concat(), [count, width])


def _whole(values: tf.Tensor) -> tf.Tensor:
    """Whole values from 0 to 255."""
    return tf.round(tf.clip_by_value(values, 0.0, 255.0))
