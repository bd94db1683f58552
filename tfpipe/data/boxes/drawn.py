"""Objects that are drawn onto images, with their boxes: something to be found, in classes."""

from typing import NamedTuple

import numpy as np

from tfpipe.boxes.mistakes import overlap

_FINER = 4  # times finer than pixels, so that edges are smooth
_TRIES = 30  # places that are looked at for one that is free
_MOST_COMMON = 0.1  # intersection over union of two objects
_GOLDEN_RATIO = 0.6180339887
_YELLOW = 0.14  # the hue of the first class
_POINTS = 24  # of an arc


class Scene(NamedTuple):
    """An image with objects.

    Args:
        image: [height, width, 3] uint8.
        boxes: [objects, 6]: corners from 0 to 1, class, 0.
    """

    image: np.ndarray
    boxes: np.ndarray


def scene(
    background: np.ndarray,
    classes: int,
    objects: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> Scene:
    """Return an image with objects drawn on it, each turned, shaded and of another size.

    A class is a shape and a colour: the first is a yellow crescent, as a banana.

    Args:
        background: [height, width, 3] uint8, which stays as it is.
        classes: how many classes there are.
        objects: the smallest and the largest number of them.
        scale: the smallest and the largest of their longer sides, as shares of the image's height.
        rng: decides all of it.
    """
    image, boxes = background.copy(), list[list[float]]()
    for _ in range(int(rng.integers(objects[0], objects[1] + 1))):
        kind = int(rng.integers(classes))
        for _ in range(_TRIES):
            outline = _placed(_SHAPES[kind % len(_SHAPES)], image.shape, scale, rng)
            box = [*outline.min(axis=0), *outline.max(axis=0)]
            others = np.array(boxes).reshape(-1, 6)
            if overlap(np.array([box]), others).max(initial=0.0) <= _MOST_COMMON:
                _paint(image, outline, _colour(kind, rng), rng)
                boxes.append([*box, float(kind), 0.0])
                break
    corners = np.array(boxes, np.float64).reshape(-1, 6)
    corners[:, :4] /= np.array([image.shape[1], image.shape[0]] * 2)
    return Scene(image, corners.astype(np.float32))


def _placed(
    outline: np.ndarray,
    shape: tuple[int, ...],
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return an outline turned, scaled and moved to somewhere in an image, in pixels."""
    height, width = shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    turned = (
        outline
        @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        * np.array([rng.uniform(0.85, 1.15), 1.0])
    )
    turned -= turned.min(axis=0)
    longest = min(rng.uniform(*scale) * height, 0.9 * height, 0.9 * width)
    turned *= longest / turned.max()
    room = np.array([width, height]) - turned.max(axis=0)
    return np.asarray(turned + rng.uniform(0, 1, 2) * room)


def _paint(
    image: np.ndarray, outline: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    """Draw a shaded outline on an image."""
    from PIL import Image, ImageDraw

    height, width = image.shape[:2]
    left, top = np.floor(outline.min(axis=0)).astype(int)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int), (width, height))
    size = (right - left) * _FINER, (bottom - top) * _FINER
    mask = Image.new("L", size)
    points = [tuple(p) for p in ((outline - (left, top)) * _FINER).tolist()]
    ImageDraw.Draw(mask).polygon(points, fill=255)
    cover = np.asarray(mask.resize((right - left, bottom - top), Image.Resampling.BOX)) / 255.0
    y, x = np.mgrid[0 : bottom - top, 0 : right - left]
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x / (right - left) + np.sin(angle) * y / (bottom - top)
    shade = 1.0 + 0.3 * (along - along.mean())
    filling = np.clip(shade[..., None] * colour + rng.normal(0, 4, (*x.shape, 1)), 0, 255)
    part = image[top:bottom, left:right].astype(np.float64)
    mixed = part + cover[..., None] * (filling - part)
    image[top:bottom, left:right] = np.rint(mixed).astype(np.uint8)


def _colour(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Return a colour of a class, from 0 to 255."""
    import colorsys

    hue = (_YELLOW + kind * _GOLDEN_RATIO + rng.uniform(-0.02, 0.02)) % 1.0
    return 255 * np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.6, 0.9), rng.uniform(0.75, 1.0)))


def _arc(first: float, last: float, radius: float, x: float = 0.0) -> np.ndarray:
    angles = np.linspace(first, last, _POINTS)
    return np.stack([x + radius * np.cos(angles), radius * np.sin(angles)], axis=1)


_HALF_CROSS = [(-1, -0.3), (-0.3, -0.3), (-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3)]
# The outline of each class's shape, about 0 and of about 1.
_SHAPES = (
    # A banana: between an arc and a flatter one.
    np.concatenate([_arc(-1.15, 1.15, 1.0), _arc(0.72, -0.72, 1.15, -0.58)]),
    # A star of five points.
    np.where(np.arange(10) % 2, 0.42, 1.0)[:, None]
    * np.stack([f(np.arange(10) * np.pi / 5) for f in (np.cos, np.sin)], axis=1),
    _arc(0, 2 * np.pi, 1.0) * np.array([1.0, 0.8]),
    np.array([*_HALF_CROSS, *((-x, -y) for x, y in _HALF_CROSS)]),
    # A drop.
    np.concatenate([_arc(np.pi / 3, 5 * np.pi / 3, 0.6), [[1.2, 0.0]]]),
)
