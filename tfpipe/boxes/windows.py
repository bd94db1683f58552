"""Windows that slide over an image and over smaller copies of it, its pyramid."""

from typing import NamedTuple

import numpy as np

Size = tuple[int, int]


class Level(NamedTuple):
    """One copy of an image, and where windows lie in it.

    Args:
        size: (height, width) of the copy.
        corners: [windows, 2] int32: (top, left) of each in its pixels, row by row.
    """

    size: Size
    corners: np.ndarray


def pyramid(image: Size, window: Size, step: int, shrink: float) -> list[Level]:
    """Return the copies of an image that a window fits in, from its own size down.

    Args:
        image: (height, width).
        window: (height, width).
        step: pixels from one window to the next, to the right and down.
        shrink: how many times as large a copy is as the next one; above 1.
    """
    levels: list[Level] = []
    while True:
        scale = shrink ** len(levels)
        height, width = (round(side / scale) for side in image)
        if height < window[0] or width < window[1]:
            return levels
        rows = np.arange(0, height - window[0] + 1, step)
        columns = np.arange(0, width - window[1] + 1, step)
        corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        levels.append(Level((height, width), corners.astype(np.int32)))


def shares(level: Level, window: Size) -> np.ndarray:
    """Return the windows of a level as boxes (x1, y1, x2, y2) from 0 to 1, [windows, 4] float32.

    Args:
        level: the copy.
        window: (height, width).
    """
    first = level.corners[:, ::-1].astype(np.float64)
    boxes = np.concatenate([first, first + np.array(window[::-1])], axis=1)
    return (boxes / np.array([*level.size[::-1]] * 2)).astype(np.float32)
