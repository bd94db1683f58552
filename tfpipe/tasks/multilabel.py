"""Multilabel classification: several yes/no answers, a logit for each."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from tfpipe.declare.spec import Label
from tfpipe.tasks.keras_objects import Expects
from tfpipe.tasks.sigmoid import Sigmoid
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfpipe.tasks.keras_objects import Translator


class Multilabel(Sigmoid, Task):
    """Several yes/no answers; the labels are columns of 0 and 1."""

    name = "multilabel"
    activations = ("sigmoid",)
    judged_as = "yes_no"

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "multilabel"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return cls.fits(label)

    @classmethod
    def describe(cls, label: Label) -> str:
        return f"{len(label.classes)} yes/no answers"

    @classmethod
    def generate(cls, scores: "np.ndarray", rng: "np.random.Generator") -> "np.ndarray":
        return (scores > 0).astype("int64")

    @property
    def units(self) -> int:
        return prod(self.label.shape)

    def translator(self, expects: Expects) -> "Translator":
        import tensorflow as tf

        def translate(labels: "tf.Tensor", outputs: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            scores = outputs if expects.logits else self.answers(outputs)
            if expects.labels == "choice":
                return tf.cast(labels, tf.int64), tf.cast(scores >= 0.5, tf.int64)
            return tf.cast(labels, tf.float32), scores

        return translate

    def losses(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        import numpy as np

        of_true = np.where(labels.reshape(answers.shape) > 0, answers, 1.0 - answers)
        with np.errstate(divide="ignore"):
            return np.asarray(-np.log(of_true).mean(axis=-1))

    def right(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        import numpy as np

        return np.asarray(((answers >= 0.5) == (labels.reshape(answers.shape) > 0)).all(axis=-1))

    def caption(self, answer: Sequence[float], label: "np.ndarray | int | float") -> str:
        import numpy as np

        names = np.asarray(self.label.classes)
        said, true = (names[np.asarray(v).reshape(-1) >= 0.5] for v in (answer, label))
        return f"{', '.join(said) or 'none'} ({', '.join(true) or 'none'})"
