"""ResNet: blocks of convolutions whose input is added to what they give."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, Positive, PositiveFloat
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.models.cnn.table import (
    Conv,
    Drop,
    GlobalAverage,
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

FILTERS = 64  # of the first stage; each later one has twice as many
_EXPANSION = 4  # of a bottleneck; He and others, 2015, table 1

Projection = Literal["plain", "normalized"]


@dataclass(frozen=True)
class Residual(Row):
    """Convolutions whose input is added to what they give.

    Where the sum would not fit, a 1x1 convolution projects the input.

    Args:
        filters: of each convolution; the last of a bottleneck has four times as many.
        strides: those of the first 3x3 convolution.
        bottleneck: whether they are 1x1, 3x3 and 1x1, and not two of 3x3.
        projection: whether a projection is normalised too.
    """

    filters: int
    strides: int = 1
    bottleneck: bool = False
    projection: Projection = "plain"
    window = 3

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        if self.bottleneck:
            y = Conv(self.filters, 1).of(x, style)
            y = Conv(self.filters, 3, self.strides).of(y, style)
            y = style.normalized(style.convolved(y, _EXPANSION * self.filters, 1))
        else:
            y = Conv(self.filters, 3, self.strides).of(x, style)
            y = style.normalized(style.convolved(y, self.filters))
        if x.shape != y.shape:
            x = style.convolved(x, y.shape[-1], 1, self.strides)
            x = style.normalized(x) if self.projection == "normalized" else x
        return style.activated(keras.layers.Add()([x, y]))


class ResNet(ModelBuilder):
    """Stages of residual blocks, the first of 64 filters, each later one of twice as many.

    He and others, 2015, arXiv:1512.03385, table 1. The default is ResNet-18, with 11,186,186
    parameters on grey images and ten classes, of which 11,178,378 are trained. There every
    convolution has a bias, and what projects a block's input is not normalised, as in a well-known
    course. bias=False and projection="normalized" are as in the paper's own code and torchvision's:
    with them and 1,000 classes of coloured images `ResNet((3, 4, 6, 3), bottleneck=True)`,
    ResNet-50, has 25,557,032 parameters to train.

    Args:
        blocks: how many residual blocks each stage has; all but the first stage halve the image.
        width: the factor on the filters.
        stem: the first convolution: "imagenet" is 7x7 with strides of 2 and a pool; "cifar" is 3x3
            without either, for images of about 32 pixels.
        bottleneck: whether a block is a 1x1, a 3x3 and a 1x1 convolution of four times as many
            filters, and not two of 3x3.
        projection: whether what projects the input of a stage's first block is "normalized", or
            "plain".
        bias: whether convolutions have a bias.
        dropout: the share of values left out before the last layer.
        normalization: what follows each convolution: "batch", "group" (in 32 groups), "layer" or
            nothing.
        activation: after each convolution but the last of a block, and after each sum.
        initializer: how the weights of convolutions start.

    Raises:
        ConfigError: when there is no stage.
        ModelError: when the image is smaller than the stages allow, or is no image.

    Example:
        >>> ResNet((3, 4, 6, 3), stem="cifar")
        ResNet((3, 4, 6, 3), stem='cifar')
    """

    blocks: tuple[Positive, ...] = (2, 2, 2, 2)
    width: PositiveFloat = 1.0
    stem: Stem = "imagenet"
    bottleneck: bool = False
    projection: Projection = "plain"
    bias: bool = True
    dropout: Fraction = 0.0
    normalization: Normalization = "batch"
    activation: str = "relu"
    initializer: str | Deferred = "he_normal"
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1 inside the model; at least 17 pixels a side "
        "for four stages, 5 with stem='cifar'"
    )

    def validate(self) -> None:
        """Refuse a network without stages."""
        if not getattr(self.blocks, "value", self.blocks):
            raise ConfigError("ResNet.blocks is empty: give how many blocks each stage has.")

    def check(self, spec: ElementSpec) -> None:
        check_table(self._rows, spec, "ResNet", "Use stem='cifar', fewer stages")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        style = Style("ResNet", self.normalization, self.activation, self.initializer, self.bias)
        return build_table(self._rows, style, spec, task, "resnet")

    @classmethod
    def example(cls) -> Self:
        return cls(blocks=(1, 1), width=0.25, stem="cifar")

    @property
    def _rows(self) -> tuple[Row, ...]:
        first = scaled(FILTERS, self.width)
        cifar = self.stem == "cifar"
        rows: list[Row] = [Conv(first)] if cifar else [Conv(first, 7, 2), Pool(3, 2, "same")]
        for stage, count in enumerate(self.blocks):
            filters = scaled(FILTERS * 2**stage, self.width)
            for block in range(count):
                strides = 2 if stage > 0 and block == 0 else 1
                rows.append(Residual(filters, strides, self.bottleneck, self.projection))
        return *rows, GlobalAverage(), Drop(self.dropout)
