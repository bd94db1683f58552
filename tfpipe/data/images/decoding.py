"""Images: the one definition of decoding and resizing, for training, prediction and export.

A picture becomes what a model sees in two steps, which are one where nothing else is declared:

    file -> stored: as it is held in memory or in a file, `feature.stored_shape`
    stored -> seen: what the model gets, `feature.shape`; training draws its own part instead

With `resize=None` both stretch. With a `resize` both keep the proportions: the picture is resized
to just cover a size, and what sticks out on two sides is cut off.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

    from tfpipe.declare.spec import Feature

    Pixels: TypeAlias = int | tf.Tensor

Size = tuple[int, int]


def check_sizes(owner: str, size: Size | None, resize: Size | None, kept: Size | None) -> None:
    """Refuse sizes that do not go together; raise ConfigError.

    Args:
        owner: whose fields they are, such as "ImageFolder".
        size: what the model sees.
        resize: what is covered before `size` is cut out.
        kept: what is held in memory.
    """
    if resize is None:
        if kept is not None:
            raise ConfigError(
                f"{owner}.kept={kept} is the size at which pictures are held before they are "
                "resized, and there is no resize. Declare it too, or leave kept out."
            )
        return
    if size is None:
        raise ConfigError(
            f"{owner}.resize={resize} needs size=(height, width), which is cut out of the middle "
            "of the resized picture."
        )
    if any(inner > outer for inner, outer in zip(size, resize, strict=True)):
        raise ConfigError(
            f"{owner}.resize={resize} is smaller than size={size}, which is cut out of it. Give a "
            "resize of at least size."
        )
    if kept is not None and any(k > r for k, r in zip(kept, resize, strict=True)):
        raise ConfigError(
            f"{owner}.kept={kept} is larger than resize={resize}: pictures are held at most as "
            "large as they are resized to. Leave kept out, which holds them at resize."
        )


def decode(encoded: "tf.Tensor", feature: "Feature") -> "tf.Tensor":
    """Return what a model gets of a JPEG, PNG, GIF or BMP file: uint8 of `feature.shape`.

    Args:
        encoded: a scalar string, the file's bytes.
        feature: what images the model takes; of 1, 3 or 4 channels.
    """
    return seen(stored(encoded, feature), feature)


def stored(encoded: "tf.Tensor", feature: "Feature") -> "tf.Tensor":
    """Return the uint8 image of a file, of `feature.stored_shape`, as sources hold it."""
    import tensorflow as tf

    shape = feature.stored_shape
    image = tf.ensure_shape(pixels(encoded, shape[2]), [None, None, shape[2]])
    fit = fitted if feature.resize is None else covered
    return tf.ensure_shape(fit(image, shape[:2]), shape)


def seen(images: "tf.Tensor", feature: "Feature") -> "tf.Tensor":
    """Return what a model gets of stored images where nothing is drawn: the centre, uint8.

    Args:
        images: [..., height, width, channels] of `feature.stored_shape`, uint8; one or a batch.
        feature: what images the model takes.
    """

    if feature.resize is None:
        return images
    whole, (top, left) = centre(feature)
    size = feature.shape[:2]
    if whole == feature.stored_shape[:2]:
        return images[..., top : top + size[0], left : left + size[1], :]
    alone = len(images.shape) == 3
    resized = _resized(images[None] if alone else images, whole, (top, left), size)
    return resized[0] if alone else resized


def centre(feature: "Feature") -> tuple[Size, Size]:
    """Return what stored images are resized to, and (top, left) of what is cut out of that."""
    assert feature.resize is not None
    whole = covering(feature.stored_shape[:2], feature.resize)
    top, left = ((w - s) // 2 for w, s in zip(whole, feature.shape, strict=False))
    return whole, (top, left)


def covering(
    size: "Sequence[Pixels]", outer: "Sequence[Pixels]", larger: "Callable[..., Pixels]" = max
) -> "tuple[Pixels, Pixels]":
    """(height, width) of a picture that keeps its proportions and just covers another size.

    Args:
        size: the picture's (height, width); numbers, or scalar tensors.
        outer: what to cover.
        larger: the larger of two; tf.maximum for tensors.
    """
    (height, width), (least_height, least_width) = size, outer
    # To the nearest pixel; of the two sides, one is exactly what is asked for.
    return (
        larger(least_height, (height * least_width + width // 2) // width),
        larger(least_width, (width * least_height + height // 2) // height),
    )


def fitted(image: "tf.Tensor", size: tuple[int, ...]) -> "tf.Tensor":
    """Return a uint8 image stretched to (height, width); as it is where it has that size."""
    import tensorflow as tf

    return tf.cond(
        tf.reduce_all(tf.equal(tf.shape(image)[:2], size)),
        lambda: image,
        lambda: resize(image, size),
    )


def covered(image: "tf.Tensor", size: tuple[int, ...]) -> "tf.Tensor":
    """Return the centre, (height, width), of a uint8 image that was resized to just cover that."""
    import tensorflow as tf

    own = tf.shape(image)[:2]
    whole = tf.stack(covering(tf.unstack(own), size, tf.maximum))
    corner = (whole - size) // 2
    return tf.cond(
        tf.reduce_all(tf.equal(own, whole)),
        lambda: image[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]],
        lambda: _resized(image[None], whole, corner, size)[0],
    )


def pixels(encoded: "tf.Tensor", channels: int) -> "tf.Tensor":
    """Return the uint8 pixels of an encoded image, of whatever size it has."""
    import tensorflow as tf

    if channels == 4:  # JPEG has no transparency
        return tf.io.decode_image(encoded, channels, expand_animations=False)
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: jpeg_pixels(encoded, channels),
        lambda: tf.io.decode_image(encoded, channels, expand_animations=False),
    )


def jpeg_pixels(encoded: "tf.Tensor", channels: int) -> "tf.Tensor":
    """Return the uint8 pixels of a JPEG image, of whatever size it has.

    TensorFlow decodes JPEG with a fast, rougher transform unless told otherwise; other libraries
    use the exact one, and so do we: an image is the same here as where it came from.
    """
    import tensorflow as tf

    return tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE")


def resize(image: "tf.Tensor", size: tuple[int, ...]) -> "tf.Tensor":
    """Return a uint8 image of another size: bilinear with antialiasing, rounded to whole values.

    Whether shrinking antialiases changes one answer in five, so there is this one definition.
    """
    import tensorflow as tf

    return _rounded(tf.image.resize(image, size, method="bilinear", antialias=True))


def _resized(
    images: "tf.Tensor",
    whole: "Size | tf.Tensor",
    corner: "Size | tf.Tensor",
    size: tuple[int, ...],
) -> "tf.Tensor":
    """Return a part of what `resize` makes of images, without making the rest.

    Args:
        images: [batch, height, width, channels], uint8.
        whole: (height, width) that they are resized to.
        corner: (top, left) of the part in that.
        size: (height, width) of the part.
    """
    import tensorflow as tf

    own = tf.cast(tf.shape(images)[1:3], tf.float32)
    scaled = tf.raw_ops.ScaleAndTranslate(
        images=images,
        size=size,
        scale=tf.cast(whole, tf.float32) / own,
        translation=-tf.cast(corner, tf.float32),
        kernel_type="triangle",
        antialias=True,
    )
    return _rounded(tf.ensure_shape(scaled, [None, *size, images.shape[3]]))


def _rounded(values: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    return tf.cast(tf.round(tf.clip_by_value(values, 0.0, 255.0)), tf.uint8)
