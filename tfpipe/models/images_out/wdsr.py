"""WDSR: wide residual blocks of few parameters, with normalised weights."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import OpenFraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.images_out.pair import image_input, image_pair, in_values, normalised

if TYPE_CHECKING:
    import keras


class WDSR(ModelBuilder):
    """Blocks that are wide before their ReLU and narrow after it, and one step that enlarges.

    Yu and others, 2018, arXiv:1808.08718, model B: 32 blocks have 615,088 parameters for a scale
    of 4. The weights of each convolution are normalised (`WeightNormConv2D`).

    Args:
        scale: how many times larger the answers are.
        blocks: how many residual blocks.
        filters: between the blocks.
        expansion: how many times as many filters stand before a block's ReLU.
        linear: the share of `filters` that a block is narrowed to before its 3x3 convolution.

    Raises:
        ModelError: for data of another kind or scale.

    Example:
        >>> WDSR(scale=2, blocks=8)
        WDSR(2, blocks=8)
    """

    scale: Positive = 4
    blocks: Positive = 32
    filters: Positive = 32
    expansion: Positive = 6
    linear: OpenFraction = 0.8
    makes_images: ClassVar[bool] = True
    contract: ClassVar[str] = "images of bytes, 1 or 3 channels, of any size"

    def check(self, spec: ElementSpec) -> None:
        image_pair(spec, "WDSR", self.scale)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.models.images_out.layers import PixelShuffle, WeightNormConv2D

        inputs = image_input(image_pair(spec, "WDSR", self.scale))
        read = normalised(inputs)
        pixels = spec.label.shape[2] * self.scale**2
        x = WeightNormConv2D(self.filters, 3, padding="same")(read)
        for number in range(1, self.blocks + 1):
            x = self._block(x, f"block_{number}")
        x = WeightNormConv2D(pixels, 3, padding="same")(x)
        beside = WeightNormConv2D(pixels, 5, padding="same")(read)
        both = [PixelShuffle(self.scale, dtype="float32")(part) for part in (x, beside)]
        x = keras.layers.Add(dtype="float32")(both)
        return keras.Model(inputs, in_values(x), name="wdsr")

    @classmethod
    def example(cls) -> Self:
        return cls(scale=2, blocks=1, filters=8, expansion=2)

    def _block(self, x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        import keras

        from tfpipe.models.images_out.layers import WeightNormConv2D

        wide = WeightNormConv2D(self.filters * self.expansion, 1, activation="relu")(x)
        narrow = WeightNormConv2D(max(1, int(self.filters * self.linear)), 1)(wide)
        inside = WeightNormConv2D(self.filters, 3, padding="same")(narrow)
        return keras.layers.Add(name=name)([inside, x])
