"""Annotations: the objects in an image with their boxes, and what is wrong with some of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.data.broken_input import Problem
from tfpipe.errors import DataError, suggest

if TYPE_CHECKING:
    import numpy as np

# What a row of a label holds: the corners, 0 to 1, the class, -1 for padding, and whether it is a
# crowd or a difficult one, which is neither to be found nor wrong where it is.
COLUMNS = ("x1", "y1", "x2", "y2", "class", "ignored")
_OVER = 1.0  # pixels that a box may stick out without a word: whether pixels count from 0 or 1


@dataclass(frozen=True)
class Object:
    """An object in an image.

    Args:
        name: of its class.
        corners: (x1, y1, x2, y2) in pixels of the image; None for what are no numbers.
        where: which of the annotation's, for a message.
        ignored: whether it is a crowd, or too difficult to be asked for.
    """

    name: str
    corners: tuple[float, float, float, float] | None
    where: str
    ignored: bool = False


@dataclass(frozen=True)
class Annotation:
    """The objects in an image, as a file says them.

    Args:
        image: the image's file; None where there is none that these problems are of.
        objects: in their order.
        where: the annotation's file.
        size: (height, width) of the image as the file says it; None where it does not.
        shares: whether the corners are shares of the image, 0 to 1, and no pixels.
        problems: what is wrong in the file beside its objects.
        in_file: whether `image` is a file; else it is a name, and `size` was measured.
    """

    image: Path | None
    objects: tuple[Object, ...]
    where: str
    size: tuple[int, int] | None = None
    shares: bool = False
    problems: tuple[Problem, ...] = ()
    in_file: bool = True


@dataclass
class Checked:
    """The annotations of a split that can be used.

    Args:
        images: the files.
        sizes: (height, width) of each.
        boxes: [objects, 6] of each; see `COLUMNS`.
        problems: what cannot be used.
        objects: how many there are, the broken ones among them.
        cut: how many boxes stuck out of their image, and were cut.
        rows: which of all annotations the images are of.
    """

    images: list[Path] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    boxes: "list[np.ndarray]" = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    objects: int = 0
    cut: int = 0
    rows: list[int] = field(default_factory=list)


def checked(annotations: Sequence[Annotation], classes: Sequence[str]) -> Checked:
    """Return what can be used of some annotations, and what is wrong with the rest.

    An image that is missing or broken is left out; of one with broken boxes these are.

    Args:
        annotations: of a split.
        classes: the names of the classes that there are.
    """
    from tfpipe.data.images.formats import NotReadable

    found = Checked()
    for row, annotation in enumerate(annotations):
        found.objects += max(1, len(annotation.objects) + len(annotation.problems))
        found.problems += annotation.problems
        if annotation.image is None:
            continue
        try:
            size = _size(annotation, annotation.image)
        except NotReadable as error:
            found.problems.append(Problem(annotation.where, str(error)))
            continue
        found.images.append(annotation.image)
        found.rows.append(row)
        found.sizes.append(size)
        found.boxes.append(_boxes(annotation, size, classes, found))
    return found


def class_names(annotations: Sequence[Annotation], owner: str) -> tuple[str, ...]:
    """Return the names of all objects, sorted; raise DataError where there is none.

    Args:
        annotations: of all splits.
        owner: the source, for the message.
    """
    names = sorted({thing.name for a in annotations for thing in a.objects} - {""})
    if not names:
        raise DataError(f"{owner}: none of its {len(annotations):,} annotations has an object.")
    return tuple(names)


def _size(annotation: Annotation, image: Path) -> tuple[int, int]:
    """Return (height, width) of an upright image; raise NotReadable where it cannot be used."""
    from tfpipe.data.images.formats import NotReadable, upright_size

    if not annotation.in_file and annotation.size is not None:
        return annotation.size
    name = image.name
    try:
        there = image.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise NotReadable(f"its image {name[:40]}… has no name of a file: {error}") from None
    if not there:
        raise NotReadable(f"its image {name} is missing, in {image.parent}")
    try:
        size = upright_size(image)
    except NotReadable as error:
        raise NotReadable(f"its image {name} {error}") from None
    said = annotation.size
    if said is None or said in ((0, 0), size):
        return size
    (height, width), (said_height, said_width) = size, said
    turned = " turned upright by its EXIF," if (said_width, said_height) == size else ""
    raise NotReadable(
        f"says that {name} has {said_width}x{said_height} pixels;{turned} it has {width}x{height}, "
        "so its boxes are of another image"
    )


def _boxes(
    annotation: Annotation, size: tuple[int, int], classes: Sequence[str], found: Checked
) -> "np.ndarray":
    """Return the sound boxes of an image, [objects, 6]; note what is wrong with the others."""
    import numpy as np

    height, width = (1.0, 1.0) if annotation.shares else map(float, size)
    rows = []
    for thing in annotation.objects:
        problem = ""
        x1, y1, x2, y2 = thing.corners or (np.nan,) * 4
        cut = np.clip((x1, y1, x2, y2), 0, (width, height, width, height))
        if not thing.name:
            problem = "has no class"
        elif thing.name not in classes:
            problem = f"has the unknown class {thing.name!r}. {suggest(thing.name, classes)}"
        elif not np.isfinite((x1, y1, x2, y2)).all():
            problem = "has a box that is no four numbers"
        elif x2 <= x1 or y2 <= y1:
            problem = f"has an empty box, {_shown(x1, y1, x2, y2)}"
        elif np.any(np.float32(cut[2:]) <= np.float32(cut[:2])):
            outside = f"the image, {_shown(width, height)}"
            problem = f"has a box outside of {outside}: {_shown(x1, y1, x2, y2)}"
        if problem:
            what = problem.strip().removesuffix(".")
            found.problems.append(Problem(f"{annotation.where}, {thing.where}", what))
            continue
        over = _OVER / (max(size) if annotation.shares else 1.0)
        found.cut += bool(np.abs(cut - (x1, y1, x2, y2)).max() > over)
        corners = cut / (width, height, width, height)
        rows.append([*corners, classes.index(thing.name), float(thing.ignored)])
    return np.array(rows, np.float32).reshape(-1, len(COLUMNS))


def padded(boxes: "Sequence[np.ndarray]", most: int) -> "np.ndarray":
    """Return the boxes of images as one array, [images, most, 6], of class -1 where there is none.

    Args:
        boxes: [objects, 6] of each image.
        most: rows of each; at least as many as an image has.
    """
    import numpy as np

    labels = np.zeros((len(boxes), most, len(COLUMNS)), np.float32)
    labels[..., 4] = -1
    for row, own in enumerate(boxes):
        labels[row, : len(own)] = own
    return labels


def _shown(*numbers: float) -> str:
    return "(" + ", ".join(f"{n:g}" for n in numbers) + ")"
