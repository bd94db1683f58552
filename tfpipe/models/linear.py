"""Linear: one dense layer on all numbers, which is linear or logistic regression."""

from typing import TYPE_CHECKING, ClassVar

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import NonNegative
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.inputs import Encoding, Normalize, Range, numbers
from tfpipe.models.layers import l2, logits, named

if TYPE_CHECKING:
    import keras


class Linear(ModelBuilder):
    """The task's layer alone, on the flattened input or on a table's columns.

    Linear regression for real numbers, logistic regression for classes. It computes in float32
    whatever the precision.

    Args:
        l2: the strength of the penalty on the weights.
        initializer: how the weights start.
        normalize: whether numbers are standardised with the training split's mean and variance,
            inside the model; "auto" does so for the columns of a table.
        categories: how a table's categories become numbers: "one_hot" with a column for unknown
            words, or "dummy" with no column for the first.
        scale: what bytes of 0 and 255 become.

    Example:
        >>> Linear(normalize=False)
        Linear(normalize=False)
    """

    l2: NonNegative = 0.0
    initializer: str | Deferred = "glorot_uniform"
    normalize: Normalize = "auto"
    categories: Encoding = "one_hot"
    scale: Range = (0.0, 1.0)
    contract: ClassVar[str] = (
        "arrays of any shape, or a table's columns by name; inside the model bytes are scaled from "
        "0..255 to 0..1, a table's numbers standardised and its categories looked up"
    )

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        inputs, x = numbers(
            spec,
            "Linear",
            train,
            normalize=self.normalize,
            categories=self.categories,
            scale=self.scale,
        )
        outputs = logits(
            x,
            spec,
            task,
            kernel_initializer=named("initializers", "Linear.initializer", self.initializer),
            kernel_regularizer=l2(self.l2),
        )
        return keras.Model(inputs, outputs, name="linear")
