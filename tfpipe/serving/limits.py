"""What is looked at before anything is decoded: how large a body is, and how large an image."""

import asyncio
import contextlib
import io
import warnings
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tfpipe.serving.refusals import RequestRefused, overloaded, wrong
from tfpipe.text import listed

_PATIENCE = 1.0  # seconds that the rest of a body that is too large may take
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
_PNG, _JPEG, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8"
_ENCODINGS = ("gzip", "deflate")
_EITHER = 32  # tells zlib to look which of the two it is
_GIF_FRAME = 0x2C
_GIF_BLOCKS = (_GIF_FRAME, 0x21)  # 0x21 is an extension


class Bodies:
    """The bodies that are held at a time, of all requests together.

    Args:
        most: their bytes, at most.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Give room to a body until its request is answered.

        Yields:
            takes the bytes of each part that has come, and raises RequestRefused when all bodies
            together are too large.
        """
        own = 0

        def take(size: int) -> None:
            nonlocal own
            if self._held + size > self._most:
                raise overloaded()
            own += size
            self._held += size

        try:
            yield take
        finally:
            self._held -= own


async def body_of(
    receive: Callable[[], Awaitable[Any]],
    declared: str | None,
    limit: int,
    take: Callable[[int], None],
) -> bytes:
    """Return a request's body.

    Args:
        receive: gives its parts, as ASGI says.
        declared: its Content-Length.
        limit: how many bytes it may have.
        take: told the size of each part; raises when there is no room for it.

    Raises:
        RequestRefused: when it is larger, before more than that is read, when there is no room, or
            the client has gone.
    """
    too_large = RequestRefused(
        413, f"The body is larger than {limit:,} bytes.", {"Connection": "close"}
    )
    if declared is not None and declared.isdigit() and int(declared) > limit:
        await _drop(receive, limit)
        raise too_large
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(499, "The client has gone.")
        parts.append(message.get("body", b""))
        take(len(parts[-1]))
        size += len(parts[-1])
        if size > limit:
            await _drop(receive, limit)
            raise too_large
        if not message.get("more_body", False):
            return b"".join(parts)


async def _drop(receive: Callable[[], Awaitable[Any]], most: int) -> None:
    """Read on for a moment, and forget it: whoever is still sending would not hear the answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while most > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                most -= len(message["body"])


def inflated(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body that came compressed, as it was before.

    Args:
        body: what came.
        encoding: how, as Content-Encoding says.
        limit: how many bytes it may have in the end.

    Raises:
        RequestRefused: when it is larger, damaged, or compressed otherwise.
    """
    if encoding not in _ENCODINGS:
        raise RequestRefused(
            415, f"The body is encoded as {encoding[:40]!r}; {listed(_ENCODINGS)} can be read."
        )
    reading = zlib.decompressobj(zlib.MAX_WBITS | _EITHER)
    try:
        plain = reading.decompress(body, limit + 1)
    except zlib.error as error:
        raise wrong(f"The body is not what Content-Encoding: {encoding} says: {error}") from None
    if len(plain) > limit:
        raise RequestRefused(413, f"The body is larger than {limit:,} bytes.")
    if not reading.eof:
        raise wrong(f"The body breaks off, as Content-Encoding: {encoding} reads it.")
    return plain


def check_images(encoded: Sequence[bytes], max_pixels: int) -> list[int]:
    """Return the pixels of each file; refuse what is no image, is too large, or breaks off.

    Args:
        encoded: their contents.
        max_pixels: width times height, at most; of a GIF's frames together.

    Raises:
        RequestRefused: it names the sample.
    """
    found = []
    for number, content in enumerate(encoded):
        width, height = size_of(content, number)
        frames = frames_of(content) if content.startswith(_GIF) else 1
        found.append(width * height * frames)
        if found[-1] > max_pixels:
            of_frames = f" in {frames:,} frames" if frames > 1 else ""
            raise RequestRefused(
                413,
                f"Sample {number} is an image of {width}x{height} pixels{of_frames}; at most "
                f"{max_pixels:,} are decoded.",
            )
    return found


def frames_of(gif: bytes) -> int:
    """Return how many frames a GIF has, all of which are decoded although the first is taken."""
    place = 13 + (3 << (gif[10] & 7) + 1 if gif[10] & 0x80 else 0)  # after the table of colours
    frames = 0
    while place < len(gif) and gif[place] in _GIF_BLOCKS:
        if gif[place] == _GIF_FRAME:
            frames += 1
            flags = gif[place + 9] if place + 9 < len(gif) else 0
            place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        else:
            place += 2
        while place < len(gif) and gif[place]:  # parts, each behind its length
            place += 1 + gif[place]
        place += 1
    return max(1, frames)


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
    if content.startswith(_JPEG):
        if content.find(b"\xff\xd9", 2) < 0:
            raise wrong(f"Sample {number} is a JPEG image that breaks off.")
        if size := _size_of_jpeg(content):
            return size
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                return image.size
    except Image.DecompressionBombError as error:
        raise RequestRefused(413, f"Sample {number} is too large: {error}") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        from tfpipe.data.images.formats import kind_of

        kind = kind_of(content)
        raise wrong(
            f"Sample {number} is no image that can be read ({kind or 'unknown'}, "
            f"{len(content):,} bytes); JPEG, PNG, GIF, BMP and still WebP can."
        ) from None


def _size_of_jpeg(content: bytes) -> tuple[int, int] | None:
    """Return (width, height) as the frame's header says; None where that is not plain to see.

    Pillow reads the tables as well, which takes a tenth of the time of a small image's answer.
    """
    place = 2
    while place + 9 < len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # tables, and none
            height, width = content[place + 5 : place + 7], content[place + 7 : place + 9]
            return int.from_bytes(width), int.from_bytes(height)
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:  # it has no length, which may hide a frame
            return None
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return None
