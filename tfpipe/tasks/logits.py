"""Losses and metrics must read logits, which is what models give here.

Keras's own defaults expect probabilities. On logits they train and count something else without a
word, so they are refused with the argument that puts it right; names such as "binary_crossentropy"
leave no doubt and become the loss on logits.
"""

from typing import Any

from tfpipe.errors import ConfigError

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


def loss_by_name(name: str) -> Any:
    """The Keras loss of a name, on logits; raises ValueError where Keras has none."""
    import keras

    found = _CROSSENTROPIES.get(name.replace("_", "").lower())
    return getattr(keras.losses, found)(from_logits=True) if found else keras.losses.get(name)


def check_loss(loss: Any) -> None:
    """Refuse a loss that takes logits for probabilities; raises ConfigError."""
    if getattr(loss, "from_logits", None) is False:
        name = type(loss).__name__
        raise ConfigError(
            f"loss=keras.losses.{name}() expects probabilities, and models give logits here: "
            f"write keras.losses.{name}(from_logits=True)."
        )


def check_metric(metric: Any) -> None:
    """Refuse a metric that takes logits for probabilities; raises ConfigError."""
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
