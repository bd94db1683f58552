"""Augmentations that move pixels: each a matrix for every sample, so that several are one."""

from math import log, pi
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import annotated_types

from tfpipe.data.augment.base import Fill, Geometric
from tfpipe.data.augment.matrices import about_centre, matrix, stretch
from tfpipe.declare.field_types import Fraction, OpenFraction, PositiveFloat
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

Degrees = Annotated[float, annotated_types.Ge(0), annotated_types.Le(180)]
Share = Annotated[float, annotated_types.Gt(0), annotated_types.Le(1)]

_ATTEMPTS = 10


class flip(Geometric):  # noqa: N801 (augmentations read as verbs in a declaration)
    """Mirror half of the images.

    Args:
        horizontal: left to right.
        vertical: upside down.
        alternate: whether each image is mirrored in every second pass over the data, beginning with
            a pass that is drawn, instead of being drawn anew each time: two passes show both sides
            of every image (Jordan, 2024, arXiv:2404.00498).
    """

    horizontal: bool = True
    vertical: bool = False
    alternate: bool = False
    draws_needed: ClassVar[int] = 2

    @property
    def alternates(self) -> bool:
        return self.alternate

    def validate(self) -> None:
        """Refuse a flip that does nothing."""
        if not (self.horizontal or self.vertical):
            raise ConfigError("augment.flip needs horizontal=True or vertical=True.")

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        import tensorflow as tf

        signs = tf.where(draws < 0.5, -1.0, 1.0)
        ones = tf.ones_like(signs[:, 0])
        x = signs[:, 0] if self.horizontal else ones
        y = signs[:, 1] if self.vertical else ones
        return about_centre(matrix(x, 0.0, 0.0, y), height, width)


class rotate(Geometric):  # noqa: N801
    """Turn by an angle drawn evenly from -degrees to degrees.

    Args:
        degrees: the largest angle, 0 to 180.
        fill: what lies outside the image: its nearest pixel, a reflection, the other side, or 0.
    """

    degrees: Degrees
    fill: Fill = "nearest"  # type: ignore[misc]
    draws_needed: ClassVar[int] = 1

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        import tensorflow as tf

        angle = (draws[:, 0] * 2.0 - 1.0) * (self.degrees * pi / 180.0)
        cosine, sine = tf.cos(angle), tf.sin(angle)
        return about_centre(matrix(cosine, -sine, sine, cosine), height, width)


class shift(Geometric):  # noqa: N801
    """Move by a part of the size, drawn evenly and for each axis by itself.

    Args:
        fraction: the largest part of the height and of the width, 0 to 1.
        fill: what lies outside the image.
    """

    fraction: Fraction
    fill: Fill = "nearest"  # type: ignore[misc]
    draws_needed: ClassVar[int] = 2

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        moves = (draws * 2.0 - 1.0) * self.fraction
        return matrix(1.0, 0.0, 0.0, 1.0, moves[:, 0] * width, moves[:, 1] * height)


class zoom(Geometric):  # noqa: N801
    """Scale both axes alike.

    Args:
        fraction: the largest change, above 0 and below 1.
        fill: what lies outside the image.
        direction: "both" scales by a factor drawn evenly from 1 - fraction to 1 + fraction; "in"
            shows the middle of the image alone, a part of its height and width drawn evenly from
            1 - fraction to 1; "out" shows the image smaller, its sides drawn evenly from
            1 - fraction to 1 of what they were.
    """

    fraction: OpenFraction
    fill: Fill = "nearest"  # type: ignore[misc]
    direction: Literal["both", "in", "out"] = "both"
    draws_needed: ClassVar[int] = 1

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        if self.direction == "in":
            factor = 1.0 - draws[:, 0] * self.fraction
        elif self.direction == "out":
            # Not 1 / x, which in some graphs becomes a reciprocal, of fewer right digits.
            factor = 2.0 / (2.0 * (1.0 - draws[:, 0] * self.fraction))
        else:
            factor = 2.0 / (2.0 * (1.0 + (draws[:, 0] * 2.0 - 1.0) * self.fraction))
        return about_centre(matrix(factor, 0.0, 0.0, factor), height, width)


