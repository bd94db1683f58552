"""Regression: real numbers, a value for each."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import Label
from tfpipe.tasks.keras_objects import Expects
from tfpipe.tasks.task import Named, Task

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfpipe.tasks.keras_objects import Translator


class Regression(Task):
    """Real numbers; class indices serve too, as the numbers that they are."""

    name = "regression"
    label_kind = "number"
    has_accuracy = False
    reads_logits = False
    output = "values"
    judged_as = "number"

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind in ("real", "class")

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return label.kind == "real"

    @classmethod
    def describe(cls, label: Label) -> str:
        return "real numbers"

    @classmethod
    def generate(cls, scores: "np.ndarray", rng: "np.random.Generator") -> "np.ndarray":
        import numpy as np

        noise = 0.1 * rng.normal(size=scores.shape)
        return np.asarray(scores + 0.3 * np.sin(2 * scores) + noise, np.float32)

    @property
    def units(self) -> int:
        return prod(self.label.shape)

    @property
    def loss(self) -> Deferred:
        loss: Deferred = keras.losses.MeanSquaredError()
        return loss

    @property
    def metrics(self) -> tuple[Deferred, ...]:
        return (keras.metrics.MeanAbsoluteError(name="mae"),)

    def translator(self, expects: Expects) -> "Translator":
        import tensorflow as tf

        def translate(labels: "tf.Tensor", outputs: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            return tf.cast(tf.reshape(labels, tf.shape(outputs)), tf.float32), outputs

        return translate

    def answers(self, outputs: Any) -> "tf.Tensor":
        import tensorflow as tf

        return tf.cast(outputs, tf.float32)

    def losses(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        import numpy as np

        return np.asarray(np.abs(answers - labels.reshape(answers.shape)).mean(axis=-1))

    def caption(self, answer: Sequence[float], label: "np.ndarray | int | float") -> str:
        import numpy as np

        said, true = (
            ", ".join(f"{float(v):.4g}" for v in np.asarray(values).reshape(-1)[:4])
            for values in (answer, label)
        )
        return f"{said} ({true})"

    def named(self, answer: Sequence[float], top: int = 5) -> Named:
        values = [float(value) for value in answer]
        name = self.label.name
        several = self.label.columns or tuple(f"{name}[{i}]" for i in range(len(values)))
        names = (name,) if len(values) == 1 else several
        return tuple(zip(names, values, strict=True))
