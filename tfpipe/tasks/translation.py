"""Translation: the tokens of a sentence's translation, one after the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfpipe.declare.formats import EOS, PAD
from tfpipe.declare.spec import Label
from tfpipe.tasks.keras_objects import Expects
from tfpipe.tasks.language import Language
from tfpipe.tasks.task import Named

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from keras.losses import Loss
    from keras.metrics import Metric

    from tfpipe.tasks.keras_objects import Translator


class Translation(Language):
    """A sentence in another language; a model says each token, knowing the true ones before it.

    Padding counts nowhere: neither in the loss, which is the mean over the tokens of a batch, nor
    in a metric, which is that over all tokens. What a trained model is asked for are sentences.
    """

    name = "translation"
    judged_as = "translation"
    output = "translation"

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "sentence"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return label.kind == "sentence"

    @classmethod
    def describe(cls, label: Label) -> str:
        return f"sentences of a vocabulary of {len(label.classes)}"

    @property
    def loss(self) -> "Loss":
        from tfpipe.tasks.metrics.masked import MaskedCrossentropy

        return MaskedCrossentropy(from_logits=not self.probabilities)

    @property
    def metrics(self) -> "tuple[Metric, ...]":
        from tfpipe.tasks.metrics.masked import MaskedPerplexity, TokenAccuracy

        return TokenAccuracy("accuracy"), MaskedPerplexity(not self.probabilities)

    def translator(self, expects: Expects) -> "Translator":
        """What Keras's own losses and metrics compare: all tokens of a batch in one row."""
        import tensorflow as tf

        translate = super().translator(expects)

        def of_tokens(labels: "tf.Tensor", outputs: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            valid = tf.not_equal(labels, PAD)
            true, scores = tf.boolean_mask(labels, valid), tf.boolean_mask(outputs, valid)
            return translate(true, scores)

        return of_tokens

    def losses(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        import numpy as np

        valid = labels != PAD
        with np.errstate(divide="ignore"):
            logs = np.where(valid, np.log(np.where(valid, answers[..., 0], 1)), 0)
        return np.asarray(-logs.sum(axis=-1) / np.maximum(valid.sum(axis=-1), 1))

    def caption(self, answer: Sequence[Any], label: "np.ndarray | int | float") -> str:
        """The true translation of a sentence that nobody has translated."""
        import numpy as np

        words = (self.label.classes[number] for number in np.asarray(label).tolist())
        return " ".join(w for w in words if w not in (self.label.classes[i] for i in (PAD, EOS)))

    def named(self, answer: Sequence[Any], top: int = 5) -> Named:
        """Translations with their scores, the best first.

        Args:
            answer: pairs of a translation and its score.
            top: how many at the most.
        """
        return tuple((text, score) for text, score in answer[:top])
