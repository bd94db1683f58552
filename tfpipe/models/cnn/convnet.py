"""ConvNet: a network of convolutions, declared block by block as papers list them."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Count, Fraction, NonNegative, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.part import Part
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.inputs import Range, beside_image, image_feature, raw_input
from tfpipe.models.layers import dense, l2, logits, named

if TYPE_CHECKING:
    import keras


class Block(Part):
    """Convolutions one after the other, then a pool, then dropout.

    Args:
        convs: the filters of each convolution.
        kernel: the side of the convolutions' windows, in pixels.
        padding: "same" keeps the size; "valid" takes kernel - 1 pixels from each side's length.
        pool: the side of the max pool's windows, by which the image is divided; 0 for no pool.
        dropout: the share of values left out at the end of the block.
        batch_norm: whether to normalise after each convolution.
        l2: the strength of the penalty on the convolutions' weights.

    Example:
        >>> Block(convs=(32, 32), padding="valid", dropout=0.25)
        Block((32, 32), padding='valid', dropout=0.25)
    """

    namespace: ClassVar[str] = "models"
    described: ClassVar[str] = "a block such as Block(convs=(32, 32))"
    convs: tuple[Positive, ...]
    kernel: Positive = 3
    padding: Literal["same", "valid"] = "same"
    pool: Count = 2
    dropout: Fraction = 0.0
    batch_norm: bool = False
    l2: NonNegative = 0.0

    def validate(self) -> None:
        """Refuse a block without a convolution."""
        if not getattr(self.convs, "value", self.convs):
            raise ConfigError("Block.convs is empty: give the filters of each convolution.")

    @property
    def lost(self) -> int:
        """How many pixels of each side its convolutions take."""
        return len(self.convs) * (self.kernel - 1) if self.padding == "valid" else 0

    def leaves(self, pixels: int) -> int:
        """The pixels a side that are left after it."""
        return (pixels - self.lost) // max(self.pool, 1)

    def needs(self, after: int) -> int:
        """The pixels a side that it needs so that some are left after it."""
        return after * max(self.pool, 1) + self.lost


class ConvNet(ModelBuilder):
    """Blocks of convolutions, then hidden dense layers, and a last layer for the task.

    Inputs beside the image, numbers or categories by name, join it before the hidden layers.

    Args:
        blocks: the blocks of convolutions in order.
        pooling: what becomes of the last block's output: "flatten" keeps every value, "average" and
            "max" keep one a filter.
        units: the width of each hidden dense layer.
        activation: after each convolution and hidden layer.
        dropout: the share of values left out after each hidden layer.
        batch_norm: whether to normalise after each hidden layer.
        l2: the strength of the penalty on the hidden layers' weights.
        initializer: how the weights of convolutions and hidden layers start.
        scale: what bytes of 0 and 255 become.

    Raises:
        ConfigError: when there is no block.
        ModelError: when the image is smaller than the blocks allow, or is no image.

    Example:
        model = ConvNet(
            blocks=(
                Block(convs=(32, 32), padding="valid", dropout=0.25),
                Block(convs=(64, 64), dropout=0.25),
            ),
            units=(128,),
            dropout=0.5,
        )
    """

    blocks: tuple[Block, ...]
    pooling: Literal["flatten", "average", "max"] = "flatten"
    units: tuple[Positive, ...] = (128,)
    activation: str = "relu"
    dropout: Fraction = 0.0
    batch_norm: bool = False
    l2: NonNegative = 0.0
    initializer: str | Deferred = "glorot_uniform"
    scale: Range = (0.0, 1.0)
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1, or to the declared scale, inside the model; "
        "large enough for the blocks"
    )

    def validate(self) -> None:
        """Refuse a network without blocks."""
        if not getattr(self.blocks, "value", self.blocks):
            raise ConfigError("ConvNet.blocks is empty: give a Block, or use MLP.")

    def check(self, spec: ElementSpec) -> None:
        height, width, _ = image_feature(spec, "ConvNet", beside=True).shape
        least = 1
        for block in reversed(self.blocks):
            least = block.needs(least)
        rows, columns = height, width
        for number, block in enumerate(self.blocks):
            needed = block.needs(1)
            if min(rows, columns) < needed:
                raise ModelError(
                    f"ConvNet needs images of at least {least}x{least} pixels, got "
                    f"{height}x{width}: blocks.{number}, {block}, is left with {rows}x{columns} "
                    f"and needs {needed}x{needed}. Use fewer blocks, padding='same' or larger "
                    "images."
                )
            rows, columns = block.leaves(rows), block.leaves(columns)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        self.check(spec)
        return network(self, spec, task, "ConvNet", "conv_net", train)

    @classmethod
    def example(cls) -> Self:
        return cls(blocks=(Block(convs=(8, 8)), Block(convs=(16,), padding="valid")), units=(16,))


def network(
    net: ConvNet,
    spec: ElementSpec,
    task: TaskName,
    builder: str,
    name: str,
    train: Training | None = None,
) -> "keras.Model":
    """The model that a list of blocks declares.

    Args:
        net: the blocks and what comes after them.
        spec: the element spec of the data.
        task: what is predicted.
        builder: who asks, for messages.
        name: the model's name.
        train: gives the training split's features, for inputs beside the image to learn from.
    """
    import keras

    image = image_feature(spec, builder, beside=True)
    inputs, x = raw_input(image, net.scale)
    for block in net.blocks:
        x = _block(x, block, net, builder)
    pooled = {
        "flatten": keras.layers.Flatten,
        "average": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }
    x = pooled[net.pooling]()(x)
    others, row = beside_image(spec, image, builder, train)
    if others:
        inputs = {image.name: inputs} | others
        x = keras.layers.Concatenate(dtype="float32")([x, row])
    x = dense(x, net, builder)
    return keras.Model(inputs, logits(x, spec, task), name=name)


def _block(x: Any, block: Block, net: ConvNet, builder: str) -> Any:
    import keras

    for filters in block.convs:
        x = keras.layers.Conv2D(
            filters,
            block.kernel,
            padding=block.padding,
            activation=named("activations", f"{builder}.activation", net.activation),
            kernel_initializer=named("initializers", f"{builder}.initializer", net.initializer),
            kernel_regularizer=l2(block.l2),
        )(x)
        if block.batch_norm:
            x = keras.layers.BatchNormalization()(x)
    if block.pool:
        x = keras.layers.MaxPooling2D(block.pool)(x)
    return keras.layers.Dropout(block.dropout)(x) if block.dropout else x
