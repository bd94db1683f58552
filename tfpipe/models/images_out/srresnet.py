"""SRResNet: the generator of SRGAN, residual blocks with batch normalisation and PReLU."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.images_out.edsr import enlarging, steps_of
from tfpipe.models.images_out.pair import image_input, image_pair

if TYPE_CHECKING:
    import keras

_MOMENTUM = 0.8


class SRResNet(ModelBuilder):
    """Residual blocks, each of two convolutions with batch normalisation, and a tanh at the end.

    Ledig and others, 2017, arXiv:1609.04802: 16 blocks have 1,554,883 parameters for a scale of 4.

    Args:
        scale: how many times larger the answers are: a power of 2, or 3.
        blocks: how many residual blocks.
        filters: of each convolution.

    Raises:
        ModelError: for data of another kind or scale.

    Example:
        >>> SRResNet(blocks=4)
        SRResNet(blocks=4)
    """

    scale: Positive = 4
    blocks: Positive = 16
    filters: Positive = 64
    makes_images: ClassVar[bool] = True
    contract: ClassVar[str] = "images of bytes, 1 or 3 channels, of any size"

    def validate(self) -> None:
        """Refuse scales that the last part does not make."""
        steps_of("SRResNet", self.scale)

    def check(self, spec: ElementSpec) -> None:
        image_pair(spec, "SRResNet", self.scale)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        layers = keras.layers
        inputs = image_input(image_pair(spec, "SRResNet", self.scale))
        x = layers.Rescaling(1 / 255, name="rescaling", dtype="float32")(inputs)
        x = layers.Conv2D(self.filters, 9, padding="same")(x)
        first = x = layers.PReLU(shared_axes=[1, 2])(x)
        for number in range(1, self.blocks + 1):
            inside = self._conv(x)
            inside = self._conv(layers.PReLU(shared_axes=[1, 2])(inside))
            x = layers.Add(name=f"block_{number}")([inside, x])
        x = layers.Add()([self._conv(x), first])
        x = enlarging(x, self.filters, steps_of("SRResNet", self.scale), prelu=True)
        channels = spec.label.shape[2]
        x = layers.Conv2D(channels, 9, padding="same", activation="tanh", dtype="float32")(x)
        x = layers.Rescaling(127.5, 127.5, name="values", dtype="float32")(x)
        return keras.Model(inputs, x, name="srresnet")

    @classmethod
    def example(cls) -> Self:
        return cls(scale=2, blocks=1, filters=8)

    def _conv(self, x: "keras.KerasTensor") -> "keras.KerasTensor":
        import keras

        x = keras.layers.Conv2D(self.filters, 3, padding="same")(x)
        return keras.layers.BatchNormalization(momentum=_MOMENTUM)(x)
