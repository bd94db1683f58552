"""Images: the one definition of decoding and resizing, for training, prediction and export.

A picture becomes what a model sees in two steps, which are one where nothing else is declared:

    file -> upright pixels, turned as the camera noted in the file (EXIF)
    pixels -> stored: as it is held in memory or in a file, `feature.stored_shape`
    stored -> seen: what the model gets, `feature.shape`; training draws its own part instead

With `resize=None` both stretch. With a `resize` both keep the proportions: the picture is resized
to just cover a size, and what sticks out on two sides is cut off. With `letterbox` it is resized to
just fit in, and what is left on two sides is grey.
"""

import tensorflow as tf

from tfpipe.data.images.sizes import Size, centre, covering, within
from tfpipe.declare.spec import Feature

_GREY = 128  # around an image that is letter-boxed
_SEARCHED = 65536  # bytes at either end of a file, which a segment of JPEG has at most
# RE2, in which \\C is any byte. An entry of the tag in either order of bytes: 0x0112, of type 3
# (short), one value, the value.
_ORIENTATION = (
    r"\C*?(?:Exif\x00\x00|eXIf|EXIF)\C*?(?:"
    r"\x12\x01\x03\x00\x01\x00\x00\x00([\x02-\x08])|\x01\x12\x00\x03\x00\x00\x00\x01\x00([\x02-\x08])"
    r")\C*"
)
_WEBP = r"RIFF\C{4}WEBP\C*"
# The second bit of the flags says that it moves.
_FLAGS = "".join(rf"\x{flags:02x}" for flags in range(64) if flags & 2)
_MOVING_WEBP = rf"RIFF\C{{4}}WEBPVP8X\C{{4}}[{_FLAGS}]\C*"


def decode(encoded: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Return what a model gets of a JPEG, PNG, GIF, BMP or WebP file: uint8 of `feature.shape`.

    Args:
        encoded: a scalar string, the file's bytes.
        feature: what images the model takes; of 1, 3 or 4 channels.
    """
    return seen(stored(encoded, feature), feature)


def stored(encoded: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Return the uint8 image of a file, of `feature.stored_shape`, as sources hold it."""
    return placed(pixels(encoded, feature.shape[2]), feature)


def placed(image: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Return upright pixels of any size as an image of `feature.stored_shape`."""
    shape = feature.stored_shape
    image = tf.ensure_shape(image, [None, None, shape[2]])
    fit = fitted if feature.resize is None else covered
    fit = letterboxed if feature.letterbox else fit
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


def letterboxed(image: tf.Tensor, size: tuple[int, ...]) -> tf.Tensor:
    """Return a uint8 image that was resized to just fit in (height, width), with grey around it."""
    own = tf.shape(image)[:2]
    inner, (top, left) = within(tf.unstack(own), size, tf.minimum)
    inner = tuple(tf.maximum(length, 1) for length in inner)
    equal = tf.reduce_all(tf.equal(own, tf.stack(inner)))
    resized = tf.cond(equal, lambda: image, lambda: resize(image, inner))
    edges = [[top, size[0] - inner[0] - top], [left, size[1] - inner[1] - left], [0, 0]]
    return tf.pad(resized, edges, constant_values=_GREY)


def pixels(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Return the upright uint8 pixels of an encoded image, of whatever size it has.

    Args:
        encoded: a scalar string, the content of a JPEG, PNG, GIF, BMP or still WebP file.
        channels: 1, 3 or 4.
    """

    def others() -> tf.Tensor:
        return tf.io.decode_image(encoded, channels, expand_animations=False)

    def not_jpeg() -> tf.Tensor:
        return tf.cond(_is(encoded, _WEBP), lambda: _webp_pixels(encoded, channels), others)

    def jpeg() -> tf.Tensor:
        if channels < 4:
            return _jpeg_pixels(encoded, channels)
        return _opaque(_jpeg_pixels(encoded, 3))  # JPEG has no transparency

    image = tf.cond(tf.io.is_jpeg(encoded), jpeg, not_jpeg)
    return upright(image, encoded)


def jpeg_pixels(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Return the upright uint8 pixels of a JPEG image, of whatever size it has."""
    return upright(_jpeg_pixels(encoded, channels), encoded)


def upright(image: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """Return an image turned as its file says: cameras store it as the sensor was held.

    The tag Orientation of EXIF (CIPA DC-008, table 8) is a number from 1, as it is, to 8. Files are
    searched where it stands: in the first bytes, of PNG and WebP also in the last.
    """
    length = tf.strings.length(encoded)
    first = tf.strings.substr(encoded, 0, tf.minimum(length, _SEARCHED))
    rest = tf.minimum(tf.maximum(length - _SEARCHED, _SEARCHED), length)
    ends = first + tf.strings.substr(encoded, rest, -1)

    def turned() -> tf.Tensor:
        digit = tf.strings.regex_replace(ends, _ORIENTATION, r"\1\2")
        number = tf.io.decode_raw(digit, tf.uint8)[0]
        turn = tf.cond(number >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        mirrored = tf.reduce_any(tf.equal(number, (2, 3, 6, 7)))
        turn = tf.cond(mirrored, lambda: turn[:, ::-1], lambda: turn)
        flipped = tf.reduce_any(tf.equal(number, (3, 4, 7, 8)))
        return tf.cond(flipped, lambda: turn[::-1], lambda: turn)

    return tf.cond(_is(ends, _ORIENTATION), turned, lambda: image)


def channels_of(encoded: tf.Tensor) -> tf.Tensor:
    """Return how many channels a JPEG or PNG file has, as `formats.read` counts them."""

    def of_png() -> tf.Tensor:
        colour_type = tf.io.decode_raw(tf.strings.substr(encoded, 25, 1), tf.uint8)[0]
        return tf.gather(tf.constant((1, 0, 3, 3, 2, 0, 4)), tf.cast(colour_type, tf.int32))

    def of_jpeg() -> tf.Tensor:
        return tf.where(tf.io.extract_jpeg_shape(encoded)[2] == 1, 1, 3)

    return tf.cond(tf.io.is_jpeg(encoded), of_jpeg, of_png)


def _jpeg_pixels(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Return the uint8 pixels of a JPEG image as they are stored.

    TensorFlow decodes JPEG with a fast, rougher transform unless told otherwise; other libraries
    use the exact one, and so do we: an image is the same here as where it came from.
    """
    return tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE")


def _opaque(image: tf.Tensor) -> tf.Tensor:
    """Return a colour image with a fourth channel, which nothing shows through."""
    full = tf.fill(tf.concat([tf.shape(image)[:2], [1]], 0), tf.constant(255, tf.uint8))
    return tf.concat([image, full], 2)


def _webp_pixels(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Return the uint8 pixels of a WebP image that does not move."""
    moves = tf.debugging.assert_equal(
        _is(encoded, _MOVING_WEBP), False, "a WebP image that moves cannot be decoded"
    )
    with tf.control_dependencies([moves] if moves is not None else []):
        image = tf.io.decode_webp(encoded, 0)[0]
    if channels == 4:
        return tf.cond(tf.shape(image)[2] == 4, lambda: image, lambda: _opaque(image[..., :3]))
    image = tf.ensure_shape(image[..., :3], [None, None, 3])
    return image if channels == 3 else tf.image.rgb_to_grayscale(image)


def _is(text: tf.Tensor, pattern: str) -> tf.Tensor:
    return tf.strings.regex_full_match(text, pattern)


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
