"""MLP: dense layers one after the other."""

from typing import TYPE_CHECKING, ClassVar

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.fieldtypes import Fraction, NonNegative, Positive
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.layers import l2, logits, named, raw_input

if TYPE_CHECKING:
    import keras


class MLP(ModelBuilder):
    """Dense layers on the flattened input, and a last layer for the task.

    Args:
        units: the width of each hidden layer; () for a linear model.
        activation: after each hidden layer.
        dropout: the share of values left out after each hidden layer.
        batch_norm: whether to normalise after each hidden layer.
        l2: the strength of the penalty on the hidden layers' weights.
        initializer: how the hidden layers' weights start.

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
    contract: ClassVar[str] = "any shape; bytes are scaled from 0..255 to 0..1 inside the model"

    def build(self, spec: ElementSpec, task: str = "auto") -> "keras.Model":
        import keras

        inputs, x = raw_input(spec.feature)
        if len(spec.feature.shape) != 1:
            x = keras.layers.Flatten()(x)
        for width in self.units:
            x = keras.layers.Dense(
                width,
                activation=named("activations", "MLP.activation", self.activation),
                kernel_initializer=named("initializers", "MLP.initializer", self.initializer),
                kernel_regularizer=l2(self.l2),
            )(x)
            if self.batch_norm:
                x = keras.layers.BatchNormalization()(x)
            if self.dropout:
                x = keras.layers.Dropout(self.dropout)(x)
        return keras.Model(inputs, logits(x, spec, task), name="mlp")
