"""Boxes with their labels, drawn onto an image."""

import colorsys
from collections.abc import Sequence

import numpy as np

Colour = tuple[int, int, int]
Corners = tuple[float, float, float, float]

_LINES = 250  # the longer side of an image over this is how many pixels wide a line is
_LETTERS = 32  # and over this how many pixels high the letters of a label
_SMALLEST = 10  # letters that can be read, in pixels
_TURN = 0.6180339887  # of the circle of hues, from a class to the next: the golden ratio
_FIRST = 0.98  # the hue of the first class, a red
_BRIGHT = 140  # luminance above which letters on a colour are black


def colour_of(number: int) -> Colour:
    """Return the colour of a class, which differs from those of its neighbours.

    Args:
        number: of the class, from 0.

    Example:
        colour_of(0)  # (242, 24, 50), a red
    """
    hue = (_FIRST + number * _TURN) % 1.0
    saturation = (0.9, 0.6)[number // 8 % 2]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def with_boxes(image: np.ndarray, boxes: Sequence[tuple[str, Corners, Colour]]) -> np.ndarray:
    """Return a copy of an image with boxes drawn on it; the first ones lie above the others.

    A line has a dark border and a label its own background, so both are seen on any photograph.
    A label stands above its box, or in it where there is no room above.

    Args:
        image: [height, width, 3] uint8.
        boxes: (label, (x1, y1, x2, y2) in pixels, colour) of each; an empty label draws no text.

    Example:
        with_boxes(photograph, [("banana 0.93", (12.0, 30.5, 90.0, 71.0), colour_of(0))])
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(np.ascontiguousarray(image))
    draw = ImageDraw.Draw(picture)
    longest = max(picture.size)
    line = max(1, round(longest / _LINES))
    font = ImageFont.load_default(max(_SMALLEST, round(longest / _LETTERS)))
    last = (picture.width - 1, picture.height - 1)
    for label, corners, colour in reversed(boxes):
        x1, x2 = np.clip(np.rint((corners[0], corners[2] - 1)), 0, last[0]).astype(int).tolist()
        y1, y2 = np.clip(np.rint((corners[1], corners[3] - 1)), 0, last[1]).astype(int).tolist()
        left, top, right, bottom = x1, y1, max(x1, x2), max(y1, y2)
        border = (left - 1, top - 1, right + 1, bottom + 1)
        draw.rectangle(border, outline=(0, 0, 0), width=line + 2)
        draw.rectangle((left, top, right, bottom), outline=colour, width=line)
        if not label:
            continue
        _, _, width, height = map(round, draw.textbbox((0, 0), label, font=font))
        x = min(left, max(0, last[0] - width - 4))
        y = top - height - 4 if top >= height + 4 else top + line
        draw.rectangle((x, y, x + width + 4, y + height + 3), fill=colour)
        red, green, blue = colour
        bright = 0.299 * red + 0.587 * green + 0.114 * blue > _BRIGHT
        draw.text((x + 2, y + 1), label, font=font, fill=(0, 0, 0) if bright else (255, 255, 255))
    return np.asarray(picture)
