"""Binary classification: one of two classes, a single logit for the second of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfpipe.declare.spec import Label
from tfpipe.tasks.classification import Classification
from tfpipe.tasks.keras_objects import Expects
from tfpipe.tasks.sigmoid import Sigmoid
from tfpipe.tasks.task import Named

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfpipe.tasks.keras_objects import Translator


class Binary(Sigmoid, Classification):
    """One of two classes; the labels are 0 and 1."""

    name = "binary"
    activations = ("sigmoid", "softmax")  # the softmax of it and zero

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "class" and len(label.classes) == 2

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return cls.fits(label)

    @property
    def units(self) -> int:
        return 1

    def translator(self, expects: Expects) -> "Translator":
        import tensorflow as tf

        def translate(labels: "tf.Tensor", outputs: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            index = tf.cast(tf.reshape(labels, [-1]), tf.int32)
            scores = outputs if expects.logits else self.answers(outputs)
            if expects.labels == "yes_no":
                return tf.cast(index[:, None], tf.float32), scores
            if expects.labels == "choice":
                return index, self.class_indices(scores)
            first = tf.zeros_like(scores) if expects.logits else 1.0 - scores
            both = tf.concat([first, scores], axis=-1)
            return index if expects.labels == "index" else tf.one_hot(index, 2), both

        return translate

    def class_indices(self, answers: Any) -> "tf.Tensor":
        import tensorflow as tf

        return tf.cast(answers[:, 0] >= 0.5, tf.int64)

    def outputs(self, answers: Any) -> "dict[str, tf.Tensor]":
        import tensorflow as tf

        both = tf.concat([1.0 - answers, answers], axis=-1)
        index = tf.argmax(both, axis=-1)
        names = tf.gather(tf.constant(self.label.classes), index)
        return {self.output: both, "class_index": index, "class_name": names}

    def answers_of(self, outputs: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
        return outputs[self.output][:, 1:]

    def class_probabilities(self, answers: "np.ndarray") -> "np.ndarray":
        import numpy as np

        return np.concatenate([1.0 - answers, answers], axis=-1)

    def named(self, answer: Sequence[float], top: int = 5) -> Named:
        second = float(answer[0])
        return super().named((1.0 - second, second), top)
