"""Darknet-53 and the three outputs of YOLOv3 on it: a table of convolutions, in Darknet's order.

    table = convolutions(classes=80)
    body = network((416, 416, 3), table)   # without the three output convolutions

Redmon and Farhadi, 2018, arXiv:1804.02767.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import keras

# (width, height) in pixels of the anchors of each output, the coarsest grid first.
ANCHORS = (
    ((116, 90), (156, 198), (373, 326)),
    ((30, 61), (62, 45), (59, 119)),
    ((10, 13), (16, 30), (33, 23)),
)
BESIDE = 5  # numbers of an anchor beside its classes: x, y, width, height, objectness
HALVED = 5  # how often the image is halved before the coarsest grid
_BLOCKS = (1, 2, 8, 8, 4)  # residual blocks after each convolution that halves
_SLOPE = 0.1  # of LeakyReLU
_EPSILON = 1e-3  # of batch normalisation


class Convolution(NamedTuple):
    """A convolution of the network.

    Args:
        name: by its number among all, from conv_0 on.
        inputs: how many channels it reads.
        filters: how many it gives.
        size: height and width of its kernel.
        stride: 2 where it halves the map.
        normalised: whether batch normalisation and LeakyReLU follow; else it has a bias.
    """

    name: str
    inputs: int
    filters: int
    size: int
    stride: int = 1
    normalised: bool = True

    @property
    def kernel(self) -> int:
        """How many numbers its kernel has."""
        return self.inputs * self.filters * self.size**2

    @property
    def numbers(self) -> int:
        """How many numbers it has, those of its normalisation among them."""
        return self.kernel + self.filters * (4 if self.normalised else 1)


def convolutions(classes: int, width: float = 1.0) -> tuple[Convolution, ...]:
    """Return the 75 convolutions of YOLOv3 in the order of Darknet's file.

    Args:
        classes: of the objects.
        width: the factor on the filters of all but the three outputs.
    """

    def wide(filters: int) -> int:
        return max(1, round(filters * width))

    rows = [(3, wide(32), 3, 1)]
    for stage, blocks in enumerate(_BLOCKS):
        half, full = wide(32 << stage), wide(64 << stage)
        rows.append((half, full, 3, 2))
        rows += [(full, half, 1, 1), (half, full, 3, 1)] * blocks
    outputs = []
    for scale, anchors in enumerate(ANCHORS):
        half, full = wide(512 >> scale), wide(1024 >> scale)
        if scale:  # what is enlarged and joined with a stage of the backbone
            rows.append((full, half, 1, 1))
        rows.append((half + full if scale else full, half, 1, 1))
        rows += [(half, full, 3, 1), (full, half, 1, 1)] * 2 + [(half, full, 3, 1)]
        outputs.append(len(rows))
        rows.append((full, len(anchors) * (BESIDE + classes), 1, 1))
    return tuple(
        Convolution(f"conv_{number}", *row, normalised=number not in outputs)
        for number, row in enumerate(rows)
    )


def network(shape: tuple[int, ...], table: tuple[Convolution, ...]) -> "keras.Model":
    """Return the network up to the three output convolutions: from an image to three maps.

    Args:
        shape: of the image; height and width are multiples of 32.
        table: what `convolutions` gives.
    """
    import keras

    rows = iter([row for row in table if row.normalised])
    inputs = keras.Input(shape)
    x, stages, maps = convolved(inputs, rows), [], []
    for blocks in _BLOCKS:
        x = convolved(x, rows)
        for _ in range(blocks):
            x = keras.layers.Add()([x, convolved(x, rows, 2)])
        stages.append(x)
    for scale in range(len(ANCHORS)):
        if scale:
            x = keras.layers.UpSampling2D(interpolation="nearest")(convolved(x, rows))
            x = keras.layers.Concatenate()([x, stages[-1 - scale]])
        x = convolved(x, rows, 5)
        maps.append(convolved(x, rows))
    return keras.Model(inputs, maps, name="darknet")


def convolved(x: Any, rows: Iterator[Convolution], times: int = 1) -> Any:
    """Return a map after the next convolutions, each with its normalisation and LeakyReLU.

    Args:
        x: the map.
        rows: the convolutions that are left.
        times: how many of them.
    """
    import keras

    for _ in range(times):
        row = next(rows)
        if row.stride == 2:  # Darknet pads the upper and left side, "same" would the others
            x = keras.layers.ZeroPadding2D(((1, 0), (1, 0)))(x)
        x = keras.layers.Conv2D(
            row.filters,
            row.size,
            row.stride,
            "same" if row.stride == 1 else "valid",
            use_bias=False,
            name=row.name,
        )(x)
        x = keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{row.name}_norm")(x)
        x = keras.layers.LeakyReLU(negative_slope=_SLOPE)(x)
    return x
