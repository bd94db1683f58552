"""What networks that answer with an image read, and how they begin and end."""

from typing import TYPE_CHECKING

from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ModelError
from tfpipe.text import listed

if TYPE_CHECKING:
    import keras

# The mean of the training images of DIV2K, red, green, blue, from 0 to 1 (Lim and others, 2017,
# arXiv:1707.02921).
MEAN = (0.4488, 0.4371, 0.4040)


def image_pair(spec: ElementSpec, builder: str, scale: int | None = None) -> Feature:
    """Return the image that a network reads; raise ModelError where it should not answer with one.

    Args:
        spec: the element spec of the data.
        builder: who asks, for the message.
        scale: how many times larger the network's answers are; None for any.
    """
    if not spec.gives_images or len(spec.features) != 1 or spec.feature.kind != "image":
        has = listed(f"{f.name!r} of kind {f.kind!r}" for f in spec.features)
        raise ModelError(
            f"{builder} answers with an image for an image; the data has {has}, and labels of kind "
            f"{spec.labels[0].kind!r}. Use ImagePairs for the data, or another model."
        )
    if scale is not None and spec.label.scale != scale:
        times = "as large as" if spec.label.scale == 1 else f"{spec.label.scale} times as large as"
        raise ModelError(
            f"{builder} makes images {scale} times as large, and those of the data should become "
            f"{times} they are. Declare model.scale={spec.label.scale}, or data.shrink={scale}."
        )
    return spec.feature


def image_input(feature: Feature) -> "keras.KerasTensor":
    """Return the model's input: images of bytes as they come, of any size."""
    import keras

    shape = (None, None, feature.shape[2])
    return keras.Input(shape, name=feature.name, dtype="float32")


def normalised(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Return bytes less the mean of DIV2K's images, from about -1 to 1; grey ones less its mean."""
    import keras

    mean = MEAN if x.shape[-1] == 3 else (sum(MEAN) / 3,) * x.shape[-1]
    offset = [-2.0 * m for m in mean]
    return keras.layers.Rescaling(1 / 127.5, offset, name="normalised", dtype="float32")(x)


def in_values(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Return what `normalised` has made numbers of as values from 0 to 255, in float32."""
    import keras

    mean = MEAN if x.shape[-1] == 3 else (sum(MEAN) / 3,) * x.shape[-1]
    offset = [255.0 * m for m in mean]
    return keras.layers.Rescaling(127.5, offset, name="values", dtype="float32")(x)
