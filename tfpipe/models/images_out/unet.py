"""UNet: an image smaller and smaller and back again, each size beside what it was before."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.images_out.edsr import enlarging, steps_of
from tfpipe.models.images_out.pair import image_input, image_pair

if TYPE_CHECKING:
    import keras


class UNet(ModelBuilder):
    """For an image another one, such as the same without noise, in colour, or repaired.

    Ronneberger and others, 2015, arXiv:1505.04597, with padding, so that an image of any size
    becomes one of the same: sides that do not divide are padded inside, and cut off again. The
    network's answer is added to what it reads where both have as many channels.

    Args:
        depth: how often the image is halved.
        filters: of the first convolutions; each halving doubles them.
        scale: how many times larger the answers are: a power of 2, or 3; they are enlarged last.
        residual: whether the network's answer is added to what it reads, enlarged where it must be.

    Raises:
        ModelError: for data of another kind or scale.

    Example:
        >>> UNet(depth=3, filters=16)
        UNet(3, filters=16)
    """

    depth: Positive = 4
    filters: Positive = 32
    scale: Positive = 1
    residual: bool = True
    makes_images: ClassVar[bool] = True
    contract: ClassVar[str] = "images of bytes, 1 or 3 channels, of any size"

    def validate(self) -> None:
        """Refuse scales that the last part does not make."""
        steps_of("UNet", self.scale)

    def check(self, spec: ElementSpec) -> None:
        image_pair(spec, "UNet", self.scale)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.models.images_out.layers import CutLike, Enlarge, PadToMultiple

        layers = keras.layers
        inputs = image_input(image_pair(spec, "UNet", self.scale))
        x = layers.Rescaling(1 / 127.5, -1.0, name="rescaling", dtype="float32")(inputs)
        x = PadToMultiple(2**self.depth, name="padded")(x)
        beside = []
        for level in range(self.depth):
            x = self._convolutions(x, self.filters * 2**level)
            beside.append(x)
            x = layers.MaxPooling2D()(x)
        x = self._convolutions(x, self.filters * 2**self.depth)
        for level in reversed(range(self.depth)):
            x = layers.Conv2DTranspose(self.filters * 2**level, 2, 2)(x)
            x = layers.Concatenate()([x, beside[level]])
            x = self._convolutions(x, self.filters * 2**level)
        x = CutLike(name="cut")([x, inputs])
        x = enlarging(x, self.filters, steps_of("UNet", self.scale))
        channels = spec.label.shape[2]
        x = layers.Conv2D(channels, 1, dtype="float32", name="last")(x)
        x = layers.Rescaling(127.5, 127.5 * (not self.residual), name="values", dtype="float32")(x)
        if self.residual:
            read = Enlarge(self.scale, dtype="float32")(inputs) if self.scale > 1 else inputs
            if channels != read.shape[-1]:
                read = layers.Concatenate(dtype="float32")([read] * channels)
            x = layers.Add(dtype="float32")([x, read])
        return keras.Model(inputs, x, name="unet")

    @classmethod
    def example(cls) -> Self:
        return cls(depth=2, filters=4)

    def _convolutions(self, x: "keras.KerasTensor", filters: int) -> "keras.KerasTensor":
        import keras

        for _ in range(2):
            x = keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", kernel_initializer="he_normal"
            )(x)
        return x
