"""Layers and initial weights of a WhitenedCNN that Keras lacks; models that are loaded have them.

`Views` and `MeanOfViews` belong together: what is between them sees each image several times where
the model answers, and once where it is trained.
"""

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import tensorflow as tf

Shape = tuple[int | None, ...]

# Views of an image by name: (mirrored, moved by pixels to the bottom right, weight).
VIEWS = {
    "single": ((False, 0, 1.0),),
    "mirrored": ((False, 0, 0.5), (True, 0, 0.5)),
    "shifted": (
        (False, 0, 0.25),
        (True, 0, 0.25),
        (False, -1, 0.125),
        (True, -1, 0.125),
        (False, 1, 0.125),
        (True, 1, 0.125),
    ),
}


@keras.saving.register_keras_serializable(package="tfpipe")
class PartlyIdentity(keras.initializers.Initializer):
    """Convolutions whose first filters hand on their inputs, as many as there are; others random.

    The others are drawn evenly up to one over the square root of the inputs of a filter.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        import numpy as np

        random = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=self.seed)
        values = np.array(random(shape, "float32"))
        rows, columns, inputs, filters = shape
        same = min(inputs, filters)
        values[..., :same] = 0.0
        values[rows // 2, columns // 2, range(same), range(same)] = 1.0
        return keras.ops.convert_to_tensor(values, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="tfpipe")
class WhiteningConv(keras.layers.Conv2D):
    """A convolution whose kernel stays as it is; its bias is trained."""

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.kernel.trainable = False


@keras.saving.register_keras_serializable(package="tfpipe")
class Views(keras.layers.Layer):
    """Several views of each image, one after the other in the batch; one alone in training.

    Args:
        views: "single", "mirrored" (the image and its mirror image), or "shifted" (these, and both
            moved by a pixel each way along the diagonal).
        options: arguments of keras.layers.Layer.
    """

    def __init__(self, views: str, **options: Any) -> None:
        super().__init__(**options)
        self.views = views

    def call(self, inputs: "tf.Tensor", training: bool | None = None) -> Any:
        if training:
            return inputs
        ops, padded = keras.ops, {0: inputs}
        height, width = inputs.shape[1:3]
        if any(pixels for _, pixels, _ in VIEWS[self.views]):
            frame = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
            padded[-1] = frame[:, 2 : 2 + height, 2 : 2 + width]
            padded[1] = frame[:, :height, :width]
        seen = [
            ops.flip(padded[pixels], axis=2) if mirrored else padded[pixels]
            for mirrored, pixels, _ in VIEWS[self.views]
        ]
        return ops.concatenate(seen, axis=0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "views": self.views}


@keras.saving.register_keras_serializable(package="tfpipe")
class MeanOfViews(keras.layers.Layer):
    """The weighted mean of what a network makes of an image's views, [views x batch, units].

    Args:
        views: those of the `Views` before it.
        options: arguments of keras.layers.Layer.
    """

    def __init__(self, views: str, **options: Any) -> None:
        super().__init__(**options)
        self.views = views

    def call(self, inputs: "tf.Tensor", training: bool | None = None) -> Any:
        if training:
            return inputs
        weights = [weight for *_, weight in VIEWS[self.views]]
        parts = keras.ops.reshape(inputs, (len(weights), -1, inputs.shape[-1]))
        return sum(weight * parts[index] for index, weight in enumerate(weights))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "views": self.views}
