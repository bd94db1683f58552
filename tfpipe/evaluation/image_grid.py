"""Samples side by side in one picture, each with its caption."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfpipe.evaluation.samples import Shown

_COLUMNS = 8
_LEAST, _MOST = 96, 128  # pixels of the longer side of a sample
_ROOM = 6  # pixels between samples
_LINE, _LETTERS = 15, 11  # pixels of a line of a caption, and of its letters
# Of captions: what is no answer, what is right and what is wrong.
_COLOURS = {None: "#010203", True: "#1668b0", False: "#c0282d"}


class Tile(NamedTuple):
    """A sample of a grid.

    Args:
        sample: how it looks; one that has an image.
        caption: "cat 87% (dog)"; what is in brackets stands in a line of its own.
        right: whether it is what is true, which colours it; None for what is no answer.
    """

    sample: Shown
    caption: str
    right: bool | None = None


def image_grid(tiles: Sequence[Tile]) -> np.ndarray:
    """Return [height, width, 3] bytes, on white.

    Args:
        tiles: at least one, row by row.
    """
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    letters = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")  # of most alphabets
    font = ImageFont.truetype(str(letters), _LETTERS)
    files = (io.BytesIO(tile.sample.png(_LEAST, _MOST)) for tile in tiles)
    pictures = [Image.open(file).convert("RGB") for file in files]
    lines = [_lines(tile.caption) for tile in tiles]
    width = max(_LEAST, *(picture.width for picture in pictures)) + _ROOM
    height = max(picture.height for picture in pictures)
    below = height + _LINE * max(map(len, lines)) + _ROOM
    columns = min(_COLUMNS, len(tiles))
    size = (columns * width + _ROOM, -(-len(tiles) // columns) * below + _ROOM)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for place, (tile, picture, texts) in enumerate(zip(tiles, pictures, lines, strict=True)):
        row, column = divmod(place, columns)
        x, y = column * width + _ROOM, row * below + _ROOM
        sheet.paste(picture, (x, y))
        for line, text in enumerate(texts):
            while len(text) > 1 and pen.textlength(text, font) > width - _ROOM:
                text = f"{text.rstrip('…')[:-1]}…"
            place_of_text = (x, y + height + line * _LINE + 1)
            pen.text(place_of_text, text, _COLOURS[tile.right], font)
    return np.asarray(sheet)


def _lines(caption: str) -> list[str]:
    """What is answered, and what is true."""
    answer, bracket, true = caption.rpartition(" (")
    return [answer, f"({true}"] if bracket else [caption]
