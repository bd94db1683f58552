"""LeNet: the small classic, two convolutions and three dense layers."""

from typing import TYPE_CHECKING, ClassVar

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ModelError
from tfpipe.models.cnn.convnet import Block, ConvNet, network
from tfpipe.models.inputs import Range, image_feature

if TYPE_CHECKING:
    import keras


class LeNet(ModelBuilder):
    """Two 'valid' 5x5 convolutions, a 2x2 max pool after each, two hidden layers, the task's.

    62,006 parameters on 32x32 images of three channels and ten classes, as in AMD's guide to
    TensorFlow on ROCm, which scales bytes to -1..1. The network goes back to LeCun and others,
    "Gradient-based learning applied to document recognition", 1998.

    Args:
        filters: of the first and the second convolution.
        units: the width of each hidden layer.
        activation: after each convolution and hidden layer.
        dropout: the share of values left out after each hidden layer.
        initializer: how the weights of convolutions and hidden layers start.
        scale: what bytes of 0 and 255 become.

    Raises:
        ModelError: when the image is smaller than 16x16, or is no image.

    Example:
        >>> LeNet(dropout=0.2)
        LeNet(dropout=0.2)
    """

    filters: tuple[Positive, Positive] = (6, 16)
    units: tuple[Positive, ...] = (120, 84)
    activation: str = "relu"
    dropout: Fraction = 0.0
    initializer: str | Deferred = "glorot_uniform"
    scale: Range = (-1.0, 1.0)
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to -1..1 inside the model; at least 16 pixels a side"
    )

    def check(self, spec: ElementSpec) -> None:
        height, width, _ = image_feature(spec, "LeNet", beside=True).shape
        if min(height, width) < 16:
            raise ModelError(
                f"LeNet needs images of at least 16x16 pixels, got {height}x{width}. Use ConvNet "
                "with padding='same', or larger images."
            )

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        return network(self._net, spec, task, "LeNet", "lenet", train)

    @property
    def _net(self) -> ConvNet:
        return ConvNet(
            blocks=tuple(Block(convs=(n,), kernel=5, padding="valid") for n in self.filters),
            units=self.units,
            activation=self.activation,
            dropout=self.dropout,
            initializer=self.initializer,
            scale=self.scale,
        )
