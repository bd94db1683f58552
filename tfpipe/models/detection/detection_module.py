"""A module of TensorFlow Hub that finds boxes, as a Keras 3 layer.

Its outputs are those of the TF Object Detection API: `detection_boxes` (y1, x1, y2, x2, from 0 to 1
of the image), `detection_classes`, `detection_scores`, and `num_detections` where rows are padded.
Keras finds the layer by its registered name when a saved model is loaded; the module itself must be
where it was, or in the cache.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfpipe.errors import ModelError, suggest
from tfpipe.models.pretrained.hub_handle import resolve
from tfpipe.models.pretrained.hub_module import IMAGE_RANK, Endpoint, Module

# What takes the place of a module that would have to be fetched, on generated data.
STAND_IN = "(stand-in)"
BOXES, CLASSES, SCORES = "detection_boxes", "detection_classes", "detection_scores"
COUNT = "num_detections"
_PREFERRED = ("", "serving_default", "default")  # of endpoints: the call itself first
_STANDS_IN_SCORE = 0.9

Outputs = Mapping[str, tf.Tensor]


@keras.saving.register_keras_serializable(package="tfpipe")
class DetectionModule(keras.layers.Layer):
    """What a module finds in images, [batch, most, 6]: corners from 0 to 1, score, class.

    The best come first; the class of rows without a box is -1. A module that takes one image is
    called for each of the batch. Its weights are never trained.

    Args:
        handle: an address, a folder or an archive; see `tfpipe.models.pretrained.hub_handle`.
        ids: the module's number of each class in order; -1 for a class that it does not know.
        score: what the score of a box has to be.
        most: how many boxes are given of an image.
        scale: what 0 and 255 become for a module that takes floats.
        signature: which of its signatures to call; the one with these outputs when None.
        options: further arguments of keras.layers.Layer.

    Raises:
        ModelError: when there is no such module, or it takes or gives something else.
    """

    def __init__(
        self,
        handle: str,
        ids: Sequence[int],
        score: float = 0.01,
        most: int = 100,
        scale: tuple[float, float] = (0.0, 1.0),
        signature: str | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("dtype", "float32")
        super().__init__(**{**options, "trainable": False}, autocast=False)
        self.supports_jit = False
        self.handle, self.ids, self.score, self.most = handle, [*ids], score, most
        self.scale, self.signature = (scale[0], scale[1]), signature
        self.takes = tf.TensorSpec([None, None, None, 3], tf.uint8)
        self._find: Callable[[tf.Tensor], Outputs] = _middle
        if handle != STAND_IN:
            module = Module(resolve(handle, fetch=False), handle)
            endpoint = _finding(module, signature)
            self.takes = endpoint.takes
            self._find = lambda images: endpoint(images, False)
            # Tracked by TensorFlow, so that an export finds the module's tables and files.
            self._loaded = module.loaded
            for variable in module.variables:
                if variable.dtype.is_floating or variable.dtype.is_integer:
                    self._share(variable)
        self.built = True

    def _share(self, variable: tf.Variable) -> None:
        """Make a weight of a variable without a copy, as Keras's own TFSMLayer does."""
        name = variable.name.partition(":")[0].replace("/", "_")  # Keras takes no slashes
        with keras.name_scope(self.name, caller=self):
            weight = keras.Variable(
                initializer=variable,
                trainable=False,
                dtype=variable.dtype.name,
                shape=variable.shape,
                name=name,
            )
        self._track_variable(weight)

    def call(self, inputs: Any) -> Any:
        images = tf.convert_to_tensor(inputs)
        if self.takes.dtype.is_floating:
            low, high = self.scale
            images = tf.cast(low + images * ((high - low) / 255.0), self.takes.dtype)
        else:
            images = tf.cast(tf.clip_by_value(tf.round(images), 0.0, 255.0), self.takes.dtype)
        if self.takes.shape.rank is not None and self.takes.shape[0] is None:
            return self._rows(self._find(images))
        spec = tf.TensorSpec([self.most, 6], tf.float32)
        return tf.map_fn(
            lambda image: self._rows(self._find(image[tf.newaxis]))[0],
            images,
            fn_output_signature=spec,
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], self.most, 6)

    def _rows(self, found: Outputs) -> tf.Tensor:
        """Return what was found, [batch, most, 6]."""
        boxes, numbers, scores = (tf.cast(found[n], tf.float32) for n in (BOXES, CLASSES, SCORES))
        if boxes.shape.rank == 2:  # of one image, without the axis of the batch
            boxes, numbers, scores = boxes[tf.newaxis], numbers[tf.newaxis], scores[tf.newaxis]
        same = tf.equal(
            tf.cast(tf.round(numbers), tf.int32)[..., tf.newaxis], tf.constant(self.ids)
        )
        place = tf.argmax(tf.cast(same, tf.int32), axis=-1, output_type=tf.int32)
        known = (numbers >= 0) & tf.reduce_any(same, axis=-1)
        classes = tf.where(known, place, -1)
        there = (scores >= self.score) & (classes >= 0)
        if COUNT in found:
            counts = tf.reshape(tf.cast(found[COUNT], tf.int32), [-1, 1])
            there &= tf.range(tf.shape(scores)[1])[tf.newaxis] < counts
        rows = [tf.gather(boxes, [1, 0, 3, 2], axis=-1), scores[..., tf.newaxis]]
        rows.append(tf.cast(classes, tf.float32)[..., tf.newaxis])
        none = tf.constant([0.0, 0.0, 0.0, 0.0, 0.0, -1.0])
        held = tf.where(there[..., tf.newaxis], tf.concat(rows, axis=-1), none)
        held = tf.concat([held, tf.tile(none[None, None], [tf.shape(held)[0], self.most, 1])], 1)
        # Those without a box have a score of 0, and stay behind the others.
        best = tf.math.top_k(held[..., 4] + tf.cast(held[..., 5] >= 0, tf.float32), self.most)
        corners = tf.gather(held, best.indices, batch_dims=1)
        clipped = tf.clip_by_value(corners[..., :4], 0.0, 1.0)
        return tf.ensure_shape(
            tf.concat([clipped, corners[..., 4:]], axis=-1), [None, self.most, 6]
        )

    def get_config(self) -> dict[str, Any]:
        names = ("handle", "ids", "score", "most", "scale", "signature")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DetectionModule":
        return cls(**{n: v for n, v in config.items() if n not in ("autocast", "trainable")})


