"""Finding objects inside an export, and how its boxes are compared with golden ones."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.data.boxes.placing import in_picture
from tfpipe.data.images.decoding import pixels, placed
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.exports.image_signatures import Untracked
from tfpipe.tasks.detection import Detection

# What an export calls the numbers before boxes are chosen by them.
RAW = "raw"
_RAW_SAMPLES = 2


class BoxSignatures(tf.Module):
    """Finds objects in images: what the signatures of an export do.

    `serving_default` takes arrays and gives corners from 0 to 1 of them. `serving_bytes` takes
    files of any size, and gives corners in pixels of each, turned upright. `raw` gives the numbers
    by which boxes are chosen.

    Args:
        model: the trained keras.Model, whose layers are saved elsewhere.
        task: what its outputs mean.
        spec: the element spec it was trained on.
    """

    def __init__(self, model: Any, task: Detection, spec: ElementSpec) -> None:
        super().__init__(name="detection")
        self._model, self._task = Untracked(model), Untracked(task)
        self._feature = spec.feature

    def signatures(self) -> dict[str, Any]:
        """The signatures by name, as functions that are not traced yet."""
        feature = self._feature

        def arrays(dtype: Any) -> list[Any]:
            return [{feature.name: tf.TensorSpec([None, *feature.shape], dtype, feature.name)}]

        def of_floats(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            whole = tf.clip_by_value(tf.round(inputs[feature.name]), 0, 255)
            return self._of_arrays({feature.name: tf.cast(whole, tf.uint8)})

        encoded = tf.TensorSpec([None], tf.string, "bytes")
        return {
            "serving_default": tf.function(self._of_arrays, arrays(tf.uint8)),
            "serving_float": tf.function(of_floats, arrays(tf.float32)),
            "serving_bytes": tf.function(self._of_files, [encoded]),
            RAW: tf.function(lambda given: {RAW: self._numbers(given)}, arrays(tf.uint8)),
        }

    def _numbers(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return self._model.value(inputs[self._feature.name], training=False)

    def _of_arrays(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        task: Detection = self._task.value
        return task.outputs(task.answers(self._numbers(inputs)))

    def _of_files(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        images, sizes = seen_in(encoded, self._feature)
        found = self._of_arrays({self._feature.name: images})
        return {**found, "boxes": in_picture(found["boxes"], sizes, self._feature)}


def seen_in(encoded: tf.Tensor, feature: Feature) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what a model sees of image files, and the height and width of each, upright.

    Args:
        encoded: [files] their contents.
        feature: what the model sees.
    """

    def one(file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = pixels(file, feature.shape[2])
        return placed(image, feature), tf.shape(image)[:2]

    found: tuple[tf.Tensor, tf.Tensor] = tf.map_fn(
        one, encoded, fn_output_signature=(tf.uint8, tf.int32)
    )
    return found


def golden_boxes(
    model: Any, task: Detection, feature: Feature, images: np.ndarray, files: list[bytes]
) -> dict[str, np.ndarray]:
    """Return what the trained model answers to images and files, as golden samples have it.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        feature: what it sees.
        images: [rows, height, width, channels].
        files: images in files of several sizes.
    """
    raw = model(tf.constant(images), training=False)
    golden = {RAW: raw[:_RAW_SAMPLES].numpy(), "answers": task.answers(raw).numpy()}
    decoded, sizes = seen_in(tf.constant(files), feature)
    found = task.answers(model(decoded, training=False))
    corners = in_picture(found[..., :4], sizes, feature)
    golden["file_answers"] = tf.concat([corners, found[..., 4:]], axis=-1).numpy()
    assert task.head is not None
    golden["least_score"] = np.float32(task.head.score)
    return golden
