"""EDSR: residual blocks at the small size, and pixels shuffled into the large one."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Positive, PositiveFloat
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.images_out.pair import image_input, image_pair, in_values, normalised

if TYPE_CHECKING:
    import keras


class EDSR(ModelBuilder):
    """Residual blocks without normalisation, and a last part that enlarges.

    Lim and others, 2017, arXiv:1707.02921; 16 blocks of 64 filters are their baseline, with
    1,517,571 parameters for a scale of 4.

    Args:
        scale: how many times larger the answers are: a power of 2, or 3.
        blocks: how many residual blocks.
        filters: of each convolution.
        residual_scale: what a block's answer is multiplied by before it is added.

    Raises:
        ModelError: for data of another kind or scale.

    Example:
        >>> EDSR(scale=2, blocks=8)
        EDSR(2, blocks=8)
    """

    scale: Positive = 4
    blocks: Positive = 16
    filters: Positive = 64
    residual_scale: PositiveFloat = 1.0
    makes_images: ClassVar[bool] = True
    contract: ClassVar[str] = "images of bytes, 1 or 3 channels, of any size"

    def validate(self) -> None:
        """Refuse scales that the last part does not make."""
        steps_of("EDSR", self.scale)

    def check(self, spec: ElementSpec) -> None:
        image_pair(spec, "EDSR", self.scale)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        layers = keras.layers
        inputs = image_input(image_pair(spec, "EDSR", self.scale))
        first = x = layers.Conv2D(self.filters, 3, padding="same")(normalised(inputs))
        for number in range(1, self.blocks + 1):
            x = self._block(x, f"block_{number}")
        x = layers.Conv2D(self.filters, 3, padding="same")(x)
        x = layers.Add()([x, first])
        x = enlarging(x, self.filters, steps_of("EDSR", self.scale))
        x = layers.Conv2D(spec.label.shape[2], 3, padding="same", dtype="float32")(x)
        return keras.Model(inputs, in_values(x), name="edsr")

    @classmethod
    def example(cls) -> Self:
        return cls(scale=2, blocks=1, filters=8)

    def _block(self, x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        import keras

        layers = keras.layers
        inside = layers.Conv2D(self.filters, 3, padding="same", activation="relu")(x)
        inside = layers.Conv2D(self.filters, 3, padding="same")(inside)
        if self.residual_scale != 1.0:
            inside = layers.Rescaling(self.residual_scale)(inside)
        return layers.Add(name=name)([inside, x])


def steps_of(builder: str, scale: int) -> tuple[int, ...]:
    """Return by what an image is enlarged, step by step; raise ConfigError for other scales."""
    from tfpipe.errors import ConfigError

    if scale in (1, 3):
        return (scale,) * (scale > 1)
    if scale & (scale - 1):
        raise ConfigError(
            f"{builder}.scale={scale} is neither a power of 2 nor 3. Use one, such as "
            f"{1 << (scale.bit_length() - 1)}."
        )
    return (2,) * (scale.bit_length() - 1)


def enlarging(
    x: "keras.KerasTensor", filters: int, steps: tuple[int, ...], prelu: bool = False
) -> "keras.KerasTensor":
    """Return values enlarged step by step, by convolutions whose channels become pixels.

    Args:
        x: the values.
        filters: that they have, and keep.
        steps: by what each of them enlarges.
        prelu: whether a PReLU follows each.
    """
    import keras

    from tfpipe.models.images_out.layers import PixelShuffle

    for step in steps:
        x = keras.layers.Conv2D(filters * step**2, 3, padding="same")(x)
        x = PixelShuffle(step)(x)
        x = keras.layers.PReLU(shared_axes=[1, 2])(x) if prelu else x
    return x
