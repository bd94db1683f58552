"""Pictures: an image to begin with, and one whose style is wanted, from which one is painted."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tfpipe.data.columns import Columns
from tfpipe.data.sources.base import StoredSplits
from tfpipe.declare.field_types import Positive
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError

if TYPE_CHECKING:
    import numpy as np

CONTENT, STYLE = "content", "style"


class Pictures(StoredSplits):
    """What a picture is painted from: the content, and for some models the style.

    Both are resized bilinearly, antialiased, to the size of the picture. There is one sample, and
    nothing is held out.

    Args:
        content: the image file to begin with.
        style: the image file whose style is wanted; None for models that need none.
        height: pixels of the picture; its width follows from the content's proportions. None for
            the content's own.

    Raises:
        DataError: for a file that cannot be read.

    Example:
        data = Pictures("paris.jpg", style="starry_night.jpg", height=400)
    """

    content: str
    style: str | None = None
    height: Positive | None = None

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        features = tuple(
            Feature(name, image.shape, "uint8", "image") for name, image in self._images.items()
        )
        return features, Label("picture", "picture")

    def label_reading(self) -> str:
        return ""

    def read_from(self) -> list[Path]:
        return [Path(file).expanduser() for file in (self.content, self.style) if file]

    def verify(self, cache: bool | str = "auto") -> None:
        _ = self._images

    def _stored_sizes(self) -> dict[str, int]:
        return {"train": 1}

    def _stored_places(self, stored: str) -> Sequence[str]:
        return [self.content]

    def _read(self, stored: str) -> Columns:
        import numpy as np

        features = {name: image[None] for name, image in self._images.items()}
        return Columns(features, np.zeros(1, np.float32))

    @cached_property
    def _images(self) -> "dict[str, np.ndarray]":
        content = self._pixels(CONTENT, self.content)
        height = self.height or content.shape[0]
        size = (height, max(1, round(content.shape[1] * height / content.shape[0])))
        images = {CONTENT: _resized(content, size)}
        if self.style is not None:
            images[STYLE] = _resized(self._pixels(STYLE, self.style), size)
        return images

    def _pixels(self, field: str, file: str) -> "np.ndarray":
        from tfpipe.data.images.formats import NotReadable, read

        path = Path(file).expanduser()
        try:
            return read(path.read_bytes(), 3)[0]
        except OSError as error:
            raise DataError(
                f"Pictures.{field}: {path.absolute()} cannot be read: {error.strerror}. Set "
                f"data.{field}, or try the pipeline without it by --sample."
            ) from None
        except NotReadable as error:
            raise DataError(f"Pictures.{field}: {path.absolute()} {error}.") from None


def _resized(image: "np.ndarray", size: tuple[int, int]) -> "np.ndarray":
    import numpy as np
    from PIL import Image

    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized)


class SamplePictures(Pictures):
    """Generated pictures in place of files.

    Args:
        seed: the same seed makes the same pictures.
    """

    internal: ClassVar[bool] = True
    stands_in: ClassVar[bool] = True
    seed: int = 0

    def read_from(self) -> list[Path]:
        return []

    def _pixels(self, field: str, file: str) -> "np.ndarray":
        from tfpipe.data.images.sample_images import sample_images

        return sample_images(1, self.height or 96, 3, self.seed + (field == STYLE))[0]


def sample_pictures_of(source: Pictures, seed: int) -> SamplePictures:
    """Return generated pictures in place of a source's own, of 96 pixels at the most."""
    height = min(source.height or 96, 96)
    return SamplePictures("content", source.style and "style", height, seed=seed)
