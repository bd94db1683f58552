"""Augmentations: random changes of training images, drawn per sample from the declared seed.

    augment = (augment.flip(), augment.rotate(15), augment.shift(0.1))

They are applied in the order of the declaration, to whole batches, on the training split only.
Neighbouring geometric ones are composed into one transformation, so an image is resampled once.
Pixels are 0 to 255. The numbers for a sample depend on the seed and its place in training alone, so
the same declaration makes the same images on one worker or several, straight or resumed.
"""

from math import pi
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import annotated_types

from tfpipe.declare.fieldtypes import Count, Fraction, NonNegative, OpenFraction, Positive
from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = [
    "brightness",
    "contrast",
    "crop",
    "cutout",
    "flip",
    "rotate",
    "shift",
    "zoom",
]

Fill = Literal["nearest", "reflect", "wrap", "constant"]
Degrees = Annotated[float, annotated_types.Ge(0), annotated_types.Le(180)]


class Geometric(Augmentation):
    """An augmentation that moves pixels by a matrix; neighbours with one fill become one."""

    fill: ClassVar[Any] = None

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        """One 3x3 matrix a sample, from places in the new image to places in the old.

        Args:
            draws: [batch, `draws_needed`] uniform numbers in [0, 1).
            height: the image's height in pixels.
            width: its width.
        """
        raise NotImplementedError


class Pixelwise(Augmentation):
    """An augmentation that changes values or leaves parts out."""

    def check(self, image: Feature) -> None:
        """Refuse images that it does not fit; raises ConfigError."""

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        """The changed images, float32 in 0 to 255.

        Args:
            images: [batch, height, width, channels].
            draws: [batch, `draws_needed`] uniform numbers in [0, 1).
        """
        raise NotImplementedError


class flip(Geometric):  # noqa: N801 (augmentations read as verbs in a declaration)
    """Mirror half of the images.

    Args:
        horizontal: left to right.
        vertical: upside down.
    """

    horizontal: bool = True
    vertical: bool = False
    draws_needed: ClassVar[int] = 2

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
        return _about_centre(_matrix(x, 0.0, 0.0, y), height, width)


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
        return _about_centre(_matrix(cosine, -sine, sine, cosine), height, width)


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
        return _matrix(1.0, 0.0, 0.0, 1.0, moves[:, 0] * width, moves[:, 1] * height)


