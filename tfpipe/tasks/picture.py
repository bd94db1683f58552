"""Picture: the result of a training is a picture, and no model that answers."""

from typing import TYPE_CHECKING, Any

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import Label
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import tensorflow as tf
    from keras.metrics import Metric


class Picture(Task):
    """A picture that is painted, by a model whose one weight it is; the loss is the model's own."""

    name = "picture"
    has_accuracy = False
    reads_logits = False
    keeps_model = False
    output = "picture"
    judged_as = "picture"

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "picture"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return label.kind == "picture"

    @classmethod
    def describe(cls, label: Label) -> str:
        return "a picture that is painted"

    @property
    def units(self) -> int:
        return 3

    @property
    def loss(self) -> Deferred:
        """Nothing that is used: the model says how far its picture is from what it should be."""
        loss: Deferred = keras.losses.MeanAbsoluteError()
        return loss

    @property
    def metrics(self) -> "tuple[Metric, ...]":
        return ()

    def answers(self, outputs: Any) -> "tf.Tensor":
        raise NotImplementedError("A picture is painted, and answers nothing.")
