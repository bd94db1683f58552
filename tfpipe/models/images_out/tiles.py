"""Large images part by part, as TensorFlow's operations, equal to the whole."""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfpipe.declare.spec import ElementSpec
from tfpipe.models.images_out.reach import Reach, reach_of
from tfpipe.tasks.task import Task

SIDE = 256  # pixels of a part of the input, without what is around it


class Tiles:
    """Answers images of any size: small ones at once, large ones in parts of a bounded size.

    Each part is read with as much around it as decides about its pixels, so that there is no seam.

    Args:
        answer: takes [rows, height, width, channels] and gives bytes of the same, larger by the
            scale.
        reach: what decides about a pixel; None where that is the whole image.
        scale: how many times larger the answers are.
        channels: of the answers.
        side: pixels of a part.
    """

    def __init__(
        self,
        answer: Callable[[tf.Tensor], tf.Tensor],
        reach: Reach | None,
        scale: int,
        channels: int,
        side: int = SIDE,
    ) -> None:
        self._answer, self._reach, self._scale, self._channels = answer, reach, scale, channels
        multiple = reach.multiple if reach else 1
        self._side = -(-side // multiple) * multiple
        self._around = -(-reach.pixels // multiple) * multiple if reach else 0

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Return the answers to images of one size, uint8.

        Args:
            images: [rows, height, width, channels] uint8.
        """
        if self._reach is None:
            return self._answer(images)
        # A part with what is around it is at most so large; an image of that size is no larger.
        most = self._side + 2 * self._around
        small = tf.reduce_all(tf.shape(images)[1:3] <= most)

        def in_parts() -> tf.Tensor:
            one = tf.TensorSpec([None, None, self._channels], tf.uint8)
            return tf.map_fn(self._one, images, fn_output_signature=one, parallel_iterations=1)

        answers = tf.cond(small, lambda: self._answer(images), in_parts)
        return tf.ensure_shape(answers, [None, None, None, self._channels])

    def _one(self, image: tf.Tensor) -> tf.Tensor:
        """Return the answer to an image, [height, width, channels], strip by strip."""
        size = tf.shape(image)[:2]
        counts = (size + self._side - 1) // self._side

        def strip(row: tf.Tensor) -> tf.Tensor:
            def part(column: tf.Tensor) -> tf.Tensor:
                corner = tf.stack([row, column]) * self._side
                return tf.transpose(self._part(image, corner, size), (1, 0, 2))

            return tf.transpose(self._joined(counts[1], part), (1, 0, 2))

        return self._joined(counts[0], strip)

    def _joined(self, count: tf.Tensor, part: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Return parts one below the other."""
        shape = [None, None, self._channels]
        parts = tf.TensorArray(tf.uint8, count, infer_shape=False, element_shape=shape)
        parts = tf.while_loop(
            lambda number, _: number < count,
            lambda number, held: (number + 1, held.write(number, part(number))),
            (tf.constant(0), parts),
            parallel_iterations=1,
        )[1]
        return tf.ensure_shape(parts.concat(), shape)

    def _part(self, image: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return the answer for the part of an image that begins at a corner."""
        begin = tf.maximum(corner - self._around, 0)
        end = tf.minimum(corner + self._side + self._around, size)
        window = image[begin[0] : end[0], begin[1] : end[1]]
        answer = self._answer(window[None])[0]
        first = (corner - begin) * self._scale
        last = first + (tf.minimum(corner + self._side, size) - corner) * self._scale
        return answer[first[0] : last[0], first[1] : last[1]]


def tiles_of(model: keras.Model, task: Task, spec: ElementSpec) -> Tiles:
    """Return what answers images of any size with a model.

    Args:
        model: the keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
    """
    return Tiles(
        lambda images: task.answers(model(images, training=False)),
        reach_of(model),
        spec.label.scale,
        spec.label.shape[2],
    )
