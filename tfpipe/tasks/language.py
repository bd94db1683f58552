"""Language: the next token of a text at each of its places, a logit for each of a vocabulary."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import Label
from tfpipe.tasks.keras_objects import Expects
from tfpipe.tasks.task import Named, Task

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from keras.metrics import Metric

    from tfpipe.tasks.keras_objects import Translator


class Language(Task):
    """The next token at each place of a window; the labels are the window moved on by one."""

    name = "language"
    judged_as = "tokens"
    activations: ClassVar[tuple[str, ...]] = ("softmax",)

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "tokens"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return label.kind == "tokens"

    @classmethod
    def describe(cls, label: Label) -> str:
        return f"the next tokens of a vocabulary of {len(label.classes)}"

    @property
    def units(self) -> int:
        return len(self.label.classes)

    @property
    def loss(self) -> Deferred:
        loss: Deferred = keras.losses.SparseCategoricalCrossentropy()
        return loss

    @property
    def metrics(self) -> "tuple[Deferred | Metric, ...]":
        from tfpipe.tasks.metrics.perplexity import Perplexity

        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        return accuracy, Perplexity(from_logits=not self.probabilities)

    def translator(self, expects: Expects) -> "Translator":
        import tensorflow as tf

        def translate(labels: "tf.Tensor", outputs: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            tokens = tf.cast(labels, tf.int32)
            scores = outputs if expects.logits else self.answers(outputs)
            if expects.labels == "choice":
                return tokens, tf.argmax(scores, axis=-1)
            return tokens if expects.labels == "index" else tf.one_hot(tokens, self.units), scores

        return translate

    def answers(self, outputs: Any) -> "tf.Tensor":
        import tensorflow as tf

        outputs = tf.cast(outputs, tf.float32)
        return outputs if self.probabilities else tf.nn.softmax(outputs)

    def kept(self, answers: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
        """Of each token the probability of the true one, and the most probable one's number."""
        import tensorflow as tf

        of_true = tf.gather(answers, labels, batch_dims=2)
        said = tf.cast(tf.argmax(answers, axis=-1), tf.float32)
        return tf.stack([of_true, said], axis=-1)

    def losses(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        import numpy as np

        with np.errstate(divide="ignore"):
            return np.asarray(-np.log(answers[..., 0]).mean(axis=-1))

    def bars(self, answer: Sequence[Any]) -> Named:
        return ()

    def caption(self, answer: Sequence[Any], label: "np.ndarray | int | float") -> str:
        import numpy as np

        of_tokens = np.asarray(answer, np.float64)
        if of_tokens.ndim != 2:  # a window that nobody has answered
            raise NotImplementedError("A window of tokens is its own text.")
        return f"perplexity {np.exp(self.losses(of_tokens, np.asarray(label))):.4g}"

    def named(self, answer: Sequence[Any], top: int = 5) -> Named:
        """The most probable tokens after the last place of a window."""
        last = map(float, answer[-1])
        pairs = zip(self.label.classes, last, strict=True)
        return tuple(sorted(pairs, key=lambda pair: -pair[1])[:top])
