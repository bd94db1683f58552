"""DenseNet: blocks in which each convolution reads what all before it gave."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.models.cnn.table import (
    Conv,
    Drop,
    GlobalAverage,
    Normalization,
    Padding,
    Pool,
    Row,
    Stem,
    Style,
    build_table,
    check_table,
)

if TYPE_CHECKING:
    import keras

_BOTTLENECK = 4  # times the growth; Huang and others, 2016, section 3


@dataclass(frozen=True)
class Before(Row):
    """A normalisation and an activation; a convolution may come after them."""

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        return style.activated(style.normalized(x))


@dataclass(frozen=True)
class Dense(Row):
    """Convolutions that each read what the block was given and what all before them gave.

    Args:
        count: how many there are.
        growth: the filters of each.
        bottleneck: whether before each a 1x1 convolution reduces what it reads to 4 x growth.
    """

    count: int
    growth: int
    bottleneck: bool = False

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        for _ in range(self.count):
            y = Before().of(x, style)
            if self.bottleneck:
                y = Conv(_BOTTLENECK * self.growth, 1).of(y, style)
            x = keras.layers.Concatenate()([x, style.convolved(y, self.growth)])
        return x


@dataclass(frozen=True)
class Transition(Row):
    """A 1x1 convolution to half the filters (section 3 of the paper), and a 2x2 average pool."""

    window: int = 2
    strides: int = 2
    padding: Padding = "valid"

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        y = Before().of(x, style)
        y = style.convolved(y, max(1, x.shape[-1] // 2), 1)
        return Pool(self.window, self.strides, self.padding, average=True).of(y, style)


class DenseNet(ModelBuilder):
    """Dense blocks, and between them 1x1 convolutions to half the filters and pools.

    Huang and others, 2016, arXiv:1608.06993. The default has 764,834 parameters on grey images and
    ten classes, of which 758,226 are trained: four blocks of four 3x3 convolutions, as in a
    well-known course. `DenseNet((6, 12, 24, 16), bottleneck=True, bias=False)` is the paper's
    DenseNet-121: 7,978,856 to train with 1,000 classes of coloured images.

    Args:
        blocks: how many convolutions each dense block has.
        growth: the filters that each of them adds. The first convolution has twice as many.
        stem: the first convolution: "imagenet" is 7x7 with strides of 2 and a pool; "cifar" is 3x3
            without either, for images of about 32 pixels.
        bottleneck: whether a 1x1 convolution of 4 x growth filters comes before each.
        bias: whether convolutions have a bias.
        dropout: the share of values left out before the last layer.
        normalization: what comes before each convolution but the first: "batch", "group" (in 32
            groups), "layer" or nothing.
        activation: after each normalisation.
        initializer: how the weights of convolutions start.

    Raises:
        ConfigError: when there is no block.
        ModelError: when the image is smaller than the blocks allow, or is no image.

    Example:
        >>> DenseNet((6, 6, 6), growth=12, stem="cifar")
        DenseNet((6, 6, 6), growth=12, stem='cifar')
    """

    blocks: tuple[Positive, ...] = (4, 4, 4, 4)
    growth: Positive = 32
    stem: Stem = "imagenet"
    bottleneck: bool = False
    bias: bool = True
    dropout: Fraction = 0.0
    normalization: Normalization = "batch"
    activation: str = "relu"
    initializer: str | Deferred = "he_normal"
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1 inside the model; at least 29 pixels a side "
        "for four blocks, 8 with stem='cifar'"
    )

    def validate(self) -> None:
        """Refuse a network without blocks."""
        if not getattr(self.blocks, "value", self.blocks):
            raise ConfigError("DenseNet.blocks is empty: give how many convolutions each has.")

    def check(self, spec: ElementSpec) -> None:
        check_table(self._rows, spec, "DenseNet", "Use stem='cifar', fewer blocks")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        style = Style("DenseNet", self.normalization, self.activation, self.initializer, self.bias)
        return build_table(self._rows, style, spec, task, "densenet")

    @classmethod
    def example(cls) -> Self:
        return cls(blocks=(2, 2), growth=4, stem="cifar")

    @property
    def _rows(self) -> tuple[Row, ...]:
        first = 2 * self.growth
        cifar = self.stem == "cifar"
        rows: list[Row] = [Conv(first)] if cifar else [Conv(first, 7, 2), Pool(3, 2, "same")]
        for place, count in enumerate(self.blocks):
            if place:
                rows.append(Transition())
            rows.append(Dense(count, self.growth, self.bottleneck))
        return *rows, Before(), GlobalAverage(), Drop(self.dropout)
