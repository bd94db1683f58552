"""NiN: convolutions followed by 1x1 convolutions, and no dense layer."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, PositiveFloat
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
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
    scaled,
)
from tfpipe.tasks import task_for
from tfpipe.tasks.several import Several

if TYPE_CHECKING:
    import keras

# Of the last block, where there are fewer outputs: with one or two all may be dead from the start.
_LEAST = 10


class NiN(ModelBuilder):
    """Network in network: four blocks of a convolution and two of 1x1, then a global average.

    Lin, Chen and Yan, 2013, arXiv:1312.4400. 1,992,166 parameters on grey images and ten classes.
    The last block has as many filters as there are outputs, and at least ten. The last of its 1x1
    convolutions, which gives the logits, has no activation, so that they have either sign, and
    comes after the average, where it is a dense layer: the same but for rounding.

    Args:
        width: the factor on the filters of the first three blocks.
        stem: the first convolution: "imagenet" is 11x11 with strides of 4 and a pool; "cifar" is
            3x3 without either, for images of about 32 pixels.
        dropout: the share of values left out before the last block.
        normalization: what follows each convolution: "batch", "group" (in 32 groups), "layer" or
            nothing.
        activation: after each convolution.
        initializer: how the weights of convolutions start.

    Raises:
        ModelError: when the image is smaller than the table allows, or is no image.

    Example:
        >>> NiN(stem="cifar", normalization="batch")
        NiN(stem='cifar', normalization='batch')
    """

    width: PositiveFloat = 1.0
    stem: Stem = "imagenet"
    dropout: Fraction = 0.5
    normalization: Normalization = None
    activation: str = "relu"
    initializer: str | Deferred = "he_normal"
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1 inside the model; at least 67 pixels a side, "
        "7 with stem='cifar'"
    )

    def check(self, spec: ElementSpec) -> None:
        check_table(self._rows(1), spec, "NiN", "Use stem='cifar'")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        of = task_for(spec, task)
        units = sum(p.units for p in of.parts.values()) if isinstance(of, Several) else of.units
        style = Style("NiN", self.normalization, self.activation, self.initializer)
        return build_table(self._rows(units), style, spec, task, "nin")

    @classmethod
    def example(cls) -> Self:
        return cls(width=0.1, stem="cifar")

    def _rows(self, outputs: int) -> tuple[Row, ...]:
        """The table for a number of outputs."""
        n96, n256, n384 = (scaled(n, self.width) for n in (96, 256, 384))
        stem = _block(n96, 3) if self.stem == "cifar" else (*_block(n96, 11, 4, "valid"), Pool(3))
        return (
            *stem,
            *_block(n256, 5),
            Pool(3),
            *_block(n384, 3),
            Pool(3),
            Drop(self.dropout),
            *_block(max(outputs, _LEAST), 3)[:2],  # the third is the last layer
            GlobalAverage(),
        )


def _block(
    filters: int, window: int, strides: int = 1, padding: Padding = "same"
) -> tuple[Conv, Conv, Conv]:
    return Conv(filters, window, strides, padding), Conv(filters, 1), Conv(filters, 1)
