"""Images: the one definition of decoding and resizing, for training, prediction and export.

A picture becomes what a model sees in two steps, which are one where nothing else is declared:

    file -> stored: as it is held in memory or in a file, `feature.stored_shape`
    stored -> seen: what the model gets, `feature.shape`; training draws its own part instead

With `resize=None` both stretch. With a `resize` both keep the proportions: the picture is resized
to just cover a size, and what sticks out on two sides is cut off.
"""

import tensorflow as tf

from tfpipe.data.images.sizes import Size, centre, covering
from tfpipe.declare.spec import Feature


def decode(encoded: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Return what a model gets of a JPEG, PNG, GIF or BMP file: uint8 of `feature.shape`.

    Args:
        encoded: a scalar string, the file's bytes.
        feature: what images the model takes; of 1, 3 or 4 channels.
    """
    return seen(stored(encoded, feature), feature)


def stored(encoded: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Return the uint8 image of a file, of `feature.stored_shape`, as sources hold it."""
    shape = feature.stored_shape
    image = tf.ensure_shape(pixels(encoded, shape[2]), [None, None, shape[2]])
    fit = fitted if feature.resize is None else covered
    return tf.ensure_shape(fit(image, shape[:2]), shape)


def seen(images: tf.Tensor, feature: Feature) -> tf.Tensor:
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


def fitted(image: tf.Tensor, size: tuple[int, ...]) -> tf.Tensor:
    """Return a uint8 image stretched to (height, width); as it is where it has that size."""
    return tf.cond(
        tf.reduce_all(tf.equal(tf.shape(image)[:2], size)),
        lambda: image,
        lambda: resize(image, size),
    )


def covered(image: tf.Tensor, size: tuple[int, ...]) -> tf.Tensor:
    """Return the centre, (height, width), of a uint8 image that was resized to just cover that."""
    own = tf.shape(image)[:2]
    whole = tf.stack(covering(tf.unstack(own), size, tf.maximum))
    corner = (whole - size) // 2
    return tf.cond(
        tf.reduce_all(tf.equal(own, whole)),
        lambda: image[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]],
        lambda: _resized(image[None], whole, corner, size)[0],
    )


def pixels(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Return the uint8 pixels of an encoded image, of whatever size it has."""
    if channels == 4:  # JPEG has no transparency
        return tf.io.decode_image(encoded, channels, expand_animations=False)
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: jpeg_pixels(encoded, channels),
        lambda: tf.io.decode_image(encoded, channels, expand_animations=False),
    )


def jpeg_pixels(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Return the uint8 pixels of a JPEG image, of whatever size it has.

    TensorFlow decodes JPEG with a fast, rougher transform unless told otherwise; other libraries
    use the exact one, and so do we: an image is the same here as where it came from.
    """
    return tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE")


def resize(image: tf.Tensor, size: tuple[int, ...]) -> tf.Tensor:
    """Return a uint8 image of another size: bilinear with antialiasing, rounded to whole values.

    Whether shrinking antialiases changes one answer in five, so there is this one definition.
    """
    return _rounded(tf.image.resize(image, size, method="bilinear", antialias=True))


def _resized(
    images: tf.Tensor,
    whole: Size | tf.Tensor,
    corner: Size | tf.Tensor,
    size: tuple[int, ...],
) -> tf.Tensor:
    """Return a part of what `resize` makes of images, without making the rest.

    Args:
        images: [batch, height, width, channels], uint8.
        whole: (height, width) that they are resized to.
        corner: (top, left) of the part in that.
        size: (height, width) of the part.
    """
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


def _rounded(values: tf.Tensor) -> tf.Tensor:

    return tf.cast(tf.round(tf.clip_by_value(values, 0.0, 255.0)), tf.uint8)
