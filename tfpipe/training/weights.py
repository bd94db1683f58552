"""How much each training sample counts: its class's declared weight, times its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import ConfigError, suggest


def weighing(pipeline: Pipeline) -> Callable[..., Any] | None:
    """What adds the declared class weights to a training batch as a third part; None without any.

    It takes the features, the labels and, where there are some, the samples' own weights.

    Args:
        pipeline: the declaration, its ranges resolved.

    Raises:
        ConfigError: for weights that do not fit the classes.
    """
    if pipeline.class_weights is None:
        return None
    table = tf.constant(class_weights(pipeline), tf.float32)

    def weigh(x: Any, y: Any, own: Any = 1.0) -> Any:
        return x, y, tf.gather(table, tf.reshape(y, [-1])) * tf.cast(own, tf.float32)

    return weigh


def class_weights(pipeline: Pipeline) -> np.ndarray:
    """The weight of each class by its index.

    "balanced" gives each class the same say: n / (classes * its samples), as scikit-learn does.
    """
    assert pipeline.data is not None
    spec, declared = pipeline.spec(), pipeline.class_weights
    classes = spec.classes
    if spec.label.parts:
        raise ConfigError(
            "class_weights: there are several outputs. Weigh them with loss_weights, and single "
            "samples by the source."
        )
    if not spec.label.is_class:
        raise ConfigError("class_weights: the labels are no classes. Leave it out.")
    if declared == "balanced":
        counts = pipeline.data.class_counts(pipeline.seed).get("train")
        if counts is None:
            raise ConfigError(
                "class_weights='balanced' needs to know the labels before training, and input_fn "
                "makes them. Give a number for each class: class_weights={...}."
            )
        each = np.array([counts[name] for name in classes], float)
        return each.sum() / (len(classes) * np.maximum(each, 1.0))
    assert isinstance(declared, dict)
    for name in declared:
        if name not in classes:
            known = suggest(name, classes)
            raise ConfigError(f"class_weights: there is no class {name!r}. {known}")
    return np.array([declared.get(name, 1.0) for name in classes])
