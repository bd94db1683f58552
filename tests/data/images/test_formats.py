"""Pictures as cameras and browsers make them: formats, orientations, modes, names that lie."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.data import ImageFolder
from tfpipe.data.images.decoding import pixels
from tfpipe.data.images.formats import NotReadable, kind_of, read
from tfpipe.declare.spec import Feature

# Squares of eight pixels, so that a format which loses something loses little.
BLOCKS = np.kron(np.random.default_rng(0).integers(0, 2, (3, 4, 3)) * 200 + 20, np.ones((8, 8, 1)))
PICTURE = Image.fromarray(BLOCKS.astype(np.uint8))
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
# How a picture has to be stored so that the tag Orientation makes it upright.
TURN = Image.Transpose
STORED = dict(
    enumerate(
        (
            None,
            TURN.FLIP_LEFT_RIGHT,
            TURN.ROTATE_180,
            TURN.FLIP_TOP_BOTTOM,
            TURN.TRANSPOSE,
            TURN.ROTATE_90,
            TURN.TRANSVERSE,
            TURN.ROTATE_270,
        ),
        1,
    )
)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(kind: str, orientation: int, **options: Any) -> bytes:
    """A file of the picture as a camera stores it that was held in another way."""
    how = STORED[orientation]
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", orientation
    stored = PICTURE if how is None else PICTURE.transpose(how)
    return encoded(stored, kind, exif=exif, **FORMATS.get(kind, {}) | options)


@pytest.mark.parametrize("kind", FORMATS)
def test_all_eight_orientations_are_one_upright_picture(kind: str) -> None:
    in_graph = tf.function(lambda e: pixels(e, 3), [tf.TensorSpec([], tf.string)])
    for orientation in STORED:
        data = turned(kind, orientation)
        found, channels = read(data, 3)
        assert channels == 3
        np.testing.assert_allclose(found.astype(int), np.asarray(PICTURE), atol=3)
        if kind == "PNG":  # of which the tag may stand behind the pixels, too
            data = with_the_tag_behind(data)
            np.testing.assert_array_equal(read(data, 3)[0], found)
        if kind in ("JPEG", "PNG", "WEBP"):  # what an export takes
            image = in_graph(tf.constant(data)).numpy().astype(int)
            np.testing.assert_allclose(image, found, atol=1)


def with_the_tag_behind(png: bytes) -> bytes:
    """A PNG file whose EXIF stands after its pixels and many bytes of comments."""
    chunks, place = [], 8
    while place < len(png):
        size = 12 + int.from_bytes(png[place : place + 4])
        chunks.append(png[place : place + size])
        place += size
    exif = next(c for c in chunks if c[4:8] == b"eXIf")
    text = b"tEXt" + b"Comment\0" + b"x" * 150_000
    comment = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    others = [c for c in chunks if c is not exif]
    return png[:8] + b"".join([*others[:-1], comment, exif, others[-1]])


def with_alpha(mode: str) -> Image.Image:
    image = PICTURE.copy()
    image.putalpha(128)
    return image.convert(mode)


ODD: dict[str, Callable[[], bytes]] = {
    "grey.png": lambda: encoded(PICTURE.convert("L"), "PNG"),
    "grey_alpha.png": lambda: encoded(with_alpha("LA"), "PNG"),
    "alpha.png": lambda: encoded(with_alpha("RGBA"), "PNG"),
    "alpha.webp": lambda: encoded(with_alpha("RGBA"), "WEBP", lossless=True),
    "palette.png": lambda: encoded(PICTURE.quantize(), "PNG"),
    "palette.gif": lambda: encoded(PICTURE.quantize(), "GIF"),
    "palette.bmp": lambda: encoded(PICTURE.quantize(), "BMP"),
    "cmyk.jpg": lambda: encoded(PICTURE.convert("CMYK"), "JPEG", **FORMATS["JPEG"]),
    "moving.gif": lambda: encoded(PICTURE, "GIF", save_all=True, append_images=[with_alpha("L")]),
    "moving.webp": lambda: encoded(
        PICTURE, "WEBP", lossless=True, save_all=True, append_images=[PICTURE.rotate(180)]
    ),
    "lies.png": lambda: encoded(PICTURE, "JPEG", **FORMATS["JPEG"]),
    "lies.jpg": lambda: encoded(PICTURE, "TIFF"),
    "without_ending": lambda: encoded(PICTURE, "PNG"),
}


def test_odd_files_among_colour_ones_become_colour_and_it_is_said_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(20):
            (folder / f"{number}.jpg").write_bytes(encoded(PICTURE, "JPEG", **FORMATS["JPEG"]))
        for file, make in ODD.items():
            (folder / file).write_bytes(make())
        (folder / "notes.txt").write_text("a cat")
        (folder / "Thumbs.db").write_bytes(b"\0\1")
        (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    source = ImageFolder(str(tmp_path), validation=None)
    assert source.spec().splits == {"train": 2 * (20 + len(ODD))}
    (batch,) = source.input_fn("train", batch_size=66, shuffle=False).as_numpy_iterator()
    grey = np.asarray(PICTURE.convert("L"))[..., None]
    names = sorted([*ODD, *(f"{n}.jpg" for n in range(20))]) * 2
    for name, image in zip(names, batch[0], strict=True):
        expected = grey if name.startswith("grey") else np.asarray(PICTURE)
        np.testing.assert_allclose(image.astype(int), expected + np.zeros((1, 1, 3)), atol=12)
    assert source.notes() == [
        "6 files in the class folders that are no images: 2 .db, 2 .heic, 2 .txt. Left out.",
        "8 of 66 images were converted to colour (2 grey, 2 grey with transparency, 4 colour with "
        "transparency). data.channels declares it otherwise.",
    ]


def test_bytes_of_sixteen_bits_keep_the_high_ones(tmp_path: Path) -> None:
    deep = (np.arange(32, dtype=np.uint16) * 2000).reshape(4, 8)
    for kind in ("PNG", "TIFF"):
        found, channels = read(encoded(Image.fromarray(deep), kind), 1)
        assert channels == 1
        np.testing.assert_array_equal(found[..., 0], deep // 256)
    bytes_of_32_bits = Image.fromarray(np.arange(32, dtype=np.int32).reshape(4, 8) * 8)
    found, _ = read(encoded(bytes_of_32_bits, "TIFF"), 1)
    np.testing.assert_array_equal(found[..., 0], np.asarray(bytes_of_32_bits))
    image = pixels(tf.constant(encoded(Image.fromarray(deep), "PNG")), 1).numpy()
    np.testing.assert_allclose(image[..., 0].astype(int), deep // 256, atol=1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"hello, I am a text", "is no JPEG, PNG, GIF, BMP, WebP, TIFF or AVIF image"),
        (b"BMW and other cars", "is no JPEG, PNG, GIF, BMP, WebP, TIFF or AVIF image"),
        (
            encoded(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF"),
            "holds numbers beyond 16 bits, and images of bytes are expected",
        ),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0",
            "is a HEIC image, which cannot be read: convert it to JPEG",
        ),
        (encoded(PICTURE, "TIFF")[:500], "is truncated or damaged (TIFF)"),
        (encoded(PICTURE, "AVIF")[:300], "is truncated or damaged (AVIF)"),
        (encoded(PICTURE, "WEBP")[:60], "is truncated or damaged (WebP)"),
        (
            encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
            "holds real numbers, and images of bytes are expected",
        ),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(NotReadable) as refused:
        read(data, 3)
    assert str(refused.value) == why


def test_a_picture_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(NotReadable) as refused:
        read(encoded(PICTURE, "PNG"), 3)
    assert str(refused.value) == "has more than 200 pixels (PNG)"


def test_a_webp_that_moves_is_an_error_for_an_export_and_not_its_end() -> None:
    """TensorFlow's own decode_image ends the whole process for four channels."""
    data = ODD["moving.webp"]()
    assert kind_of(data) == "WebP"
    for channels in (3, 4):
        with pytest.raises(tf.errors.InvalidArgumentError, match="a WebP image that moves"):
            pixels(tf.constant(data), channels)
    for channels in (1, 3, 4):
        for alpha in (False, True):
            image = with_alpha("RGBA") if alpha else PICTURE
            still = encoded(image, "WEBP", lossless=True)
            found = pixels(tf.constant(still), channels).numpy().astype(int)
            np.testing.assert_allclose(found, read(still, channels)[0], atol=1)


def test_a_feature_says_nothing_of_formats() -> None:
    """Prediction reads whatever training does."""
    from tfpipe.data.images.files import decoded

    feature = Feature("image", (24, 32, 3), "uint8", "image")
    with pytest.raises(NotReadable, match="cannot be read: No such file or directory"):
        decoded(Path("nowhere.png"), feature)
