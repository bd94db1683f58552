"""DrawnObjects: a set to try a detector on, of objects that are drawn on photographs."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import annotated_types

from tfpipe.data.boxes.annotations import Annotation, Checked
from tfpipe.data.broken_input import OnBad
from tfpipe.data.sources.base import HeldOut
from tfpipe.data.sources.boxes.box_images import BoxImages, Fit, Side
from tfpipe.declare.field_types import Count, Positive
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.data.boxes.drawn import Scene

Share = Annotated[float, annotated_types.Gt(0), annotated_types.Le(0.9)]

_SAMPLES = 256
_HELD_OUT = 0.2  # of the photographs
_PARTS = ("train", "validation", "test")


class DrawnObjects(BoxImages):
    """Objects that are drawn on photographs, with their boxes: coloured, shaded, turned, scaled.

    Each image is a part of a photograph, drawn with the seed, and on it a number of objects. A
    class is a shape and a colour; the first is a yellow crescent. What is held out has photographs
    of its own: the last fifth of the files.

    Args:
        path: a folder of photographs, at any depth.
        size: (height, width) of the images.
        count: how many images to train on.
        validation: how many others to validate on, or None.
        test: the same for the test.
        objects: the smallest and the largest number of objects in an image.
        scale: the smallest and the largest longer side of an object, as shares of the height.
        classes: the names of the classes.
        seed: the same seed makes the same images.

    Raises:
        ConfigError: for an empty range.
        DataError: for a folder without photographs.

    Example:
        data = DrawnObjects("photographs", count=1000, test=100)
    """

    path: str
    size: tuple[Side, Side] = (256, 256)
    count: Positive = 1000
    validation: Positive | None = 100
    test: Positive | None = 100
    objects: tuple[Count, Positive] = (1, 1)
    scale: tuple[Share, Share] = (0.25, 0.5)
    classes: tuple[str, ...] = ("banana",)
    seed: Count = 0
    fit: ClassVar[Fit] = "stretch"
    on_bad: ClassVar[OnBad] = "error"

    def validate(self) -> None:
        """Refuse empty ranges."""
        super().validate()
        for name, (low, high) in (("objects", self.objects), ("scale", self.scale)):
            if low > high:
                raise ConfigError(
                    f"DrawnObjects.{name}=({low}, {high}) should be the smallest and then the "
                    f"largest: {name}=({high}, {low})."
                )
        if not self.classes:
            raise ConfigError("DrawnObjects.classes is empty: name at least one class.")

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        return (
            None if self.validation is None else "validation",
            None if self.test is None else "test",
        )

    @cached_property
    def _element(self) -> tuple[tuple[Feature, ...], Label]:
        return self._described(self.classes, self.objects[1])

    def _sizes(self) -> dict[str, int]:
        counts = (self.count, self.validation, self.test)
        return {name: n for name, n in zip(_PARTS, counts, strict=True) if n}

    def _stored_sizes(self) -> dict[str, int]:
        return self._sizes()

    def _annotations(self, stored: str) -> Sequence[Annotation]:
        return ()

    def _checked(self, stored: str) -> Checked:
        def drawn() -> Checked:
            scenes = self._scenes(stored)
            names = [Path(f"{stored} image {i}") for i in range(1, len(scenes) + 1)]
            boxes = [s.boxes for s in scenes]
            return Checked(names, [self.size] * len(scenes), boxes)

        return self._once(("checked", stored), drawn)

    def _images(self, stored: str, kept: bool) -> "np.ndarray":
        import numpy as np

        from tfpipe.data.tensors import aligned

        def joined() -> "np.ndarray":
            scenes = self._scenes(stored)
            rows = aligned((len(scenes), *self.size, 3))
            np.stack([s.image for s in scenes], out=rows)
            return rows

        return self._once(("images", stored), joined)

    def _scenes(self, stored: str) -> "list[Scene]":
        import numpy as np

        from tfpipe.data.boxes.drawn import scene

        def drawn() -> "list[Scene]":
            rng = np.random.default_rng([self.seed, _PARTS.index(stored)])
            return [
                scene(
                    self._background(stored, rng),
                    len(self.classes),
                    self.objects,
                    self.scale,
                    rng,
                )
                for _ in range(self._sizes()[stored])
            ]

        return self._once(("scenes", stored), drawn)

    def _background(self, stored: str, rng: "np.random.Generator") -> "np.ndarray":
        """Return a part of a photograph, of the height and width that are declared."""
        import numpy as np
        from PIL import Image

        some = self._photographs[stored != "train"]
        photograph = some[int(rng.integers(len(some)))]
        height, width = photograph.shape[:2]
        # A part of at least half of each side, of the image's proportions.
        longest = min(height / self.size[0], width / self.size[1])
        times = longest * rng.uniform(0.5, 1.0)
        part = [max(1, int(times * side)) for side in self.size]
        top, left = (
            int(rng.integers(n - p + 1)) for n, p in zip((height, width), part, strict=True)
        )
        cut = Image.fromarray(photograph[top : top + part[0], left : left + part[1]])
        return np.asarray(cut.resize(self.size[::-1], Image.Resampling.BILINEAR))

    @cached_property
    def _photographs(self) -> "tuple[list[np.ndarray], list[np.ndarray]]":
        """Those to train on, and the others."""
        from tfpipe.data.images.formats import SUFFIXES, NotReadable, read

        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise DataError(
                f"{self._owner}: there is no folder {root.absolute()}. Set data.path to a folder "
                "of photographs, or try the pipeline without any by --sample."
            )
        files = sorted(f for f in root.rglob("*") if f.suffix.lower() in SUFFIXES)
        found = []
        for file in files:
            try:
                found.append(read(file.read_bytes(), 3)[0])
            except (OSError, NotReadable):
                continue
        if len(found) < 2:
            raise DataError(
                f"{self._owner}: {root.absolute()} has {len(found)} photographs that can be read. "
                "Give at least 2: what is held out has photographs of its own."
            )
        held = max(1, round(_HELD_OUT * len(found)))
        return found[:-held], found[-held:]

    def verify(self, cache: bool | str = "auto") -> None:
        _ = self._photographs

    def read_from(self) -> list[Path]:
        return []

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        # Fresh ones: what was drawn is kept.
        return {"draw": lambda: iter([len(self.replace()._scenes("train"))])}

    def _keeps_all(self, cache: bool | str) -> bool:
        return True


class SampleBoxes(DrawnObjects):
    """Objects that are drawn on generated images in place of a source's own.

    Args:
        fit: as of the source in whose place it stands.
    """

    internal: ClassVar[bool] = True
    stands_in: ClassVar[bool] = True
    path: str = "generated images"
    fit: Fit = "stretch"  # type: ignore[misc]

    def label_reading(self) -> str:
        return ""

    @cached_property
    def _photographs(self) -> "tuple[list[np.ndarray], list[np.ndarray]]":
        from tfpipe.data.images.sample_images import sample_images

        side = min(self.size)
        return tuple(sample_images(16, side, 3, self.seed + i) for i in range(2))  # type: ignore[return-value]


def sample_boxes(
    image: tuple[int, int], classes: tuple[str, ...], size: int | None, seed: int
) -> SampleBoxes:
    """Return drawn objects in place of what a detector is shown that needs no training.

    Args:
        image: height and width.
        classes: the names of the classes.
        size: how many training images, which such a detector does not look at; 256 when None.
        seed: the pipeline's seed.
    """
    count = size or _SAMPLES
    return SampleBoxes(
        size=image,
        count=count,
        validation=max(1, count // 8),
        test=max(1, count // 8),
        objects=(1, 3),
        scale=(0.2, 0.5),
        classes=classes,
        seed=seed,
    )


def sample_boxes_of(source: BoxImages, size: int | None, seed: int) -> SampleBoxes:
    """Return drawn objects in place of a source's own.

    Args:
        source: whose fields to take; its files are not read where it names its classes.
        size: how many training images; 256 when None.
        seed: the pipeline's seed.
    """
    count = size or _SAMPLES
    others = max(1, count // 8)
    return SampleBoxes(
        size=source.size,
        fit=source.fit,
        count=count,
        validation=None if getattr(source, "validation", None) is None else others,
        test=None if getattr(source, "test", None) is None else others,
        objects=source.objects if isinstance(source, DrawnObjects) else (1, 3),
        scale=source.scale if isinstance(source, DrawnObjects) else (0.2, 0.5),
        classes=source._names,
        seed=seed,
    )
