"""Losses and metrics as they are declared in Keras, given the labels and outputs that they expect.

A model gives logits here and the data has class indices. Keras's losses and metrics expect other
things: one-hot labels, probabilities, an answer a column. So each gets what it expects, by its
class; what a person wrote gets what there is: the labels of the data and the model's outputs.
"""

import re
from collections.abc import Callable, Collection
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from tfpipe.declare.deferred import build_named
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    Translator = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

Labels = Literal["index", "one_hot", "yes_no", "choice"]


class Expects(NamedTuple):
    """What a loss or a metric compares.

    Args:
        labels: "index": class indices, and a score for each class. "one_hot": one-hot rows, and a
            score for each class. "yes_no": yes/no answers, as many as the model gives, and their
            scores; numbers in a regression. "choice": class indices, and the indices chosen.
        logits: whether the scores are logits; probabilities otherwise.
    """

    labels: Labels
    logits: bool = False


class Translating(Protocol):
    """What a task says of its labels and outputs; see `tfpipe.tasks.task.Task`."""

    name: ClassVar[str]
    has_classes: ClassVar[bool]
    reads_logits: ClassVar[bool]
    activations: ClassVar[tuple[str, ...]]
    probabilities: bool

    def translator(self, expects: Expects) -> "Translator": ...


_LOSSES = {
    "SparseCategoricalCrossentropy": Expects("index"),
    "CategoricalGeneralizedCrossEntropy": Expects("index"),
    "CategoricalCrossentropy": Expects("one_hot"),
    "CategoricalFocalCrossentropy": Expects("one_hot"),
    "CategoricalHinge": Expects("one_hot", logits=True),
    "Hinge": Expects("yes_no", logits=True),
    "SquaredHinge": Expects("yes_no", logits=True),
}
_METRICS = {
    "Accuracy": Expects("choice"),
    "IoU": Expects("choice"),
    "MeanIoU": Expects("choice"),
    "SparseCategoricalAccuracy": Expects("index"),
    "SparseCategoricalCrossentropy": Expects("index"),
    "SparseTopKCategoricalAccuracy": Expects("index"),
    "CategoricalAccuracy": Expects("one_hot"),
    "CategoricalCrossentropy": Expects("one_hot"),
    "TopKCategoricalAccuracy": Expects("one_hot"),
    "F1Score": Expects("one_hot"),
    "FBetaScore": Expects("one_hot"),
    "OneHotIoU": Expects("one_hot"),
    "OneHotMeanIoU": Expects("one_hot"),
    "CategoricalHinge": Expects("one_hot", logits=True),
    "Hinge": Expects("yes_no", logits=True),
    "SquaredHinge": Expects("yes_no", logits=True),
}
_SHORT = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "kld": "KLDivergence",
    "bce": "BinaryCrossentropy",
}
# They compare nothing with labels, or wrap a function of a person's.
_PLAIN = ("Mean", "Sum", "MeanMetricWrapper", "LossFunctionWrapper", "CTC", "Circle")


def loss_of(task: Translating, declared: object) -> "keras.losses.Loss | Callable[..., Any]":
    """Return a declared loss, which gets what it expects.

    Args:
        task: says what labels and outputs are.
        declared: a name, a Keras loss, deferred or not, or a function.

    Raises:
        ConfigError: for an unknown name, or a loss that does not fit.
    """
    import keras

    if isinstance(declared, str):  # such as "mse": by its class, since Keras has a function there
        wanted = _SHORT.get(declared.lower(), declared).replace("_", "").lower()
        declared = next((n for n in dir(keras.losses) if n.lower() == wanted), declared)
    loss: Any = build_named("loss", declared, "losses")
    if not _is_kerass(loss):
        return loss
    name = type(loss).__name__
    expects = _LOSSES.get(name, Expects("yes_no"))
    _refuse_classes(task, expects, "loss", f"keras.losses.{name}")
    loss, logits = _on_logits(task, loss, "loss", f"keras.losses.{name}")
    call = loss.call
    translate = task.translator(expects._replace(logits=expects.logits or logits))

    def translated(y_true: "tf.Tensor", y_pred: "tf.Tensor") -> "tf.Tensor":
        return call(*translate(y_true, y_pred))

    loss.call = translated
    return loss