class zoom(Geometric):  # noqa: N801
    """Scale both axes alike by a factor drawn evenly from 1 - fraction to 1 + fraction.

    Args:
        fraction: the largest change, above 0 and below 1.
        fill: what lies outside the image.
    """

    fraction: OpenFraction
    fill: Fill = "nearest"  # type: ignore[misc]
    draws_needed: ClassVar[int] = 1

    def matrices(self, draws: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
        factor = 1.0 / (1.0 + (draws[:, 0] * 2.0 - 1.0) * self.fraction)
        return _about_centre(_matrix(factor, 0.0, 0.0, factor), height, width)


class brightness(Pixelwise):  # noqa: N801
    """Add one number to all pixels of an image.

    Args:
        delta: the largest change as a part of the full range, above 0 and below 1.
    """

    delta: OpenFraction
    draws_needed: ClassVar[int] = 1

    def check(self, image: Feature) -> None:
        _check_bytes("brightness", image)

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        change = (draws[:, :1, None, None] * 2.0 - 1.0) * (self.delta * 255.0)
        return tf.clip_by_value(images + change, 0.0, 255.0)


class contrast(Pixelwise):  # noqa: N801
    """Stretch or shrink an image's values about its mean, channel by channel.

    Args:
        low: the smallest factor.
        high: the largest factor.
    """

    low: NonNegative
    high: NonNegative
    draws_needed: ClassVar[int] = 1

    def validate(self) -> None:
        """Refuse an empty range."""
        if self.low >= self.high:
            raise ConfigError(f"augment.contrast: low={self.low} must be below high={self.high}.")

    def check(self, image: Feature) -> None:
        _check_bytes("contrast", image)

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        factor = self.low + draws[:, :1, None, None] * (self.high - self.low)
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        return tf.clip_by_value((images - mean) * factor + mean, 0.0, 255.0)


class crop(Pixelwise):  # noqa: N801
    """Pad on all sides and cut a window of the first size out of it, anywhere.

    Args:
        padding: pixels added on each side.
        fill: what is added: a reflection or 0.
    """

    padding: Positive
    fill: Literal["reflect", "constant"] = "reflect"
    draws_needed: ClassVar[int] = 2

    def check(self, image: Feature) -> None:
        height, width, _ = image.shape
        if self.fill == "reflect" and self.padding >= min(height, width):
            raise ConfigError(
                f"augment.crop: padding={self.padding} reflects more than an image of "
                f"{height}x{width} has; use less, or fill='constant'."
            )

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        height, width = images.shape[1], images.shape[2]
        edges = [[0, 0], [self.padding] * 2, [self.padding] * 2, [0, 0]]
        padded = tf.pad(images, edges, mode=self.fill.upper())
        offsets = tf.cast(draws * (2 * self.padding + 1), tf.int32)
        rows = offsets[:, :1] + tf.range(height)
        columns = offsets[:, 1:2] + tf.range(width)
        picked = tf.gather(padded, rows, axis=1, batch_dims=1)
        return tf.gather(picked, columns, axis=2, batch_dims=1)


class cutout(Pixelwise):  # noqa: N801
    """Cover one square of each image (DeVries and Taylor, 2017, arXiv:1708.04552).

    Args:
        size: the side of the square in pixels; it may reach over the edge.
        value: what covers it, 0 to 255.
    """

    size: Positive
    value: Annotated[Count, annotated_types.Le(255)] = 0
    draws_needed: ClassVar[int] = 2

    def check(self, image: Feature) -> None:
        height, width, _ = image.shape
        if self.size > min(height, width):
            raise ConfigError(
                f"augment.cutout: size={self.size} is larger than an image of {height}x{width}."
            )

    def apply(self, images: "tf.Tensor", draws: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        def covered(centre: Any, length: int) -> Any:
            start = tf.floor(centre * float(length)) - float(self.size // 2)
            place = tf.range(length, dtype=tf.float32)[None, :] - start[:, None]
            return (place >= 0.0) & (place < float(self.size))

        rows = covered(draws[:, 0], images.shape[1])
        columns = covered(draws[:, 1], images.shape[2])
        square = (rows[:, :, None] & columns[:, None, :])[..., None]
        return tf.where(square, float(self.value), images)


def _check_bytes(name: str, image: Feature) -> None:
    if image.dtype != "uint8":
        raise ConfigError(
            f"augment.{name} works on values of 0 to 255; {image.name!r} holds {image.dtype}. Give "
            f"uint8 images (the models scale them), or leave augment.{name} out."
        )


def apply_all(
    augmentations: tuple[Augmentation, ...],
    images: "tf.Tensor",
    start: "tf.Tensor",
    seed: "tf.Tensor",
) -> "tf.Tensor":
    """A batch of images with every augmentation applied.

    Args:
        augmentations: in order of application.
        images: [batch, height, width, channels], values 0 to 255.
        start: how many samples came before this batch since training began.
        seed: two int64, of which the first is the pipeline's seed.
    """
    import tensorflow as tf

    images = tf.cast(images, tf.float32)
    needed = sum(a.draws_needed for a in augmentations)
    draws = _uniform(start, tf.shape(images)[0], needed, seed)
    used = 0
    waiting: list[Any] = []
    fill: str | None = None
    for augmentation in augmentations:
        own = draws[:, used : used + augmentation.draws_needed]
        used += augmentation.draws_needed
        if not isinstance(augmentation, Geometric):
            assert isinstance(augmentation, Pixelwise)
            images = augmentation.apply(_resample(images, waiting, fill), own)
            waiting, fill = [], None
            continue
        if fill is not None and augmentation.fill not in (None, fill):
            images, waiting = _resample(images, waiting, fill), []
        fill = augmentation.fill or fill
        matrix = augmentation.matrices(own, float(images.shape[1]), float(images.shape[2]))
        waiting.append(matrix)
    return _resample(images, waiting, fill)


def _uniform(start: "tf.Tensor", rows: Any, columns: int, seed: "tf.Tensor") -> "tf.Tensor":
    """[rows, columns] uniform numbers, of which row i depends on the seed and start + i alone.

    The counter-based generator Philox gives four numbers a count, so a row of a multiple of four
    starts at a count of its own and a batch can begin anywhere.
    """
    import tensorflow as tf

    width = -(-columns // 4) * 4
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    skipped = tf.cast(start * (width // 4), tf.uint64)
    counter = tf.stack([counter[0] + skipped, counter[1]])
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=[rows, width], key=key, counter=counter, alg=1, dtype=tf.float32
    )


def _matrix(a: Any, b: Any, c: Any, d: Any, x: Any = 0.0, y: Any = 0.0) -> "tf.Tensor":
    """3x3 matrices [[a, b, x], [c, d, y], [0, 0, 1]], one for each sample."""
    import tensorflow as tf

    batch = next(tf.shape(v)[0] for v in (a, x, d) if not isinstance(v, float))
    rows = [tf.broadcast_to(tf.cast(v, tf.float32), [batch]) for v in (a, b, x, c, d, y)]
    zeros = tf.zeros([batch])
    return tf.reshape(tf.stack([*rows, zeros, zeros, zeros + 1.0], axis=1), [-1, 3, 3])


def _about_centre(matrix: "tf.Tensor", height: float, width: float) -> "tf.Tensor":
    """The same transformation about the image's centre instead of its corner."""
    import tensorflow as tf

    x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    there = tf.constant([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    back = tf.constant([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])
    return tf.einsum("ij,bjk,kl->bil", there, matrix, back)


def _resample(images: "tf.Tensor", matrices: list[Any], fill: str | None) -> "tf.Tensor":
    """The images moved by all matrices at once; the first is the first that was applied."""
    import tensorflow as tf

    if not matrices:
        return images
    combined = matrices[0]
    for matrix in matrices[1:]:
        combined = tf.matmul(combined, matrix)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.reshape(combined, [-1, 9])[:, :8],
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=(fill or "nearest").upper(),
    )
    return tf.ensure_shape(moved, images.shape)
