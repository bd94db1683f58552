"""Anchors: boxes of several sizes and ratios around the middle of each place of a grid."""

from collections.abc import Sequence

import numpy as np


def anchors(
    grid: tuple[int, int],
    sizes: Sequence[float],
    ratios: Sequence[float],
    image: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return the anchors of a grid, [rows * columns * anchors of a place, 4] float32.

    At each place there is each size with the first ratio, and the first size with each other ratio.
    Of a size s and a ratio r the width is s * sqrt(r) * height / width of the image, and the height
    s / sqrt(r), so that a ratio of 1 is a square of pixels.

    Args:
        grid: its rows and columns.
        sizes: shares of the image's height.
        ratios: of widths to heights.
        image: height and width in pixels; as the grid where None.
    """
    rows, columns = grid
    height, width = image or grid
    shapes = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    half = np.array(
        [(s * np.sqrt(r) * height / width / 2, s / np.sqrt(r) / 2) for s, r in shapes], np.float64
    )
    x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
    middles = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2)
    boxes = np.concatenate([middles - half, middles + half], axis=-1)
    return boxes.reshape(-1, 4).astype(np.float32)
