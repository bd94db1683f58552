"""Answering with images inside an export: arrays in, arrays out; files in, files out."""

from typing import Any

import keras
import tensorflow as tf

from tfpipe.data.images.decoding import pixels
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.images_out.tiles import tiles_of
from tfpipe.tasks.task import Task

# What an export calls images of arrays, and of PNG files. TensorFlow's REST API writes what ends in
# "_bytes" as base64.
ARRAY, FILE = "image", "image_bytes"


class ImageSignatures(tf.Module):
    """Makes images of images: what `serving_default` and `serving_bytes` do.

    `serving_default` takes arrays of one size, `serving_bytes` files of any sizes, and gives PNG
    files. Large images are answered in parts, which are equal to the whole.

    Args:
        model: the trained keras.Model, whose layers are saved elsewhere.
        task: what its outputs mean.
        spec: the element spec it was trained on.
    """

    def __init__(self, model: keras.Model, task: Task, spec: ElementSpec) -> None:
        super().__init__(name="images")
        self._feature = spec.feature
        self._tiles = Untracked(tiles_of(model, task, spec))

    def signatures(self) -> dict[str, Any]:
        """The signatures by name, as functions that are not traced yet."""
        feature = self._feature
        arrays = tf.TensorSpec([None, *feature.tensor_shape], tf.uint8, feature.name)
        encoded = tf.TensorSpec([None], tf.string, "bytes")
        return {
            "serving_default": tf.function(self._of_arrays, [{feature.name: arrays}]),
            "serving_bytes": tf.function(self._of_files, [encoded]),
        }

    def _of_arrays(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {ARRAY: self._tiles.value(inputs[self._feature.name])}

    def _of_files(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        def one(file: tf.Tensor) -> tf.Tensor:
            image = pixels(file, self._feature.shape[2])
            image = tf.ensure_shape(image, [None, None, self._feature.shape[2]])
            return tf.io.encode_png(self._tiles.value(image[None])[0])

        return {FILE: tf.map_fn(one, encoded, fn_output_signature=tf.string)}


class Untracked:
    """Holds what answers, where TensorFlow does not look for variables."""

    def __init__(self, value: Any) -> None:
        self.value = value
