"""Classification: one of several classes, a logit for each."""

from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import Label
from tfpipe.tasks.keras_objects import Expects
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import tensorflow as tf

    from tfpipe.tasks.keras_objects import Translator


class Classification(Task):
    """One of several classes; the labels are their indices."""

    name = "classification"
    label_kind = "class"
    has_classes = True
    judged_as = "class"
    activations: ClassVar[tuple[str, ...]] = ("softmax",)

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
        loss: Deferred = keras.losses.SparseCategoricalCrossentropy()
        return loss

    @property
    def metrics(self) -> tuple[Deferred, ...]:
        return (keras.metrics.SparseCategoricalAccuracy(name="accuracy"),)

    def translator(self, expects: Expects) -> "Translator":
        import tensorflow as tf

        def translate(labels: "tf.Tensor", outputs: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            index = tf.cast(tf.reshape(labels, [-1]), tf.int32)
            scores = outputs if expects.logits else self.answers(outputs)
            if expects.labels == "choice":
                return index, self.class_indices(scores)
            return index if expects.labels == "index" else tf.one_hot(index, self.units), scores

        return translate

    def answers(self, outputs: Any) -> "tf.Tensor":
        import tensorflow as tf

        outputs = tf.cast(outputs, tf.float32)
        return outputs if self.probabilities else tf.nn.softmax(outputs)

    def class_indices(self, answers: Any) -> "tf.Tensor":
        import tensorflow as tf

        return tf.argmax(answers, axis=-1)

    def outputs(self, answers: Any) -> "dict[str, tf.Tensor]":
        import tensorflow as tf

        index = self.class_indices(answers)
        names = tf.gather(tf.constant(self.label.classes), index)
        return {self.output: answers, "class_index": index, "class_name": names}
