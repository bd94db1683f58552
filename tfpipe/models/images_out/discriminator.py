"""Discriminator: tells images that are true from those that a network has made."""

from typing import TYPE_CHECKING, ClassVar

from tfpipe.declare.field_types import Positive
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import keras

_MOMENTUM, _SLOPE = 0.8, 0.2


class Discriminator(Part):
    """Pairs of 3x3 convolutions, the second of each with a stride of 2, and one logit.

    That of SRGAN (Ledig and others, 2017, arXiv:1609.04802) has 23,569,217 parameters for images of
    96 pixels a side.

    Args:
        filters: of the pairs.
        dense: units before the logit.

    Raises:
        ConfigError: when there is no pair.

    Example:
        >>> Discriminator(filters=(32, 64), dense=128)
        Discriminator((32, 64), dense=128)
    """

    namespace: ClassVar[str] = "models"
    described: ClassVar[str] = "a discriminator such as Discriminator()"
    filters: tuple[Positive, ...] = (64, 128, 256, 512)
    dense: Positive = 1024

    def validate(self) -> None:
        """Refuse a network without convolutions."""
        if not self.filters:
            raise ConfigError("Discriminator.filters is empty: give a number for each pair.")

    def build(self, side: int, channels: int) -> "keras.Model":
        """Return the model: of images of values from 0 to 255 the logits that they are true.

        Args:
            side: pixels of their sides.
            channels: that they have.
        """
        import keras

        layers = keras.layers
        inputs = keras.Input((side, side, channels), name="image")
        x = layers.Rescaling(1 / 127.5, -1.0, dtype="float32")(inputs)
        for pair, filters in enumerate(self.filters):
            for strides in (1, 2):
                x = layers.Conv2D(filters, 3, strides, padding="same")(x)
                if pair or strides == 2:  # not after the first of all
                    x = layers.BatchNormalization(momentum=_MOMENTUM)(x)
                x = layers.LeakyReLU(negative_slope=_SLOPE)(x)
        x = layers.Dense(self.dense)(layers.Flatten()(x))
        x = layers.LeakyReLU(negative_slope=_SLOPE)(x)
        return keras.Model(inputs, layers.Dense(1, dtype="float32")(x), name="discriminator")
