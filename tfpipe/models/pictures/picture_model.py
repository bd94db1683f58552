"""PictureModel: what style transfer and dreams have in common, a picture that is trained."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# What a picture is painted from, by feature: [1, height, width, 3] uint8.
Given = dict[str, tf.Tensor]
# The data gives the only image without its name, and a label that says nothing.
Batch = tuple[Given | tf.Tensor, tf.Tensor]


class PictureModel(keras.Model):
    """A picture, and losses that say how far it is from what it should be.

    Subclasses give `losses_of`. `picture` has values from 0 to 255, which may lie outside while it
    is painted; `result()` is the picture as bytes. An optimizer with a method `minimize`, such as
    `LBFGS`, takes its steps outside of TensorFlow.

    Args:
        name: of the model.
        shape: (height, width, 3) of the picture.
        terms: what the parts of the loss are called.
    """

    def __init__(self, name: str, shape: tuple[int, int, int], terms: tuple[str, ...]) -> None:
        super().__init__(name=name)
        self.picture = self.add_weight(shape=(1, *shape), name="picture", dtype="float32")
        # How many epochs have begun: an epoch that is resumed in its middle does not begin again.
        self.begun = self.add_weight(
            shape=(), name="begun", dtype="int32", trainable=False, initializer="zeros"
        )
        self.parts = {term: keras.metrics.Mean(name=f"{term}_loss") for term in terms}
        self.built = True

    def compile(self, *args: Any, **options: Any) -> None:
        """Compile it; nothing computes in float16, for which losses would be scaled."""
        super().compile(*args, **options, auto_scale_loss=False)

    def begin(self, given: Given | tf.Tensor, epoch: int) -> None:
        """Make ready for an epoch, once.

        Args:
            given: what is painted from, as the data gives it.
            epoch: its number, from 0.
        """
        if int(self.begun) <= epoch:
            self.prepare(_named(given), epoch)
            self.begun.assign(epoch + 1)

    def prepare(self, given: Given, epoch: int) -> None:
        """Make the picture ready for an epoch; at the first it is the content."""
        if epoch == 0:
            self.picture.assign(tf.cast(given["content"], tf.float32))

    def losses_of(self, given: Given, picture: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the parts of the loss by term, each with its weight."""
        raise NotImplementedError

    def result(self) -> np.ndarray:
        """Return the picture, [height, width, 3] uint8."""
        values = np.clip(np.rint(self.picture.numpy()[0]), 0, 255)
        return np.asarray(values, np.uint8)

    def call(self, inputs: Given | tf.Tensor) -> tf.Tensor:
        return tf.convert_to_tensor(self.picture)

    def train_step(self, data: Batch) -> dict[str, Any]:
        given, *_ = keras.utils.unpack_x_y_sample_weight(data)
        gradient, parts = self._gradient(_named(given))
        self.optimizer.apply([gradient], [self.picture])
        return self._took(parts)

    def make_train_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        minimize = getattr(self.optimizer, "minimize", None)
        if minimize is None:
            function: Any = super().make_train_function(force)
            return function
        if force or getattr(self, "train_function", None) is None:
            self.train_function: Any = self._outside(minimize)
        found: Callable[[Iterator[Any]], Any] = self.train_function
        return found

    def _outside(self, minimize: Callable[..., np.ndarray]) -> Callable[[Iterator[Any]], Any]:
        """Return what takes one step of an optimizer that asks for gradients as it likes."""
        gradient = tf.function(self._gradient, autograph=False)
        shape = self.picture.shape

        def step(iterator: Iterator[Any]) -> dict[str, Any]:
            given, *_ = keras.utils.unpack_x_y_sample_weight(next(iterator))
            given = _named(given)

            def evaluate(pixels: np.ndarray) -> tuple[float, np.ndarray]:
                self.picture.assign(pixels.reshape(shape).astype(np.float32))
                found, parts = gradient(given)
                total = sum(float(part) for part in parts.values())
                return total, found.numpy().astype(np.float64).reshape(-1)

            pixels = minimize(evaluate, self.picture.numpy().astype(np.float64).reshape(-1))
            self.picture.assign(pixels.reshape(shape).astype(np.float32))
            _, parts = gradient(given)
            return self._took(parts)

        return step

    def _gradient(self, given: Given) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return the gradient of the loss in the picture, and the parts of the loss."""
        with tf.GradientTape() as tape:
            picture = tf.convert_to_tensor(self.picture)
            tape.watch(picture)
            parts = self.losses_of(given, picture)
            total = tf.add_n(list(parts.values()))
        return tape.gradient(total, picture), parts

    def _took(self, parts: dict[str, tf.Tensor]) -> dict[str, Any]:
        for term, value in parts.items():
            self.parts[term].update_state(value)
        self._loss_tracker.update_state(tf.add_n(list(parts.values())))
        found: dict[str, Any] = self.get_metrics_result()
        return found


def _named(given: Given | tf.Tensor) -> Given:
    """Return images by name; a data set gives the only one without."""
    return given if isinstance(given, dict) else {"content": given}
