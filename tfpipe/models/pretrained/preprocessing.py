"""From raw images to what a network of keras.applications expects, in plain Keras layers.

They are part of the model: it takes raw images wherever it is used, and its file loads without
tfpipe. All of it is computed in float32, whatever the precision of the network.
"""

from typing import Any

from tfpipe.models.pretrained.contracts import DEVIATION, MEAN, Contract, Scaling

Size = tuple[int, int]


def preprocessed(
    x: Any,
    scaling: Scaling,
    size: Size,
    *,
    values: tuple[float, float] = (0.0, 255.0),
    bgr: bool = False,
) -> Any:
    """Images as a network expects them.

    Args:
        x: the model's input: images of 1 or 3 channels, channels last.
        scaling: what the network expects.
        size: the height and width that the network sees.
        values: what black and white are in the data.
        bgr: whether the data has blue first.
    """
    import keras

    grey = x.shape[-1] == 1
    if grey:
        x = keras.layers.Concatenate(dtype="float32", name="grey_to_rgb")([x, x, x])
    x = resized(x, size)
    if scaling.bgr != bgr and not grey:
        x = keras.ops.flip(x, axis=-1)
    return scaled(x, scaling, values)


def resized(x: Any, size: Size) -> Any:
    """Images of another size, as `data.images.decoding.resize` makes them but not rounded."""
    import keras

    height, width = x.shape[1:3]
    if (height, width) == tuple(size):
        return x
    # Antialiasing is for shrinking alone: otherwise it changes nothing, and XLA does not know it.
    shrinks = size[0] < height or size[1] < width
    layer = keras.layers.Resizing(*size, antialias=shrinks, dtype="float32", name="resizing")
    layer.supports_jit = not shrinks
    # Left to itself it takes `training` for True, and so would all that follows in `model(x)`.
    return layer(x, training=False)


def scaled(x: Any, scaling: Scaling, values: tuple[float, float]) -> Any:
    """Values as the network expects them, from those of the data."""
    import keras

    black, white = values
    to_bytes = 255.0 / (white - black)
    scale = [s * to_bytes for s in scaling.scale]
    offset = [o - s * black for o, s in zip(scaling.offset, scale, strict=True)]
    if set(scale) == {1.0} and set(offset) == {0.0}:
        return x
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="preprocessing")(x)


def keep_float32(base: Any) -> None:
    """Let the scaling inside a network be computed in float32, as that outside of it is."""
    import keras

    for layer in base.layers[1:]:
        if not isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
            return
        layer.dtype_policy = "float32"
        if isinstance(layer, keras.layers.Normalization):
            # What it subtracts and divides by was rounded when it was built.
            layer.finalize_state()
            if layer.input_mean is not None:
                layer.build(layer.input.shape)


def scaling_of(contract: Contract, base: Any) -> Scaling:
    """What a network expects, once its weights are known.

    Keras builds EfficientNet with one layer more where it loads ImageNet's weights itself: these
    have the deviation where the variance belongs, and the layer divides by the root of it once
    more. A network that is built without weights lacks it, so the images are stretched beforehand.

    Args:
        contract: of the network.
        base: the network, with its weights.
    """
    import keras
    import numpy as np

    if contract.family != "EfficientNet":
        return contract.scaling
    layer = next(at for at in base.layers if isinstance(at, keras.layers.Normalization))
    if not np.allclose(layer.adapt_variance, DEVIATION, atol=1e-3):
        return contract.scaling
    red, green, blue = (1 / deviation**0.5 for deviation in DEVIATION)
    return Scaling(
        contract.scaling.name,
        (red, green, blue),
        (255 * MEAN[0] * (1 - red), 255 * MEAN[1] * (1 - green), 255 * MEAN[2] * (1 - blue)),
        False,
        contract.scaling.described,
    )
