"""What tasks share whose outputs are each a yes/no answer."""

from typing import TYPE_CHECKING, Any

from tfpipe.declare.deferred import Deferred, keras

if TYPE_CHECKING:
    import tensorflow as tf


class Sigmoid:
    """Loss, metrics and answers of logits, of each of which a sigmoid makes a probability."""

    probabilities: bool

    @property
    def loss(self) -> Deferred:
        loss: Deferred = keras.losses.BinaryCrossentropy()
        return loss

    @property
    def metrics(self) -> tuple[Deferred, ...]:
        return (keras.metrics.BinaryAccuracy(name="accuracy"),)

    def answers(self, outputs: Any) -> "tf.Tensor":
        import tensorflow as tf

        outputs = tf.cast(outputs, tf.float32)
        return outputs if self.probabilities else tf.nn.sigmoid(outputs)
