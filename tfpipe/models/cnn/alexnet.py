"""AlexNet: five convolutions and two wide dense layers."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, Positive, PositiveFloat
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.cnn.table import (
    Conv,
    Drop,
    Flatten,
    Hidden,
    Normalization,
    Pool,
    Row,
    Stem,
    Style,
    build_table,
    check_table,
    scaled,
)

if TYPE_CHECKING:
    import keras


class AlexNet(ModelBuilder):
    """Five convolutions with three pools of overlapping windows, then two hidden layers of 4,096.

    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012, without its two groups of filters and its local response normalisation:
    46,764,746 parameters on grey images of 224x224 and ten classes.

    Args:
        width: the factor on the filters of the convolutions.
        stem: the first convolution: "imagenet" is 11x11 with strides of 4 and a pool; "cifar" is
            3x3 without either, for images of about 32 pixels.
        units: the width of each hidden layer.
        dropout: the share of values left out after each hidden layer.
        normalization: what follows each convolution: "batch", "group" (in 32 groups), "layer" or
            nothing.
        activation: after each convolution and hidden layer.
        initializer: how the weights of convolutions and hidden layers start.

    Raises:
        ModelError: when the image is smaller than the table allows, or is no image.

    Example:
        >>> AlexNet(width=0.5, stem="cifar")
        AlexNet(0.5, stem='cifar')
    """

    width: PositiveFloat = 1.0
    stem: Stem = "imagenet"
    units: tuple[Positive, ...] = (4096, 4096)
    dropout: Fraction = 0.5
    normalization: Normalization = None
    activation: str = "relu"
    initializer: str | Deferred = "he_normal"
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1 inside the model; at least 67 pixels a side, "
        "7 with stem='cifar'"
    )

    def check(self, spec: ElementSpec) -> None:
        check_table(self._rows, spec, "AlexNet", "Use stem='cifar'")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        style = Style("AlexNet", self.normalization, self.activation, self.initializer)
        return build_table(self._rows, style, spec, task, "alexnet")

    @classmethod
    def example(cls) -> Self:
        return cls(width=0.1, stem="cifar", units=(16,))

    @property
    def _rows(self) -> tuple[Row, ...]:
        n96, n256, n384 = (scaled(n, self.width) for n in (96, 256, 384))
        stem = (Conv(n96),) if self.stem == "cifar" else (Conv(n96, 11, 4, "valid"), Pool(3))
        hidden = ((Hidden(units), Drop(self.dropout)) for units in self.units)
        return (
            *stem,
            Conv(n256, 5),
            Pool(3),
            Conv(n384),
            Conv(n384),
            Conv(n256),
            Pool(3),
            Flatten(),
            *(row for rows in hidden for row in rows),
        )
