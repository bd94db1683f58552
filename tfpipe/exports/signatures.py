"""What an exported model can be asked: arrays, texts, columns, and image files."""

from typing import Any

import tensorflow as tf

from tfpipe.data.images.decoding import decode
from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.translation.translations import Translations
from tfpipe.exports.box_signatures import BoxSignatures
from tfpipe.exports.continuations import TextSignatures, continues_texts
from tfpipe.exports.image_signatures import ImageSignatures, Untracked
from tfpipe.tasks.detection import Detection
from tfpipe.tasks.task import Task

# What gives all signatures of a kind of its own.
_OF_ITS_OWN = ("_images", "_boxes", "_translations")


class Served(tf.Module):
    """What is saved: the model's layers, and its answers as signatures.

    `serving_default` takes arrays as the data set has them, raw texts and a table's columns by name
    among them. Models of images also have `serving_float`, for the same pixels from 0 to 255 as
    real numbers, and `serving_bytes`, for files of any size; models of a text's next tokens
    `generate`, which continues texts. Of models that translate, `serving_default` takes sentences
    and gives translations, and `translate` the best ones of a beam. Models that answer with an
    image give arrays for arrays, and PNG files for files; those that find objects give boxes.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
    """

    def __init__(self, model: Any, task: Task, spec: ElementSpec) -> None:
        super().__init__(name="served")
        self.layers = model.layers  # and not the model, which brings the optimizer's slots along
        self._model = Untracked(model)
        self._task = task
        self._spec = spec
        if continues_texts(spec):
            self._continuations = TextSignatures(model, task, spec)
        if isinstance(task, Detection):
            self._boxes = BoxSignatures(model, task, spec)
        if spec.gives_images:
            self._images = ImageSignatures(model, task, spec)
        if spec.translates:
            self._translations = Translations(model, task, spec)

    def signatures(self) -> dict[str, Any]:
        """The signatures by name."""
        own = next((getattr(self, n) for n in _OF_ITS_OWN if hasattr(self, n)), None)
        if own is not None:
            functions = own.signatures()
            return {name: function.get_concrete_function() for name, function in functions.items()}
        features = self._spec.features
        arrays = {f.name: tf.TensorSpec([None, *f.shape], f.dtype, f.name) for f in features}
        signatures = {"serving_default": tf.function(self._from_arrays, input_signature=[arrays])}
        if takes_files(self._spec):
            feature = self._spec.feature
            pixels = {feature.name: tf.TensorSpec([None, *feature.shape], tf.float32, feature.name)}
            signatures["serving_float"] = tf.function(self._from_floats, input_signature=[pixels])
            encoded = tf.TensorSpec([None], tf.string, "bytes")
            signatures["serving_bytes"] = tf.function(self._from_bytes, input_signature=[encoded])
        if continues_texts(self._spec):
            signatures |= self._continuations.signatures()
        return {name: function.get_concrete_function() for name, function in signatures.items()}

    def _from_arrays(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        features = next(iter(inputs.values())) if len(inputs) == 1 else inputs
        return self._task.outputs(self._task.answers(self._model.value(features, training=False)))

    def _from_floats(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return self._from_arrays(
            {n: tf.cast(tf.clip_by_value(tf.round(t), 0, 255), tf.uint8) for n, t in inputs.items()}
        )

    def _from_bytes(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        feature = self._spec.feature
        images = tf.map_fn(
            lambda item: decode(item, feature), encoded, fn_output_signature=tf.uint8
        )
        return self._from_arrays({feature.name: images})


def takes_files(spec: ElementSpec) -> bool:
    """Return whether a sample is one image of bytes, which files hold too."""
    return [(f.kind, f.dtype) for f in spec.features] == [("image", "uint8")]