def _finding(module: Module, signature: str | None) -> Endpoint:
    """Return the endpoint of a module that finds boxes in images; raise ModelError without one."""
    if signature is not None:
        known = [name for name in module.endpoints if name]
        if signature not in known:
            raise ModelError(
                f"{module.handle} has no signature {signature!r}. {suggest(signature, known)} "
                f"{module.offers}"
            )
        candidates = [module.endpoints[signature]]
    else:
        order = {name: place for place, name in enumerate(_PREFERRED)}
        candidates = sorted(
            module.endpoints.values(), key=lambda e: (order.get(e.name, len(order)), e.name)
        )
    fitting = [e for e in candidates if not _missing(e)]
    if not fitting:
        nearest = min(candidates, key=lambda e: len(_missing(e)), default=None)
        lacks = _missing(nearest) if nearest else [BOXES, CLASSES, SCORES]
        raise ModelError(
            f"{module.handle} finds no boxes: it has no {' and no '.join(lacks)}. Expected is what "
            "the TF Object Detection API exports, a module that takes one image and gives "
            f"{BOXES}, {CLASSES}, {SCORES} and {COUNT}. {module.offers}"
        )
    images = [e for e in fitting if _takes_images(e.takes)]
    if not images:
        raise ModelError(
            f"{module.handle} finds boxes in something else than images: expected is uint8 or "
            f"float32 [batch, height, width, 3]. {module.offers}"
        )
    return images[0]


def _missing(endpoint: Endpoint) -> list[str]:
    """Return which outputs of a detector an endpoint does not have."""
    gives = endpoint.gives if isinstance(endpoint.gives, dict) else {}
    return [name for name in (BOXES, CLASSES, SCORES) if name not in gives]


def _takes_images(takes: tf.TensorSpec) -> bool:
    numbers = takes.dtype.is_floating or takes.dtype == tf.uint8
    return numbers and (
        takes.shape.rank is None or (takes.shape.rank == IMAGE_RANK and takes.shape[3] in (None, 3))
    )


def _middle(images: tf.Tensor) -> Outputs:
    """Return the middle of each image as an object of the first class, for generated data."""
    batch = tf.shape(images)[0]
    return {
        BOXES: tf.tile(tf.constant([[[0.25, 0.25, 0.75, 0.75]]]), [batch, 1, 1]),
        CLASSES: tf.ones([batch, 1]),
        SCORES: tf.fill([batch, 1], _STANDS_IN_SCORE),
        COUNT: tf.ones([batch]),
    }
