"""Images: the one definition of decoding and resizing, for training, prediction and export."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def decode(encoded: "tf.Tensor", shape: tuple[int, ...]) -> "tf.Tensor":
    """A uint8 image of a fixed shape from JPEG, PNG, GIF or BMP bytes of any size.

    Args:
        encoded: a scalar string.
        shape: (height, width, channels) of the result; 1, 3 or 4 channels.
    """
    import tensorflow as tf

    return tf.ensure_shape(fitted(pixels(encoded, shape[2]), shape[:2]), shape)


def fitted(image: "tf.Tensor", size: tuple[int, ...]) -> "tf.Tensor":
    """A uint8 image resized to (height, width); as it is where it has that size."""
    import tensorflow as tf

    return tf.cond(
        tf.reduce_all(tf.equal(tf.shape(image)[:2], size)),
        lambda: image,
        lambda: resize(image, size),
    )


def pixels(encoded: "tf.Tensor", channels: int) -> "tf.Tensor":
    """The uint8 pixels of an encoded image, of whatever size it has."""
    import tensorflow as tf

    if channels == 4:  # JPEG has no transparency
        return tf.io.decode_image(encoded, channels, expand_animations=False)
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: jpeg_pixels(encoded, channels),
        lambda: tf.io.decode_image(encoded, channels, expand_animations=False),
    )


def jpeg_pixels(encoded: "tf.Tensor", channels: int) -> "tf.Tensor":
    """The uint8 pixels of a JPEG image, of whatever size it has.

    TensorFlow decodes JPEG with a fast, rougher transform unless told otherwise; other libraries
    use the exact one, and so do we: an image is the same here as where it came from.
    """
    import tensorflow as tf

    return tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE")


def resize(image: "tf.Tensor", size: tuple[int, ...]) -> "tf.Tensor":
    """A uint8 image of another size: bilinear with antialiasing, rounded to whole values.

    Whether shrinking antialiases changes one answer in five, so there is this one definition.
    """
    import tensorflow as tf

    resized = tf.image.resize(image, size, method="bilinear", antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0.0, 255.0)), tf.uint8)
