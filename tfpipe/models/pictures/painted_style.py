"""The losses of style transfer, on a picture that is painted."""

from collections.abc import Callable

import tensorflow as tf

from tfpipe.models.pictures.picture_model import Given, PictureModel


class PaintedStyle(PictureModel):
    """A picture between a content and a style; see `StyleTransfer`.

    Args:
        shape: (height, width, 3) of the picture.
        extract: gives what layers make of images, those of the content first.
        contents: how many layers hold the content.
        weights: of the content, the style, and the variation.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        extract: Callable[[tf.Tensor], list[tf.Tensor]],
        contents: int,
        weights: tuple[float, float, float],
    ) -> None:
        super().__init__("style_transfer", shape, ("content", "style", "variation"))
        self._extract, self._contents, self._weights = extract, contents, weights

    def losses_of(self, given: Given, picture: tf.Tensor) -> dict[str, tf.Tensor]:
        of_picture = self._extract(picture)
        of_content = self._extract(tf.cast(given["content"], tf.float32))
        of_style = self._extract(tf.cast(given["style"], tf.float32))
        pixels = tf.cast(tf.reduce_prod(tf.shape(picture)[1:3]), tf.float32)
        contents = zip(of_picture[: self._contents], of_content, strict=False)
        styles = [*zip(of_picture, of_style, strict=True)][self._contents :]
        parts = (
            tf.add_n([tf.reduce_sum(tf.square(a - b)) for a, b in contents]),
            tf.add_n([style_loss(a, b, pixels) for a, b in styles]) / len(styles),
            variation(picture),
        )
        weighted = zip(self.parts, self._weights, parts, strict=True)
        return {term: weight * part for term, weight, part in weighted}


def gram(features: tf.Tensor) -> tf.Tensor:
    """Return how often features of an image occur together, [channels, channels]."""
    flat = tf.reshape(features, [-1, features.shape[-1]])
    return tf.matmul(flat, flat, transpose_a=True)


def style_loss(picture: tf.Tensor, style: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Return how far the style of a picture is from another, as one layer sees it.

    Args:
        picture: [1, height, width, channels] features of the picture.
        style: the same of the style.
        pixels: of the picture.
    """
    difference = tf.reduce_sum(tf.square(gram(style) - gram(picture)))
    return difference / (4.0 * 3.0**2 * pixels**2)


def variation(picture: tf.Tensor) -> tf.Tensor:
    """Return the total variation of a picture."""
    inside = picture[:, :-1, :-1]
    below = tf.square(inside - picture[:, 1:, :-1])
    right = tf.square(inside - picture[:, :-1, 1:])
    # The gradient of x^1.25 at 0 is 0, and TensorFlow's too.
    return tf.reduce_sum(tf.pow(below + right, 1.25))
