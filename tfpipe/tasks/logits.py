"""Losses and metrics on logits, which is what models give to most tasks.

Keras's own defaults expect probabilities. On logits they train and count something else without a
word, so they are refused with the argument that puts it right; names such as "binary_crossentropy"
leave no doubt and become the loss on logits.
"""

from typing import TYPE_CHECKING, Any

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

_CROSSENTROPIES = {
    name.lower(): name
    for name in (
        "BinaryCrossentropy",
        "BinaryFocalCrossentropy",
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "SparseCategoricalCrossentropy",
    )
}


class Sigmoid:
    """What tasks share whose logits are each of a yes/no answer."""

    @property
    def loss(self) -> Deferred:
        loss: Deferred = keras.losses.BinaryCrossentropy(from_logits=True)
        return loss

    @property
    def metrics(self) -> tuple[Deferred, ...]:
        return (keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),)

    def answers(self, outputs: Any) -> "tf.Tensor":
        import tensorflow as tf

        return tf.nn.sigmoid(tf.cast(outputs, tf.float32))


def on_logits(loss: object) -> object:
    """Return the declared loss, or the one on logits that the name of a crossentropy means."""
    name = _CROSSENTROPIES.get(loss.replace("_", "").lower()) if isinstance(loss, str) else None
    return getattr(keras.losses, name)(from_logits=True) if name else loss


def check_loss(loss: object) -> None:
    """Refuse a loss that takes logits for probabilities; raise ConfigError."""
    if getattr(loss, "from_logits", None) is False:
        name = type(loss).__name__
        raise ConfigError(
            f"loss=keras.losses.{name}() expects probabilities, and models give logits here: "
            f"write keras.losses.{name}(from_logits=True)."
        )


def check_metric(metric: object) -> None:
    """Refuse a metric that takes logits for probabilities; raise ConfigError."""
    name = type(metric).__name__
    if False in (getattr(metric, "from_logits", None), getattr(metric, "_from_logits", None)):
        repair = "from_logits=True"
    elif getattr(metric, "threshold", None) == 0.5:
        repair = "threshold=0.0"
    elif getattr(metric, "thresholds", None) == [0.5]:
        repair = "thresholds=0.0"
    else:
        return
    raise ConfigError(
        f"metrics: keras.metrics.{name}() expects probabilities, and models give logits here: "
        f"write keras.metrics.{name}({repair})."
    )
