"""CNN_2_4_6: two, four or six 3x3 convolutions in blocks of two, each block ending in a pool."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, NonNegative, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.cnn.convnet import Block, ConvNet, network
from tfpipe.models.inputs import image_feature

if TYPE_CHECKING:
    import keras

FILTERS = (32, 64, 128)


class CNN_2_4_6(ModelBuilder):
    """Blocks of two 'same' 3x3 convolutions and a 2x2 pool; then a hidden layer and the task's.

    On CIFAR-10 the published variants have 1,060,138 (2 convolutions), 591,274 (4), 550,570 (6) and
    552,362 parameters (6 with batch normalisation).

    Args:
        convs: how many convolutions: one block of 32 filters, then 64, then 128.
        dropout: the share of values left out after each pool; one number, or one a block.
        batch_norm: whether to normalise after each convolution.
        l2: the strength of the penalty on the convolutions' weights.
        initializer: how the weights of convolutions and the hidden layer start.
        units: the width of the hidden layer.

    Raises:
        ConfigError: when `dropout` has a number too many or too few.
        ModelError: when the image is smaller than the pools allow, or is no image.

    Example:
        >>> CNN_2_4_6(convs=6, dropout=(0.2, 0.3, 0.3), batch_norm=True, l2=1e-4)
        CNN_2_4_6(dropout=(0.2, 0.3, 0.3), batch_norm=True, l2=0.0001)
    """

    convs: Literal[2, 4, 6] = 6
    dropout: Fraction | tuple[Fraction, ...] = 0.0
    batch_norm: bool = False
    l2: NonNegative = 0.0
    initializer: str | Deferred = "glorot_uniform"
    units: Positive = 128
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1 inside the model; at least 2, 4 or 8 pixels "
        "a side for 2, 4 or 6 convolutions"
    )

    def validate(self) -> None:
        """Refuse dropout rates that do not match the blocks."""
        blocks = getattr(self.convs, "value", self.convs) // 2
        if isinstance(self.dropout, tuple) and len(self.dropout) != blocks:
            raise ConfigError(
                f"CNN_2_4_6.dropout has {len(self.dropout)} rates; {self.convs} convolutions are "
                f"{blocks} blocks: give one number, or {blocks}."
            )

    def check(self, spec: ElementSpec) -> None:
        height, width, _ = image_feature(spec, "CNN_2_4_6", beside=True).shape
        blocks = self.convs // 2
        if min(height, width) < 2**blocks:
            raise ModelError(
                f"CNN_2_4_6(convs={self.convs}) halves the image {blocks} times and needs at least "
                f"{2**blocks}x{2**blocks} pixels, got {height}x{width}. Use fewer convolutions."
            )

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        return network(self._net, spec, task, "CNN_2_4_6", f"cnn_{self.convs}", train)

    @classmethod
    def example(cls) -> Self:
        return cls(convs=4, units=8)

    @property
    def _net(self) -> ConvNet:
        blocks = self.convs // 2
        rates = self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * blocks
        return ConvNet(
            blocks=tuple(
                Block((n, n), dropout=rate, batch_norm=self.batch_norm, l2=self.l2)
                for n, rate in zip(FILTERS[:blocks], rates, strict=True)
            ),
            units=(self.units,),
            initializer=self.initializer,
        )
