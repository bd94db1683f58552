"""VGG: blocks of 3x3 convolutions, each ending in a pool."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, Positive, PositiveFloat
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.models.cnn.table import (
    Conv,
    Drop,
    Flatten,
    Hidden,
    Normalization,
    Pool,
    Row,
    Style,
    build_table,
    check_table,
    scaled,
)

if TYPE_CHECKING:
    import keras


class VGG(ModelBuilder):
    """Blocks of 3x3 convolutions, each with a 2x2 pool, then two hidden layers of 4,096.

    Simonyan and Zisserman, 2014, arXiv:1409.1556. The default blocks are its VGG-11, table 1, A:
    128,806,154 parameters on grey images of 224x224 and ten classes, 43,093,322 with width=0.25.

    Args:
        blocks: of each block how many convolutions, and their filters.
        width: the factor on the filters.
        units: the width of each hidden layer.
        dropout: the share of values left out after each hidden layer.
        normalization: what follows each convolution: "batch", "group" (in 32 groups), "layer" or
            nothing.
        activation: after each convolution and hidden layer.
        initializer: how the weights of convolutions and hidden layers start.

    Raises:
        ConfigError: when there is no block.
        ModelError: when the image is smaller than the pools allow, or is no image.

    Example:
        >>> VGG(((1, 16), (2, 32)), units=(64,))
        VGG(((1, 16), (2, 32)), units=(64,))
    """

    blocks: tuple[tuple[Positive, Positive], ...] = (
        (1, 64),
        (1, 128),
        (2, 256),
        (2, 512),
        (2, 512),
    )
    width: PositiveFloat = 1.0
    units: tuple[Positive, ...] = (4096, 4096)
    dropout: Fraction = 0.5
    normalization: Normalization = None
    activation: str = "relu"
    initializer: str | Deferred = "he_normal"
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1 inside the model; at least 32 pixels a side "
        "for five blocks"
    )

    def validate(self) -> None:
        """Refuse a network without blocks."""
        if not getattr(self.blocks, "value", self.blocks):
            raise ConfigError(
                "VGG.blocks is empty: give of each block how many convolutions, and their filters, "
                "such as ((1, 64), (1, 128))."
            )

    def check(self, spec: ElementSpec) -> None:
        check_table(self._rows, spec, "VGG", "Use fewer blocks")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        style = Style("VGG", self.normalization, self.activation, self.initializer)
        return build_table(self._rows, style, spec, task, "vgg")

    @classmethod
    def example(cls) -> Self:
        return cls(blocks=((1, 8), (2, 16)), units=(16,))

    @property
    def _rows(self) -> tuple[Row, ...]:
        rows: list[Row] = []
        for count, filters in self.blocks:
            rows += [Conv(scaled(filters, self.width))] * count
            rows.append(Pool(2))
        rows.append(Flatten())
        for units in self.units:
            rows += [Hidden(units), Drop(self.dropout)]
        return tuple(rows)
