"""Classification: one of several classes, a logit for each."""

from typing import TYPE_CHECKING, Any

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import Label
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import tensorflow as tf


class Classification(Task):
    """One of several classes; the labels are their indices."""

    name = "classification"
    has_classes = True

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "class"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return label.kind == "class" and len(label.classes) != 2

    @classmethod
    def describe(cls, label: Label) -> str:
        return f"class indices of {len(label.classes)} classes"

    @property
    def units(self) -> int:
        return len(self.label.classes)

    @property
    def loss(self) -> Deferred:
        loss: Deferred = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return loss

    @property
    def metrics(self) -> tuple[Deferred, ...]:
        return (keras.metrics.SparseCategoricalAccuracy(name="accuracy"),)

    def answers(self, outputs: Any) -> "tf.Tensor":
        import tensorflow as tf

        return tf.nn.softmax(tf.cast(outputs, tf.float32))

    def class_indices(self, answers: Any) -> "tf.Tensor":
        import tensorflow as tf

        return tf.argmax(answers, axis=-1)

    def outputs(self, answers: Any) -> "dict[str, tf.Tensor]":
        import tensorflow as tf

        index = self.class_indices(answers)
        names = tf.gather(tf.constant(self.label.classes), index)
        return {self.output: answers, "class_index": index, "class_name": names}
