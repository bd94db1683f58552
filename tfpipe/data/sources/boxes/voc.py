"""VOC: images with boxes in XML files, as Pascal VOC, LabelImg and many others write them."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError, ParserCreate

from tfpipe.data.boxes.annotations import Annotation, Object
from tfpipe.data.broken_input import OnBad, Problem
from tfpipe.data.images.formats import SUFFIXES
from tfpipe.data.sources.base import HeldOut
from tfpipe.data.sources.boxes.box_images import BoxImages, Fit, Side, check_shares
from tfpipe.errors import DataError

if TYPE_CHECKING:
    from xml.parsers.expat import XMLParserType

_IMAGES = ("JPEGImages", "images", "Images", "imgs")
_ANNOTATIONS = ("Annotations", "annotations", "labels", "xml")
_MOST = 10_000_000  # bytes of an annotation


class VOC(BoxImages):
    """Images with the boxes of their objects in XML files, as Pascal VOC has them.

    The folder holds `JPEGImages/` (or `images/`) and `Annotations/` (or `annotations/`), an XML
    file for each image; or both side by side. Where it has lists, `ImageSets/Main/train.txt`,
    `val.txt` and `test.txt`, these are the splits; without, all images are for training, sorted
    by the numbers in their names, and a share or the last ones are held out.

    A box is (xmin, ymin, xmax, ymax) in pixels of the upright image. Objects that are marked
    difficult are not trained on, and in an evaluation neither missed nor wrong.

    Args:
        path: the folder, relative to the current one.
        size: (height, width) that the model sees.
        fit: how images get that size: "stretch", or "letterbox", which keeps their proportions and
            puts grey around them.
        validation: the name of a list, a share of the training images, a number, which takes the
            last ones, or None. "auto" is the list `val` where there is one, else a tenth.
        test: the same for the test split. The default is left out where there is no such list.
        train: the list to train on.
        classes: the names of the classes in order of their index; those of all objects, sorted,
            when not given.
        on_bad: "error" refuses broken boxes and files; "skip" leaves them out and says so.

    Raises:
        DataError: when there is no such folder or list, or what cannot be used: boxes outside of
            their image or empty, unknown classes, missing images.

    Example:
        data = VOC("bccd", size=(256, 256), validation="val", test="test")
    """

    path: str
    size: tuple[Side, Side] = (256, 256)
    fit: Fit = "stretch"
    validation: HeldOut | None = "auto"
    test: HeldOut | None = "test"
    train: str = "train"
    classes: tuple[str, ...] = ()
    on_bad: OnBad = "error"

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser()

    @cached_property
    def _ready(self) -> dict[str, Path]:
        """The files that list the images of a split, by name."""
        return {file.stem: file for file in sorted((self._root / "ImageSets/Main").glob("*.txt"))}

    def _annotations(self, stored: str) -> Sequence[Annotation]:
        folder = self._folder(_ANNOTATIONS, ".xml")
        if not self._ready:
            check_shares(self._owner, self._shares, ())
            names = sorted((f.stem for f in folder.glob("*.xml")), key=natural)
        else:
            name = self.train if stored == "train" else stored
            check_shares(self._owner, (name,), [*self._ready])
            names = self._listed(self._ready[name], folder)
        if not names:
            raise DataError(f"{self._owner}: its {stored} split has no image.")
        images = self._folder(_IMAGES, "")
        by_stem = {f.stem: f for f in sorted(images.iterdir()) if f.suffix.lower() in SUFFIXES}
        return [self._annotation(folder / f"{name}.xml", images, by_stem) for name in names]

    def _listed(self, file: Path, folder: Path) -> list[str]:
        """Return the images that a list names, each once: a name a line, or a name and a number."""
        try:
            lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines()]
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise DataError(f"{self._owner}: {file} cannot be read: {reason}.") from None
        names = []
        for line in filter(None, lines):
            name = line if (folder / f"{line}.xml").is_file() else line.split()[0]
            name = Path(name).stem if Path(name).suffix.lower() in SUFFIXES else name
            if Path(name).name != name:
                raise DataError(
                    f"{self._owner}: {file.name} lists {line[:80]!r}, which is no name of an image "
                    "alone. Write names without folders."
                )
            names.append(name)
        return [*dict.fromkeys(names)]

    def _folder(self, names: Sequence[str], suffix: str) -> Path:
        """Return the folder of annotations or of images; raise DataError where there is none."""
        if not self._root.is_dir():
            raise DataError(
                f"{self._owner}: there is no folder {self._root.absolute()}. Set data.path, which "
                "is relative to the current folder; or, to try the pipeline without it by "
                "--sample, declare data.classes."
            )
        for name in names:
            if (self._root / name).is_dir():
                return self._root / name
        if any(self._root.glob("*.xml")):
            return self._root
        raise DataError(
            f"{self._owner}: {self._root.resolve()} has no folder {' or '.join(names[:2])}"
            + (", and no XML file." if suffix else ".")
        )

    def _annotation(self, file: Path, images: Path, by_stem: dict[str, Path]) -> Annotation:
        where = f"{file.parent.name}/{file.name}"
        problem: tuple[Problem, ...] = ()
        found = _Read()
        try:
            if file.stat().st_size > _MOST:
                raise ValueError(f"is larger than {_MOST:,} bytes")
            found.read(file.read_bytes())
        except OSError as error:
            problem = (Problem(where, f"cannot be read: {error.strerror}"),)
        except (ExpatError, ValueError, LookupError) as error:
            problem = (Problem(where, f"is no XML that can be read: {error}"),)
        if problem:  # the image has objects, and nobody knows which
            return Annotation(None, (), where, problems=problem)
        named = images / Path(found.text.get("filename", "")).name  # never a path
        own = named.stem == file.stem and named in by_stem.values()
        image = named if own else by_stem.get(file.stem)
        if image is None:
            image = named if named != images else images / f"{file.stem}.jpg"
        return Annotation(image, tuple(found.objects), where, found.size)


class _Read:
    """Reads a Pascal VOC annotation: its objects, and what it says of the image.

    No entity is expanded and nothing outside of the file is read.
    """

    def __init__(self) -> None:
        self.objects: list[Object] = []
        self.text: dict[str, str] = {}
        self._path: list[str] = []
        self._object: dict[str, str] = {}

    def read(self, content: bytes) -> None:
        """Read a file's content; raise ExpatError or ValueError for what is none."""
        parser: XMLParserType = ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data

        def refuse_entity(*_: object) -> None:
            raise ValueError("it declares an entity")

        parser.EntityDeclHandler = refuse_entity
        parser.Parse(content, True)

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the image as the annotation says."""
        try:
            return int(self.text["size/height"]), int(self.text["size/width"])
        except (KeyError, ValueError):
            return None

    def _begin(self, name: str, _: object) -> None:
        if not self._path and name != "annotation":
            raise ValueError(f"it begins with <{name[:40]}>, and no <annotation>")
        self._path.append(name)
        inside = "/".join(self._path[2:])
        if self._path[1:2] == ["object"] and inside in self._object:
            self._object["twice"] = inside

    def _data(self, text: str) -> None:
        if not text.strip():
            return
        inside = self._path[1:]  # without <annotation>
        into = self._object if inside[:1] == ["object"] else self.text
        key = "/".join(inside[1:] if inside[:1] == ["object"] else inside)
        into[key] = into.get(key, "") + text.strip()

    def _end(self, name: str) -> None:
        self._path.pop()
        if name != "object" or len(self._path) != 1:
            return
        found, self._object = self._object, {}
        corners = [found.get(f"bndbox/{side}", "") for side in ("xmin", "ymin", "xmax", "ymax")]
        number = len(self.objects) + 1
        if "twice" in found:
            corners = []  # nobody knows which of them is meant
        self.objects.append(
            Object(
                found.get("name", ""),
                corners_of(corners),
                f"object {number}",
                found.get("difficult", "0").lower() in ("1", "true"),
            )
        )


def corners_of(texts: Sequence[str]) -> tuple[float, float, float, float] | None:
    """Return four numbers that are written as texts; None where one is none."""
    try:
        x1, y1, x2, y2 = map(float, texts)
    except ValueError:
        return None
    if any("_" in text for text in texts):  # which Python takes
        return None
    return x1, y1, x2, y2


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which names are sorted as people count: raccoon-9 before raccoon-10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
