"""What the first layer of a WhitenedCNN learns of a few thousand training images."""

from dataclasses import dataclass

import numpy as np

from tfpipe.declare.kinds import Training

_IMAGES = 5_000
_SIDE = 2
_EPSILON = 5e-4


@dataclass(frozen=True)
class Whitening:
    """How images are normalised, and how their patches are whitened.

    Args:
        mean: [channels] of the values, as the network reads them.
        deviation: [channels] their standard deviation.
        kernel: [2, 2, channels, filters] of the convolution: the eigenvectors of the patches, each
            by one over the square root of its eigenvalue, and all of them again with the other
            sign.
    """

    mean: np.ndarray
    deviation: np.ndarray
    kernel: np.ndarray


def whitening(channels: int, train: Training | None, size: int, scale: float) -> Whitening:
    """Learn the whitening of 2x2 patches; that of noise where there are no images.

    Args:
        channels: of the images.
        train: gives batches of the training split's images; None to learn nothing.
        size: how many images the split has.
        scale: what values are multiplied by before the network reads them.
    """
    mean, deviation = np.zeros(channels), np.ones(channels)
    covariance = np.eye(_SIDE * _SIDE * channels)
    if train is not None:
        images = _some(train, max(1, size // _IMAGES)) * scale
        values = images.reshape(-1, channels)
        mean = np.asarray(values.mean(axis=0, dtype=np.float64))
        spread = values.std(axis=0, dtype=np.float64)
        deviation = np.where(spread > 0, spread, 1.0)
        covariance = _covariance(((images - mean) / deviation).astype(np.float32))
    values, vectors = np.linalg.eigh(covariance)
    # A vector and its negative are both eigenvectors: the largest number is positive by choice.
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(len(values))])
    filters = (vectors / np.sqrt(np.maximum(values, 0.0) + _EPSILON)).reshape(
        _SIDE, _SIDE, channels, -1
    )
    kernel = np.concatenate([filters, -filters], axis=-1).astype(np.float32)
    return Whitening(mean.astype(np.float32), deviation.astype(np.float32), kernel)


def _some(train: Training, every: int) -> np.ndarray:
    """Return every so many of the training images, as float32: files may be sorted by class."""
    chosen, before = [], 0
    for batch in train().as_numpy_iterator():
        chosen.append(batch[-before % every :: every])
        before += len(batch)
    return np.concatenate(chosen).astype(np.float32)


def _covariance(images: np.ndarray) -> np.ndarray:
    """[patch, patch] mean products of the values of a patch."""
    rows, columns = images.shape[1] - _SIDE + 1, images.shape[2] - _SIDE + 1
    shifted = [images[:, y : y + rows, x : x + columns] for y in range(_SIDE) for x in range(_SIDE)]
    patches = np.concatenate(shifted, axis=-1).reshape(-1, _SIDE * _SIDE * images.shape[3])
    return (patches.T @ patches).astype(np.float64) / len(patches)