def metric_of(
    task: Translating, declared: object, names: Collection[str] = ()
) -> "keras.metrics.Metric | Callable[..., Any]":
    """Return a declared metric, which gets what it expects.

    It is called as it was declared; without a name as its class, and not by how many of them this
    process has made before, as Keras does it: a run that is resumed measures by the same names.

    Args:
        task: says what labels and outputs are.
        declared: a name, a Keras metric, deferred or not, or a function.
        names: those of the metrics before it.

    Raises:
        ConfigError: for an unknown name, or a metric that does not fit.
    """
    metric: Any = build_named("metrics", declared, "metrics")
    if not _is_kerass(metric):
        return metric
    name = type(metric).__name__
    called = declared if isinstance(declared, str) else getattr(declared, "kwargs", {}).get("name")
    if called is None:
        of_class = re.sub(r"_\d+$", "", metric.name)
        numbered = (f"{of_class}_{number}" if number else of_class for number in count())
        called = next(name for name in numbered if name not in names)
    metric = _copy(metric, name=called)
    config = metric.get_config()
    for field in ("threshold", "thresholds"):
        if config.get(field) in (0, [0.0], [0]):
            raise ConfigError(
                f"metrics: keras.metrics.{name}({field}=0.0) takes every answer for a yes, since "
                f"metrics get probabilities. Write {field}=0.5, or leave it out."
            )
    metric, logits = _on_logits(task, metric, "metrics", f"keras.metrics.{name}")
    expects = _METRICS.get(name, Expects("yes_no"))
    if name in ("F1Score", "FBetaScore") and metric.threshold is not None:
        expects = Expects("yes_no")
    if name.endswith("IoU") and not getattr(metric, "sparse_y_pred", True):
        expects = Expects("one_hot" if name.startswith("OneHot") else "index")
    elif name.startswith("OneHot"):
        expects = Expects("one_hot")
    _refuse_classes(task, expects, "metrics", f"keras.metrics.{name}")
    update = metric.update_state
    translate = task.translator(expects._replace(logits=expects.logits or logits))

    def translated(
        y_true: "tf.Tensor", y_pred: "tf.Tensor", sample_weight: "tf.Tensor | None" = None
    ) -> None:
        update(*translate(y_true, y_pred), sample_weight=sample_weight)

    metric.update_state = translated
    return metric


def _refuse_classes(task: Translating, expects: Expects, field: str, name: str) -> None:
    """Refuse what compares classes where there are only numbers; raises ConfigError."""
    if expects.labels != "yes_no" and not task.reads_logits and not task.has_classes:
        raise ConfigError(
            f"{field}: {name} compares classes, and the task is {task.name}, whose labels are "
            "numbers. Use MeanSquaredError or the like, or another task."
        )


def _is_kerass(value: object) -> bool:
    """Return whether a loss or metric is one of Keras's own classes."""
    kind = type(value)
    return kind.__module__.startswith("keras.") and kind.__name__ not in _PLAIN


def _on_logits(
    task: Translating, value: "keras.losses.Loss | keras.metrics.Metric", field: str, name: str
) -> tuple[Any, bool]:
    """Return a loss or metric with the `from_logits` that it needs, and whether it reads logits.

    Logits are the stabler: where the task's own probabilities are those that Keras would make of
    them, they are read, whatever is declared. Elsewhere what is declared is meant: of the logits of
    several classes `AUC(from_logits=True)` makes probabilities by a sigmoid, not by a softmax.
    """
    config = value.get_config()
    if "from_logits" not in config or not task.reads_logits:
        return value, False
    if config["from_logits"] and task.probabilities:
        raise ConfigError(
            f"{field}={name}(from_logits=True), and the model's last layer gives probabilities: "
            "leave from_logits out, or the activation of that layer."
        )
    by = "softmax" if "Categorical" in name else "sigmoid"
    logits = not task.probabilities and (config["from_logits"] or by in task.activations)
    return _copy(value, from_logits=logits), logits


def _copy(value: "keras.losses.Loss | keras.metrics.Metric", **changes: object) -> Any:
    return type(value).from_config(value.get_config() | changes)
