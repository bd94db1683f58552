"""Which places of an image speak for an answer (Selvaraju et al., Grad-CAM, 2017)."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def last_maps(model: "keras.Model") -> Any:
    """Return the last tensor of a model that has places, [batch, height, width, channels].

    Returns:
        None where it has none of more than one place.
    """
    if not hasattr(model, "_operations"):  # of a subclass nothing is seen inside
        return None
    for layer in reversed(model.layers):
        for node in getattr(layer, "_inbound_nodes", ())[-1:]:
            shape = node.output_tensors[0].shape
            if len(shape) == 4 and node.input_tensors and (shape[1] or 2) * (shape[2] or 2) > 1:
                return node.output_tensors[0]
    return None


def grad_cam(
    model: "keras.Model", images: np.ndarray, units: np.ndarray, output: str = ""
) -> np.ndarray | None:
    """Return how much each place speaks for an answer, from 0 to 1.

    The gradient of an output to each map, averaged over the places, is the map's weight; what is
    below 0 speaks against it and counts as 0.

    Args:
        model: the keras.Model, of one image input.
        images: [rows, height, width, channels] as the model takes them.
        units: [rows] which output unit it is about: its index, or -1 for a single unit's no.
        output: which of several outputs; empty where there is one.

    Returns:
        [rows, height, width] of the maps; None for a network without any.
    """
    import keras
    import tensorflow as tf

    maps = last_maps(model)
    if maps is None:
        return None
    outputs = model.output[output] if output else model.output
    both = keras.Model(model.input, [maps, outputs])
    single = outputs.shape[-1] == 1
    with tf.GradientTape() as tape:
        found, logits = both(images, training=False)
        signs = tf.cast(tf.where(units < 0, -1.0, 1.0), logits.dtype)
        places = tf.zeros_like(units) if single else tf.maximum(units, 0)
        score = tf.reduce_sum(signs * tf.gather(logits, places, axis=1, batch_dims=1))
    gradients = tape.gradient(score, found)
    if gradients is None:
        return None
    own = slice(len(images))  # a model that sees several views of each has those of the others next
    return weighted(np.asarray(found)[own], np.asarray(gradients)[own])


def weighted(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Return the sum of maps by their mean gradient, without what is below 0, scaled to 1.

    Args:
        maps: [rows, height, width, channels].
        gradients: the same of a score to them.
    """
    weights = gradients.astype(np.float64).mean(axis=(1, 2), keepdims=True)
    places = np.maximum((maps.astype(np.float64) * weights).sum(axis=-1), 0.0)
    most = places.max(axis=(1, 2), keepdims=True)
    return np.asarray(places / np.where(most > 0, most, 1.0))


def overlay(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return an image under a heat map, uint8 [height, width, 3].

    Args:
        image: [height, width, channels] uint8.
        places: [rows, columns] from 0 to 1, resized to the image.
    """
    from matplotlib import colormaps
    from PIL import Image

    size = (image.shape[1], image.shape[0])
    heat = Image.fromarray(places.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(heat), 0.0, 1.0)[..., None]
    colours = colormaps["inferno"](share[..., 0])[..., :3] * 255
    grey = np.asarray(Image.fromarray(image.squeeze()).convert("L"), np.float32)[..., None]
    mixed = (1 - 0.65 * share) * grey + 0.65 * share * colours
    return np.asarray(mixed.round().astype(np.uint8))


def png(image: np.ndarray) -> bytes:
    """Return pixels as a PNG file, small ones enlarged by whole pixels."""
    from tfpipe.evaluation.samples import Shown

    return Shown(image).png()