class quarter_turn(Geometric):  # noqa: N801
    """Turn by 0, 90, 180 or 270 degrees, each for a quarter of the images, which are square."""

    draws_needed: ClassVar[int] = 1

    def check(self, image: Feature) -> None:
        height, width, _ = image.shape
        if height != width:
            raise ConfigError(
                f"augment.quarter_turn needs square images; {image.name!r} has {height}x{width}. "
                "Declare a square data.size, or use augment.rotate(180)."
            )

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        import tensorflow as tf

        turns = tf.cast(draws[:, 0] * 4.0, tf.int32)
        cosine = tf.gather([1.0, 0.0, -1.0, 0.0], turns)
        sine = tf.gather([0.0, 1.0, 0.0, -1.0], turns)
        return about_centre(matrix(cosine, -sine, sine, cosine), height, width)


class random_resized_crop(Geometric):  # noqa: N801
    """Show a part of the picture, of a size and shape that are drawn, stretched to the whole image.

    The draw is torchvision's of that name, after Szegedy et al. (2014, arXiv:1409.4842): an area
    drawn evenly, a ratio of width to height drawn evenly by its logarithm, both sides rounded to
    pixels. A part that the picture cannot hold is drawn again, up to ten times in all; after that
    it is the largest part of the nearest ratio, in the middle. Where the part lies is drawn evenly.

    With a `resize` in the source the picture is the whole one, as it is held in memory. Its pixels
    are interpolated without antialiasing: hold pictures little larger than what the model sees.

    Args:
        scale: the smallest and the largest part, as a share of the picture's area.
        ratio: the smallest and the largest width divided by height.

    Raises:
        ConfigError: for an empty range.

    Example:
        data = ImageFolder("flowers", size=(224, 224), resize=(256, 256))
        augment = (augment.random_resized_crop(), augment.flip())
    """

    scale: tuple[Share, Share] = (0.08, 1.0)
    ratio: tuple[PositiveFloat, PositiveFloat] = (3 / 4, 4 / 3)
    draws_needed: ClassVar[int] = 2 * _ATTEMPTS + 2
    draws_its_part: ClassVar[bool] = True

    def validate(self) -> None:
        """Refuse empty ranges."""
        for name, (low, high) in (("scale", self.scale), ("ratio", self.ratio)):
            if low > high:
                raise ConfigError(
                    f"augment.random_resized_crop: {name}=({low}, {high}) should be the smallest "
                    f"and then the largest: {name}=({high}, {low})."
                )

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        import tensorflow as tf

        heights, widths = self._attempts(draws, height, width)
        fits = (heights >= 1.0) & (heights <= height) & (widths >= 1.0) & (widths <= width)
        first = tf.argmax(tf.cast(fits, tf.int32), axis=1)
        part_height = tf.gather(heights, first, batch_dims=1)
        part_width = tf.gather(widths, first, batch_dims=1)
        drawn = first < _ATTEMPTS  # what comes last is no attempt, and lies in the middle
        room = height - part_height, width - part_width
        top = tf.where(drawn, draws[:, -2] * (room[0] + 1.0), room[0] / 2.0)
        left = tf.where(drawn, draws[:, -1] * (room[1] + 1.0), room[1] / 2.0)
        corner = tf.floor(top), tf.floor(left)
        return stretch((part_height, part_width), (height, width), corner)

    def _attempts(self, draws: "tf.Tensor", height: float, width: float) -> Any:
        """[batch, attempts + 1] heights and widths in whole pixels, the last of which fits."""
        import tensorflow as tf

        (low, high), (narrow, wide) = self.scale, self.ratio
        # Without the maximum, which changes nothing, some graphs would join the constants.
        areas = tf.maximum(low + draws[:, :_ATTEMPTS] * (high - low), low) * (height * width)
        logarithms = log(narrow) + draws[:, _ATTEMPTS:-2] * log(wide / narrow)
        nearest = min(max(width / height, narrow), wide)
        last = tf.ones_like(areas[:, :1])
        heights = tf.sqrt(areas * tf.exp(-logarithms))
        heights = tf.concat([heights, last * min(height, width / nearest)], axis=1)
        widths = tf.sqrt(areas * tf.exp(logarithms))
        widths = tf.concat([widths, last * min(width, height * nearest)], axis=1)
        return tf.round(heights), tf.round(widths)
