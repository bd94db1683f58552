"""Signs that were written by hand, as MNIST has them: cut out, scaled, their mass in the middle.

A picture may be a photograph in uneven light, dark ink on light paper or light on dark.
"""

import numpy as np

_SIDE = 160  # pixels, to which larger pictures are shrunk
_INK = 20 / 28  # of the picture's side that the ink takes, as in MNIST
_SMALL = 64  # pixels, up to which noise is not smoothed away: lines are thin
_PASSES = 8
_FAINT = 0.08  # of the range of grey: ink that is less is none


def centred(grey: np.ndarray, size: tuple[int, ...] = (28, 28)) -> np.ndarray:
    """Return the ink of a picture as MNIST has its digits: light on dark, centred by its mass.

    A picture that has the size already is only turned to light on dark.

    Args:
        grey: [height, width] of 0 to 255.
        size: (height, width) of what is returned; the ink takes 20 of each 28 pixels.

    Returns:
        [height, width] uint8; of an empty sheet all 0.
    """
    from PIL import Image

    if grey.shape == tuple(size):
        border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
        return np.asarray(255 - grey if np.median(border) > 127 else grey, np.uint8)
    picture = Image.fromarray(np.asarray(grey, np.uint8))
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    ink = ink_of(np.asarray(picture, np.float64))
    image = np.zeros(size, np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return image
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(_INK * side / length for side, length in zip(size, cut.shape, strict=True))
    height, width = (max(1, round(length * scale)) for length in cut.shape)
    levels = Image.fromarray(np.float32(cut)).resize((width, height), Image.Resampling.BOX)
    small = np.asarray(levels)
    small = small / small.max()
    middle = [(small * place).sum() / small.sum() for place in np.indices(small.shape)]
    top, left = (
        int(np.clip(round((side - 1) / 2 - at), 0, side - length))
        for side, at, length in zip(size, middle, small.shape, strict=True)
    )
    image[top : top + height, left : left + width] = np.round(255 * small)
    return image


def ink_of(grey: np.ndarray) -> np.ndarray:
    """Return how much ink each pixel has, from 0 to 1, whatever the light; 0 where there is paper.

    The paper's grey is a surface of the second order, fitted to most of the pixels; those far from
    it are ink, and tell by their side whether the paper is light.

    Args:
        grey: [height, width] of 0 to 255.
    """
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    some = terms[:, ::2, ::2].reshape(len(terms), -1)
    values = grey[::2, ::2].reshape(-1)
    kept = np.ones(len(values), bool)
    for _ in range(_PASSES):
        paper = some[:, kept]
        weights = np.linalg.solve(paper @ paper.T + 1e-6 * np.eye(6), paper @ values[kept])
        away = values - weights @ some
        spread = 1.4826 * np.median(np.abs(away[kept]))
        kept = np.abs(away) <= max(2.5 * spread, 2.0)
    surface = np.clip(np.tensordot(weights, terms, 1), 1.0, 254.0)
    light = away[~kept].sum() < 0
    span = surface if light else 255.0 - surface
    ink = np.clip((surface - grey if light else grey - surface) / span, 0.0, 1.0)
    if min(height, width) > _SMALL:
        ink = _smoothed(ink)
    strongest = ink.max()
    if strongest < _FAINT:
        return np.zeros_like(ink)
    least = np.maximum(1.5 * spread / span, 0.25 * np.quantile(ink[ink > 0.5 * strongest], 0.5))
    return np.where(ink < least, 0.0, ink)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return the mean of each pixel and its eight neighbours."""
    padded = np.pad(values, 1, mode="edge")
    height, width = values.shape
    shifted = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.asarray(np.mean(shifted, axis=0))
