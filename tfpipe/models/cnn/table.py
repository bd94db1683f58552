"""Networks as tables: rows of layers as papers print them, checked and built in one way.

    rows = (Conv(96, 11, 4, "valid"), Pool(3), Conv(256, 5), Pool(3), Flatten(), Hidden(4096))

What a row of one network alone is, such as an inception, stands in the file of that network.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.kinds import TaskName
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.inputs import image_feature, raw_input
from tfpipe.models.layers import logits, named

if TYPE_CHECKING:
    import keras

Padding = Literal["same", "valid"]
Normalization = Literal["batch", "group", "layer"] | None
# How a network begins: with the large strides for photographs, or without for small images.
Stem = Literal["imagenet", "cifar"]

_GROUPS = 32  # Wu and He, 2018, arXiv:1803.08494, section 4.1


@dataclass(frozen=True)
class Style:
    """What all convolutions of a network have in common.

    Args:
        builder: whose they are, for messages.
        normalization: what follows them: "batch"; "group", 32 groups of filters or as many as
            divide them, of each sample alone; "layer", all values of a sample; None for nothing.
        activation: what follows that.
        initializer: how weights start.
        bias: whether they have one.
    """

    builder: str
    normalization: Normalization = None
    activation: str = "relu"
    initializer: str | Deferred = "he_normal"
    bias: bool = True

    def convolved(
        self,
        x: "keras.KerasTensor",
        filters: int,
        window: int = 3,
        strides: int = 1,
        padding: Padding = "same",
    ) -> "keras.KerasTensor":
        """Add a convolution and nothing after it."""
        import keras

        return keras.layers.Conv2D(
            filters,
            window,
            strides,
            padding,
            use_bias=self.bias,
            kernel_initializer=self.start,
        )(x)

    def normalized(self, x: "keras.KerasTensor") -> "keras.KerasTensor":
        """Add the normalisation."""
        import keras

        if self.normalization is None:
            return x
        if self.normalization == "batch":
            return keras.layers.BatchNormalization()(x)
        groups = math.gcd(_GROUPS, x.shape[-1]) if self.normalization == "group" else 1
        return keras.layers.GroupNormalization(groups)(x)

    def activated(self, x: "keras.KerasTensor") -> "keras.KerasTensor":
        """Add the activation."""
        import keras

        known = named("activations", f"{self.builder}.activation", self.activation)
        return keras.layers.Activation(known)(x)

    @property
    def start(self) -> "str | keras.Initializer":
        """How weights start, as Keras takes it."""
        value: str | keras.Initializer = named(
            "initializers", f"{self.builder}.initializer", self.initializer
        )
        return value


class Row:
    """A row of a network's table.

    Attributes:
        window: the side of the window by which it reads an image, in pixels.
        strides: how far the window moves: the image is divided by it.
        padding: "same" reads beyond the edges; "valid" does not.
    """

    window: int = 1
    strides: int = 1
    padding: Padding = "same"

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        """Add the row's layers."""
        raise NotImplementedError

    def __str__(self) -> str:
        name = type(self).__name__.lower()
        return f"the {name} of {self.window}x{self.window} with strides of {self.strides}"

    def leaves(self, pixels: int) -> int:
        """Return the pixels a side that are left after it."""
        if self.padding == "same":
            return -(-pixels // self.strides)
        return (pixels - self.window) // self.strides + 1

    def needs(self, after: int) -> int:
        """Return the pixels a side that it needs so that some are left after it.

        What only halves an image needs two of them, though padding would make one of one.
        """
        before = (after - 1) * self.strides
        if self.padding == "same":
            return max(before + 1, min(self.strides, 2))
        return before + self.window


@dataclass(frozen=True)
class Conv(Row):
    """A convolution, normalised and activated."""

    filters: int
    window: int = 3
    strides: int = 1
    padding: Padding = "same"

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        x = style.convolved(x, self.filters, self.window, self.strides, self.padding)
        return style.activated(style.normalized(x))


@dataclass(frozen=True)
class Pool(Row):
    """A pool: the largest of each window, or the average."""

    window: int = 3
    strides: int = 2
    padding: Padding = "valid"
    average: bool = False

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        kind = keras.layers.AveragePooling2D if self.average else keras.layers.MaxPooling2D
        return kind(self.window, self.strides, self.padding)(x)


@dataclass(frozen=True)
class GlobalAverage(Row):
    """One value a filter, its average."""

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        return keras.layers.GlobalAveragePooling2D()(x)


@dataclass(frozen=True)
class Flatten(Row):
    """All values in one row."""

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        return keras.layers.Flatten()(x)


@dataclass(frozen=True)
class Hidden(Row):
    """A dense layer, activated."""

    units: int

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        return style.activated(keras.layers.Dense(self.units, kernel_initializer=style.start)(x))


@dataclass(frozen=True)
class Drop(Row):
    """A share of values left out in training."""

    rate: float

    def of(self, x: "keras.KerasTensor", style: Style) -> "keras.KerasTensor":
        import keras

        return keras.layers.Dropout(self.rate)(x) if self.rate else x


def scaled(filters: int, width: float) -> int:
    """Return a number of filters times a width, at least 1; raise ConfigError for no number."""
    if not math.isfinite(width):
        raise ConfigError(f"width={width} should be a factor on the filters, such as 0.5.")
    return max(1, round(filters * width))


def check_table(rows: Sequence[Row], spec: ElementSpec, builder: str, advice: str) -> None:
    """Refuse images too small for a table, without TensorFlow.

    Args:
        rows: the table.
        spec: the element spec of the data.
        builder: whose table it is, for messages.
        advice: what to do about it beside using larger images.

    Raises:
        ModelError: where the images are too small, or are none.
    """
    height, width, _ = image_feature(spec, builder).shape
    least = 1
    for row in reversed(rows):
        least = row.needs(least)
    vertical, horizontal = height, width
    for row in rows:
        needed = row.needs(1)
        if min(vertical, horizontal) < needed:
            raise ModelError(
                f"{builder} needs images of at least {least}x{least} pixels, got "
                f"{height}x{width}: {row} is left with {vertical}x{horizontal} and needs "
                f"{needed}x{needed}. {advice}, or larger images."
            )
        vertical, horizontal = row.leaves(vertical), row.leaves(horizontal)


def build_table(
    rows: Sequence[Row], style: Style, spec: ElementSpec, task: TaskName, name: str
) -> "keras.Model":
    """Return the model of a table, and the task's last layer.

    Args:
        rows: the table.
        style: what its convolutions have in common.
        spec: the element spec of the data.
        task: what is predicted.
        name: the model's.
    """
    import keras

    inputs, x = raw_input(image_feature(spec, style.builder))
    for row in rows:
        x = row.of(x, style)
    return keras.Model(inputs, logits(x, spec, task), name=name)
