"""A picture that a module of TensorFlow Hub paints; see `HubStyle`."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfpipe.errors import ModelError
from tfpipe.models.pictures.picture_model import Batch, Given, PictureModel

Painter = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class PaintedByModule(PictureModel):
    """A picture that is painted in one step; the loss is how much that step changed it.

    Args:
        shape: (height, width, 3) of the picture.
        painter: makes a picture of a content and a style, values from 0 to 1.
        style_size: pixels a side to which the style is resized.
    """

    def __init__(self, shape: tuple[int, int, int], painter: Painter, style_size: int) -> None:
        super().__init__("hub_style", shape, ("change",))
        self._painter, self._style_size = painter, style_size

    def losses_of(self, given: Given, picture: tf.Tensor) -> dict[str, tf.Tensor]:
        change = tf.convert_to_tensor(self.picture) - picture
        return {"change": tf.reduce_mean(tf.square(change / 255.0))}

    def train_step(self, data: Batch) -> dict[str, Any]:
        given, *_ = keras.utils.unpack_x_y_sample_weight(data)
        size = (self._style_size, self._style_size)
        style = tf.image.resize(given["style"], size, "bilinear", antialias=True) / 255.0
        content = tf.cast(given["content"], tf.float32) / 255.0
        made = tf.image.resize(self._painter(content, style), self.picture.shape[1:3])
        parts = self.losses_of(given, 255.0 * made)
        self.picture.assign(255.0 * made)
        self.optimizer.iterations.assign_add(1)
        return self._took(parts)


def painter_of(handle: str | None) -> Painter:
    """Return what a module paints with; without one the colours of the style.

    Args:
        handle: of the module.

    Raises:
        ModelError: for a module that takes something else than two images.
    """
    if handle is None:
        return _coloured
    from tfpipe.models.pretrained.hub_handle import resolve

    loaded = tf.saved_model.load(str(resolve(handle)))
    signature = getattr(loaded, "signatures", {}).get("serving_default")
    takes = signature.structured_input_signature[1] if signature is not None else {}
    images = [name for name, spec in takes.items() if spec.shape.rank in (None, 4)]
    if len(images) != 2 or len(takes) != 2:
        what = ", ".join(f"{name} {spec.dtype.name} {spec.shape}" for name, spec in takes.items())
        raise ModelError(
            f"HubStyle.handle={handle}: a module that paints takes two images, the content and the "
            f"style; its signature serving_default takes {what or 'nothing'}."
        )
    first, second = sorted(images)  # "placeholder" and "placeholder_1" in the published one

    def paint(content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        made: tf.Tensor
        (made,) = loaded.signatures["serving_default"](**{first: content, second: style}).values()
        return made

    return paint


def _coloured(content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Return the content with the mean and the spread of the style's colours."""
    mean, variance = tf.nn.moments(content, [1, 2], keepdims=True)
    wanted, spread = tf.nn.moments(style, [1, 2], keepdims=True)
    scaled = (content - mean) * tf.sqrt((spread + 1e-6) / (variance + 1e-6)) + wanted
    return tf.clip_by_value(scaled, 0.0, 1.0)
