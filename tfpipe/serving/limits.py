"""What is looked at before anything is decoded: how large a body is, and how large an image."""

import io
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tfpipe.data.images.formats import kind_of
from tfpipe.serving.refusals import RequestRefused, wrong

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


async def body_of(receive: Callable[[], Awaitable[Any]], declared: str | None, limit: int) -> bytes:
    """Return a request's body.

    Args:
        receive: gives its parts, as ASGI says.
        declared: its Content-Length.
        limit: how many bytes it may have.

    Raises:
        RequestRefused: when it is larger, before more than that is read, or the client has gone.
    """
    too_large = RequestRefused(
        413, f"The body is larger than {limit:,} bytes.", {"Connection": "close"}
    )
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(499, "The client has gone.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise too_large
        if not message.get("more_body", False):
            return b"".join(parts)


def check_images(encoded: Sequence[Any], max_pixels: int) -> None:
    """Refuse files that are no images, are too large to decode, or break off.

    Args:
        encoded: their contents.
        max_pixels: width times height, at most.

    Raises:
        RequestRefused: it names the sample.
    """
    for number, content in enumerate(encoded):
        width, height = size_of(content, number)
        if width * height > max_pixels:
            raise RequestRefused(
                413,
                f"Sample {number} is an image of {width}x{height} pixels; at most {max_pixels:,} "
                "are decoded.",
            )


def size_of(content: bytes, number: int = 0) -> tuple[int, int]:
    """Return (width, height) of an encoded image, from its header alone.

    Args:
        content: the file.
        number: which sample it is, to be named.

    Raises:
        RequestRefused: when it is none, or breaks off.
    """
    if content.startswith(_PNG) and len(content) >= 33:
        if b"IEND" not in content[-64:]:
            raise wrong(f"Sample {number} is a PNG image that breaks off.")
        return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    if content.startswith(_JPEG) and b"\xff\xd9" not in content[2:]:
        raise wrong(f"Sample {number} is a JPEG image that breaks off.")
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                return image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        kind = kind_of(content)
        raise wrong(
            f"Sample {number} is no image that can be read ({kind or 'unknown'}, "
            f"{len(content):,} bytes); JPEG, PNG, GIF, BMP and still WebP can."
        ) from None
