"""What an image file is, told by its content, and the reading of what TensorFlow cannot or may not.

TensorFlow reads JPEG and PNG, with threads and in an export. Pillow reads the rest where training
and prediction open files: GIF, BMP, WebP, TIFF and AVIF, of which TensorFlow knows some in part (a
BMP with a palette comes out wrong, a WebP that moves ends the process).
"""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from PIL.Image import Image as Picture

# By file name; content decides how one is read.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    ".avif",
)
READABLE = "JPEG, PNG, GIF, BMP, WebP, TIFF or AVIF image"
OF_TENSORFLOW = ("JPEG", "PNG")

_ORIENTATION = 0x0112  # EXIF's tag; from 5 on height and width are exchanged
_START = 16  # bytes that tell what a file is
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC"}
_CHANNELS = {"1": 1, "L": 1, "LA": 2, "La": 2, "I": 1, "F": 1, "RGBA": 4, "RGBa": 4, "PA": 4}
_COLOURS = {
    1: "grey",
    2: "grey with transparency",
    3: "colour",
    4: "colour with transparency",
}
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class NotReadable(Exception):
    """A file holds no image that can be read; the message says why, after the file's name."""


def kind_of(encoded: bytes) -> str:
    """Return what a file is, such as "JPEG"; empty for what is no image that is known."""
    start = encoded[:_START]
    for magic, kind in _MAGIC.items():
        if start.startswith(magic) and (kind != "BMP" or start[6:10] == bytes(4)):  # BMW, a text
            return kind
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    return _BRANDS.get(start[8:12], "") if start[4:8] == b"ftyp" else ""


def upright_size(file: "Path | BinaryIO") -> tuple[int, int]:
    """Return (height, width) of an image, turned as the camera noted, by its header.

    Args:
        file: its path, or what is open to be read.

    Raises:
        NotReadable: for what is no image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with _quiet(), Image.open(file) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) >= 5
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError):
        raise NotReadable(f"is no {READABLE}, or a damaged one") from None
    except OSError as error:
        raise NotReadable(f"cannot be read: {error.strerror or error}") from None
    return (width, height) if turned else (height, width)


def is_image(path: str) -> bool:
    """Return whether a file is an image that can be read, as its first bytes say."""
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(_START)) not in ("", "HEIC")
    except OSError:
        return False


def converted(counts: Mapping[int, int], channels: int) -> list[str]:
    """Return the note that images were converted to the channels of the others; or none.

    Args:
        counts: how many images have so many channels.
        channels: what all of them have now.
    """
    others = {n: count for n, count in sorted(counts.items()) if n != channels}
    if not others:
        return []
    listing = ", ".join(f"{count:,} {_COLOURS[n]}" for n, count in others.items())
    return [
        f"{sum(others.values()):,} of {sum(counts.values()):,} images were converted to "
        f"{_COLOURS[channels]} ({listing}). data.channels declares it otherwise."
    ]


def read(encoded: bytes, channels: int) -> "tuple[np.ndarray, int]":
    """Return the upright pixels of an image's first picture, and how many channels it has.

    Args:
        encoded: the file's content.
        channels: 1, 3 or 4 of the pixels; 0 for those that the file has.

    Returns:
        uint8 [height, width, channels]; and 1 for grey, 2 for grey with transparency, 3 for
        colour, 4 for colour with transparency, as the file has it.

    Raises:
        NotReadable: for what is no image, is damaged, or holds more than can be shown.
    """
    import numpy as np
    from PIL import Image, ImageOps

    kind = kind_of(encoded)
    if kind in ("", "HEIC"):
        other = "is a HEIC image, which cannot be read: convert it to JPEG"
        raise NotReadable(other if kind else f"is no {READABLE}" if encoded else "is empty")
    try:
        with _quiet(), Image.open(io.BytesIO(encoded)) as opened:
            own = _CHANNELS.get(opened.mode.partition(";")[0], 3)
            picture = ImageOps.exif_transpose(_in_bytes(opened))
            mode = _MODES.get(channels or (1 if own == 2 else own), "RGB")
            pixels = np.asarray(picture.convert(mode), np.uint8)
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise NotReadable(f"has more than {most:,} pixels ({kind})") from None
    except (OSError, ValueError, SyntaxError, EOFError):  # as Pillow's readers raise
        raise NotReadable(f"is truncated or damaged ({kind})") from None
    return pixels if pixels.ndim == 3 else pixels[..., None], own


@contextmanager
def _quiet() -> Iterator[None]:
    """Open what has more than 89 million pixels without a warning; twice as many are refused."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _in_bytes(image: "Picture") -> "Picture":
    """Return a picture of 16 or 32 bits a pixel in 8: the high ones of 16, or all it takes."""
    import numpy as np
    from PIL import Image

    if image.mode not in ("I", "F") and not image.mode.startswith("I;"):
        return image
    values = np.asarray(image)
    if image.mode == "F":
        raise NotReadable("holds real numbers, and images of bytes are expected")
    most = int(values.max(initial=0))
    if most > 65535 or values.min(initial=0) < 0:
        raise NotReadable("holds numbers beyond 16 bits, and images of bytes are expected")
    in_bytes = image.mode == "I" and most <= 255
    return Image.fromarray((values if in_bytes else values // 256).astype(np.uint8))
