"""What each layer of an image network makes of one picture."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

_LAYERS, _MAPS, _COLUMNS = 12, 16, 8


def activation_maps(model: "keras.Model", image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return the maps of some layers beside each other, each from its least value to its greatest.

    Args:
        model: the keras.Model, of one image input.
        image: [height, width, channels] as the model takes it.

    Returns:
        Layer names in order, with a uint8 picture of up to 16 maps.
    """
    import keras

    if not hasattr(model, "_operations"):  # of a subclass nothing is seen inside
        return []
    nodes = [(layer, layer._inbound_nodes[-1]) for layer in model.layers if layer._inbound_nodes]
    named = [
        (layer.name, node.output_tensors[0])
        for layer, node in nodes
        if node.input_tensors and len(node.output_tensors[0].shape) == 4
    ]
    if not named:
        return []
    some = [named[i * len(named) // _LAYERS] for i in range(_LAYERS)]
    chosen = named if len(named) <= _LAYERS else some
    outputs = keras.Model(model.input, [tensor for _, tensor in chosen])(image[None])
    found = outputs if isinstance(outputs, list) else [outputs]
    return [(name, tiled(np.asarray(m)[0])) for (name, _), m in zip(chosen, found, strict=True)]


def tiled(maps: np.ndarray) -> np.ndarray:
    """Return the first maps of [height, width, channels] in rows of eight, with lines between."""
    count = min(maps.shape[-1], _MAPS)
    height, width = maps.shape[:2]
    rows, columns = -(-count // _COLUMNS), min(count, _COLUMNS)
    picture = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), 128, np.uint8)
    for index in range(count):
        values = maps[..., index].astype(np.float64)
        low, high = values.min(), values.max()
        row, column = divmod(index, _COLUMNS)
        top, left = row * (height + 1), column * (width + 1)
        scaled = 255 * (values - low) / (high - low if high > low else 1.0)
        picture[top : top + height, left : left + width] = scaled.round()
    return picture
