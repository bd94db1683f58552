"""SRCNN: three convolutions that sharpen an image which was enlarged bicubically."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.models.images_out.pair import image_input, image_pair

if TYPE_CHECKING:
    import keras


class SRCNN(ModelBuilder):
    """An image enlarged bicubically, and convolutions that add what is missing.

    Dong and others, 2014, arXiv:1501.00092: 9-1-5 with 64 and 32 filters, 20,099 parameters for
    three channels. The convolutions have no padding: in training they answer for the inside of a
    square, of which they see all; else the outermost pixels are repeated before. As in the paper's
    figures the network adds nothing to what it reads; `residual=True` lets it learn the difference
    alone, which takes a fraction of the steps.

    Args:
        scale: how many times larger the answers are.
        filters: of the convolutions but the last.
        kernels: pixels a side of each convolution, the last one's too.
        residual: whether the network's answer is added to the enlarged image.
        activation: after each convolution but the last.

    Raises:
        ConfigError: for kernels that do not go with the filters.
        ModelError: for data of another kind or scale.

    Example:
        >>> SRCNN(scale=3)
        SRCNN(3)
    """

    scale: Positive = 3
    filters: tuple[Positive, ...] = (64, 32)
    kernels: tuple[Positive, ...] = (9, 1, 5)
    residual: bool = False
    activation: str = "relu"
    makes_images: ClassVar[bool] = True
    contract: ClassVar[str] = "images of bytes, 1 or 3 channels, of any size"

    def validate(self) -> None:
        """Refuse kernels that do not go with the filters."""
        if len(self.kernels) != len(self.filters) + 1:
            raise ConfigError(
                f"SRCNN has {len(self.filters) + 1} convolutions, one for each of "
                f"filters={self.filters} and a last one; kernels={self.kernels} are "
                f"{len(self.kernels)}."
            )
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ConfigError(f"SRCNN.kernels={self.kernels} should be odd, to have a middle.")

    def check(self, spec: ElementSpec) -> None:
        image_pair(spec, "SRCNN", self.scale)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.models.images_out.layers import Enlarge, PadEdges
        from tfpipe.models.layers import named

        start = {"kernel_initializer": "he_normal"}
        feature = image_pair(spec, "SRCNN", self.scale)
        activation = named("activations", "SRCNN.activation", self.activation)
        inputs = image_input(feature)
        x = Enlarge(self.scale, dtype="float32")(inputs) if self.scale > 1 else inputs
        edge = sum(kernel // 2 for kernel in self.kernels)
        x = PadEdges(edge, name="edges", dtype="float32")(x)
        enlarged = x
        x = keras.layers.Rescaling(1 / 255, name="rescaling")(x)
        *kernels, last = self.kernels
        for filters, kernel in zip(self.filters, kernels, strict=True):
            x = keras.layers.Conv2D(filters, kernel, activation=activation, **start)(x)
        x = keras.layers.Conv2D(spec.label.shape[2], last, dtype="float32", **start)(x)
        x = keras.layers.Rescaling(255.0, name="values", dtype="float32")(x)
        if self.residual:
            inside = keras.layers.Cropping2D(edge, dtype="float32", name="inside")(enlarged)
            x = keras.layers.Add(dtype="float32")([x, inside])
        return keras.Model(inputs, x, name="srcnn")

    @classmethod
    def example(cls) -> Self:
        return cls(scale=2, filters=(8, 4), kernels=(5, 1, 3))
