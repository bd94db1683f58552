"""MLP: dense layers one after the other, on arrays or on the columns of a table."""

from typing import TYPE_CHECKING, ClassVar

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, NonNegative, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.models.inputs import Encoding, Normalize, Range, numbers
from tfpipe.models.layers import dense, logits, named
from tfpipe.tasks import task_for
from tfpipe.tasks.several import Several

if TYPE_CHECKING:
    import keras


class MLP(ModelBuilder):
    """Dense layers on the flattened input or on a table's columns, and a last layer for the task.

    Of several inputs by name, images, vectors and columns, all numbers become one row.

    Args:
        units: the width of each hidden layer; () for a linear model.
        activation: after each hidden layer.
        dropout: the share of values left out after each hidden layer.
        batch_norm: whether to normalise after each hidden layer.
        l2: the strength of the penalty on the hidden layers' weights.
        initializer: how the hidden layers' weights start.
        normalize: whether numbers are standardised with the training split's mean and variance,
            inside the model; "auto" does so for the columns of a table.
        categories: how a table's categories become numbers: "one_hot" with a column for unknown
            words, or "dummy" with no column for the first.
        scale: what bytes of 0 and 255 become.
        output: the last layer's activation, for real numbers alone: "tanh" for answers of -1 to 1.

    Raises:
        ConfigError: for an `output` where the task is no regression.

    Example:
        >>> MLP(units=(256, 128))
        MLP(units=(256, 128))
    """

    units: tuple[Positive, ...] = (128,)
    activation: str = "relu"
    dropout: Fraction = 0.0
    batch_norm: bool = False
    l2: NonNegative = 0.0
    initializer: str | Deferred = "glorot_uniform"
    normalize: Normalize = "auto"
    categories: Encoding = "one_hot"
    scale: Range = (0.0, 1.0)
    output: str = "linear"
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
            "MLP",
            train,
            normalize=self.normalize,
            categories=self.categories,
            scale=self.scale,
        )
        x = dense(x, self, "MLP")
        output = named("activations", "MLP.output", self.output)
        of = task_for(spec, task)
        tasks = of.parts.values() if isinstance(of, Several) else (of,)
        if self.output != "linear" and any(task.reads_logits for task in tasks):
            raise ConfigError(
                f"MLP.output={self.output!r}: models give logits where the task is {of.name}, "
                "and prediction and export make probabilities of them. Leave it out."
            )
        return keras.Model(inputs, logits(x, spec, task, activation=output), name="mlp")
