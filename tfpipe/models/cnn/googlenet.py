"""GoogLeNet: inceptions, in which convolutions of several sizes stand side by side."""

from dataclasses import dataclass
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

Pair = tuple[int, int]


@dataclass(frozen=True)
class Inception(Row):
    """Four paths side by side, whose filters are concatenated.

    Args:
        one: the filters of a 1x1 convolution.
        three: those of a 1x1, and of the 3x3 after it.
        five: those of a 1x1, and of the 5x5 after it.
        pool: those of the 1x1 convolution after a 3x3 pool.
        width: the factor on all of them.
    """

    one: int
    three: Pair
    five: Pair
    pool: int
    width: float = 1.0

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        paths: tuple[tuple[Row, ...], ...] = (
            (self._conv(self.one, 1),),
            (self._conv(self.three[0], 1), self._conv(self.three[1], 3)),
            (self._conv(self.five[0], 1), self._conv(self.five[1], 5)),
            (Pool(3, 1, "same"), self._conv(self.pool, 1)),
        )
        ends = []
        for path in paths:
            end = x
            for row in path:
                end = row.of(end, style)
            ends.append(end)
        return keras.layers.Concatenate()(ends)

    def _conv(self, filters: int, window: int) -> Conv:
        return Conv(scaled(filters, self.width), window)


# Szegedy and others, 2014, table 1: the stages 3, 4 and 5, between which the image is halved.
STAGES: tuple[tuple[tuple[int, Pair, Pair, int], ...], ...] = (
    (
        (64, (96, 128), (16, 32), 32),
        (128, (128, 192), (32, 96), 64),
    ),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    (
        (256, (160, 320), (32, 128), 128),
        (384, (192, 384), (48, 128), 128),
    ),
)


class GoogLeNet(ModelBuilder):
    """Nine inceptions in three stages, then a global average.

    Szegedy and others, 2014, arXiv:1409.4842, table 1, without its two auxiliary classifiers and
    its local response normalisation: 5,977,530 parameters on grey images and ten classes.

    Args:
        width: the factor on all filters.
        stem: the first convolution: "imagenet" is 7x7 with strides of 2 and a pool; "cifar" is 3x3
            without either, for images of about 32 pixels.
        dropout: the share of values left out before the last layer; the paper has 0.4.
        normalization: what follows each convolution: "batch", "group" (in 32 groups), "layer" or
            nothing.
        activation: after each convolution.
        initializer: how the weights of convolutions start.

    Raises:
        ModelError: when the image is smaller than the table allows, or is no image.

    Example:
        >>> GoogLeNet(stem="cifar", normalization="batch")
        GoogLeNet(stem='cifar', normalization='batch')
    """

    width: PositiveFloat = 1.0
    stem: Stem = "imagenet"
    dropout: Fraction = 0.0
    normalization: Normalization = None
    activation: str = "relu"
    initializer: str | Deferred = "he_normal"
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1 inside the model; at least 17 pixels a side, "
        "5 with stem='cifar'"
    )

    def check(self, spec: ElementSpec) -> None:
        check_table(self._rows, spec, "GoogLeNet", "Use stem='cifar'")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        style = Style("GoogLeNet", self.normalization, self.activation, self.initializer)
        return build_table(self._rows, style, spec, task, "googlenet")

    @classmethod
    def example(cls) -> Self:
        return cls(width=0.1, stem="cifar")

    @property
    def _rows(self) -> tuple[Row, ...]:
        n64, n192 = (scaled(n, self.width) for n in (64, 192))
        halved = Pool(3, 2, "same")
        rows: list[Row] = [Conv(n64)] if self.stem == "cifar" else [Conv(n64, 7, 2), halved]
        rows += [Conv(n64, 1), Conv(n192)]
        for stage in STAGES:
            rows += [halved, *(Inception(*filters, width=self.width) for filters in stage)]
        return *rows, GlobalAverage(), Drop(self.dropout)
