"""The two kinds of augmentation: those that move pixels, and those that change their values."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

# What lies outside the image: its nearest pixel, a reflection, the other side, or 0.
Fill = Literal["nearest", "reflect", "wrap", "constant"]


class Geometric(Augmentation):
    """An augmentation that moves pixels by a matrix; neighbours with one fill become one.

    Class attributes:
        fill: what lies outside the image; None where nothing of it is seen.
        draws_its_part: whether it draws which part of the whole picture is seen, so that the
            centre that the source's `resize` declares is not cut out before.
    """

    fill: ClassVar[Any] = None
    draws_its_part: ClassVar[bool] = False

    def check(self, image: Feature) -> None:
        """Refuse images that it does not fit; raise ConfigError."""

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        """Return one 3x3 matrix a sample, from places in the new image to places in the old.

        Args:
            draws: [batch, `draws_needed`] uniform numbers in [0, 1).
            height: the image's height in pixels.
            width: its width.
        """
        raise NotImplementedError


class Pixelwise(Augmentation):
    """An augmentation that changes values or leaves parts out.

    Class attributes:
        takes: the images that it fits: any, bytes of 0 to 255, or such bytes in three colours.
    """

    takes: ClassVar[Literal["any", "bytes", "colours"]] = "any"

    def check(self, image: Feature) -> None:
        """Refuse images that it does not fit; raise ConfigError."""
        name = type(self).__name__
        if self.takes != "any" and image.dtype != "uint8":
            raise ConfigError(
                f"augment.{name} works on values of 0 to 255; {image.name!r} holds {image.dtype}. "
                f"Give uint8 images (the models scale them), or leave augment.{name} out."
            )
        if self.takes == "colours" and image.shape[2] != 3:
            raise ConfigError(
                f"augment.{name} changes colours, which take 3 channels; {image.name!r} has "
                f"{image.shape[2]}. Leave augment.{name} out."
            )

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        """Return the changed images, float32 in 0 to 255.

        Args:
            images: [batch, height, width, channels].
            draws: [batch, `draws_needed`] uniform numbers in [0, 1).
        """
        raise NotImplementedError
