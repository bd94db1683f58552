"""YOLOText: images with boxes in text files, as Darknet, Ultralytics and LabelImg write them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from tfpipe.data.boxes.annotations import Annotation, Object
from tfpipe.data.boxes.yolo_names import Value, class_names_of, described, listed_names
from tfpipe.data.broken_input import OnBad, Problem
from tfpipe.data.sources.base import HeldOut
from tfpipe.data.sources.boxes.box_images import BoxImages, Fit, Side, check_shares
from tfpipe.data.sources.boxes.voc import corners_of, natural
from tfpipe.errors import DataError

_DESCRIPTIONS = ("data.yaml", "data.yml", "dataset.yaml")
_NAMES = ("classes.txt", "obj.names", "labels/classes.txt")
_SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_LABELS = ("labels", "annotations")
_MOST = 10_000_000  # bytes of a text of labels


class YOLOText(BoxImages):
    """Images with the boxes of their objects in text files, as YOLO's tools read and write them.

    Beside each image, or in `labels/` where the image is in `images/`, is a text of its name with
    the ending .txt: a line `class x y width height` for each object, where the class is a number
    from 0 and the rest, from 0 to 1, is the middle of the box and its size as shares of the image.
    An image without a text, or with an empty one, is background.

    The splits are those of `data.yaml`, or the folders `images/train`, `images/val` and
    `images/test`, or `train/images`, `valid/images` and `test/images`; without, all images are for
    training, sorted by the numbers in their names, and a share or the last ones are held out.

    The classes are named in `data.yaml` (`names`), `classes.txt` or `obj.names`. Of YAML are read
    `path`, `train`, `val`, `test` and `names`, as texts, lists and numbered names.

    Args:
        path: the folder, or a description in YAML, relative to the current folder.
        size: (height, width) that the model sees.
        fit: how images get that size: "stretch", or "letterbox", which keeps their proportions and
            puts grey around them.
        validation: the name of a split, a share of the training images, a number, which takes the
            last ones, or None. "auto" is the split `val` where there is one, else a tenth.
        test: the same for the test split. The default is left out where there is no such split.
        train: the split to train on.
        classes: the names of the classes in order of their number, where the folder does not say
            them.
        on_bad: "error" refuses broken lines and files; "skip" leaves them out and says so.

    Raises:
        DataError: when there is no such folder or split, no names of the classes, a description
            that cannot be read, or lines that cannot be used: numbers outside of 0 to 1, a sixth
            column, as predictions have it, or a polygon.

    Example:
        data = YOLOText("coco128", size=(320, 320), fit="letterbox")

    Source:
        https://docs.ultralytics.com/datasets/detect
    """

    path: str
    size: tuple[Side, Side] = (256, 256)
    fit: Fit = "stretch"
    validation: HeldOut | None = "auto"
    test: HeldOut | None = "test"
    train: str = "train"
    classes: tuple[str, ...] = ()
    on_bad: OnBad = "error"

    @cached_property
    def _root(self) -> Path:
        given = Path(self.path).expanduser()
        return given.parent if given.suffix in (".yaml", ".yml") else given

    @cached_property
    def _description(self) -> dict[str, Value]:
        """The keys of the description; none without one."""
        given = Path(self.path).expanduser()
        if given != self._root:
            return described(given)
        files = (self._root / name for name in _DESCRIPTIONS)
        return next((described(file) for file in files if file.is_file()), {})

    @cached_property
    def _ready(self) -> dict[str, list[Path]]:
        """The folders of images, or texts that list images, by the name of the split."""
        if not self._root.is_dir():
            raise DataError(
                f"{self._owner}: there is no folder {self._root.absolute()}. Set data.path, which "
                "is relative to the current folder; or, to try the pipeline without it by "
                "--sample, declare data.classes."
            )
        found = {}
        for split, names in _SPLITS.items():
            if split in self._description:
                value = self._description[split]
                texts = [value] if isinstance(value, str) else [*value]
                found[split] = [self._declared(text, split) for text in texts]
                continue
            both = [
                self._root / place for n in names for place in (f"images/{n}", f"{n}/images", n)
            ]
            there = [folder for folder in both if folder.is_dir()]
            if there and (there[0] != self._root / there[0].name or any(_images(there[0]))):
                found[split] = there[:1]
        return found

    def _declared(self, text: str, split: str) -> Path:
        """Return what a description names: from its path, else from where it stands."""
        said = self._description.get("path", "")
        base = self._root / said if isinstance(said, str) else self._root
        # A description of Roboflow's says ../train/images and means its own folder.
        inside = text.removeprefix("../")
        tried = [base / text, self._root / text, self._root / inside]
        for place in tried:
            if place.exists():
                return place
        raise DataError(
            f"{self._owner}: its description says that {split} is {text!r}, and there is no "
            f"{tried[0].absolute()}. Repair it, or its key `path`."
        )

    def _class_names(self) -> tuple[str, ...]:
        _ = self._ready  # which says what is wrong with the folder
        names: tuple[str, ...] = ()
        if "names" in self._description:
            names = class_names_of(self._description["names"], self._root / _DESCRIPTIONS[0])
        else:
            files = (self._root / name for name in _NAMES)
            names = next((listed_names(file) for file in files if file.is_file()), ())
        if not names:
            raise DataError(
                f"{self._owner}: neither data.yaml nor classes.txt nor obj.names says what the "
                "classes are called. Declare data.classes, in order of their number."
            )
        if twice := next((n for n in names if names.count(n) > 1), ""):
            raise DataError(f"{self._owner}: two classes have the name {twice!r}. Rename one.")
        return names

    def _annotations(self, stored: str) -> Sequence[Annotation]:
        name = self.train if stored == "train" else stored
        if self._ready:
            check_shares(self._owner, (name,), [*self._ready])
            places = self._ready[name]
        else:
            check_shares(self._owner, self._shares, ())
            inner = self._root / "images"
            places = [inner if inner.is_dir() else self._root]
        found = [annotation for place in places for annotation in self._of(place)]
        if not found:
            where = ", ".join(str(place) for place in places)
            raise DataError(f"{self._owner}: its {stored} split has no image, in {where}.")
        return found

    def _of(self, place: Path) -> Iterator[Annotation]:
        """Yield the annotations of the images in a folder, or of those that a text lists."""
        if place.is_file():
            yield from self._of_list(place)
            return
        seen: set[Path] = set()
        for image in _images(place):
            text = self._text_of(image)
            seen.add(text)
            yield self._annotation(image, text)
        for folder in {text.parent for text in seen}:
            if folder == place or place in folder.parents:
                continue  # where other texts may stand beside images
            for text in sorted(folder.glob("*.txt"), key=lambda f: natural(f.name)):
                if text not in seen and text.name != "classes.txt":
                    yield self._annotation(place / f"{text.stem}.jpg", text)

    def _of_list(self, file: Path) -> Iterator[Annotation]:
        root = self._root.resolve()
        for number, line in enumerate(listed_names(file), 1):
            if not line:
                continue
            tried = [file.parent / line, self._root / line]
            try:
                image = next((f for f in tried if f.is_file()), tried[0])
                inside = root in image.resolve().parents
            except (OSError, ValueError):  # a name that no file can have
                inside = False
            if inside:
                yield self._annotation(image, self._text_of(image))
                continue
            what = f"{line[:80]!r} is no file in {self._root}"
            yield Annotation(
                None, (), file.name, problems=(Problem(f"{file.name}, line {number}", what),)
            )

    def _text_of(self, image: Path) -> Path:
        """Return the text of an image: in labels/ where the image is in images/, else beside it."""
        beside = image.with_suffix(".txt")
        below = beside.relative_to(self._root).parts if self._root in beside.parents else ()
        if "images" not in below[:-1]:
            return beside
        last = len(below) - 2 - [*reversed(below[:-1])].index("images")
        for name in _LABELS:
            if self._root.joinpath(*below[:last], name).is_dir():
                return self._root.joinpath(*below[:last], name, *below[last + 1 :])
        return beside

    def _annotation(self, image: Path, text: Path) -> Annotation:
        where = str(text.relative_to(self._root)) if self._root in text.parents else str(text)
        objects: list[Object] = []
        problems: list[Problem] = []
        try:
            if text.is_file() and text.stat().st_size > _MOST:
                raise ValueError(f"is larger than {_MOST:,} bytes")
            lines = text.read_text("utf-8-sig").splitlines() if text.is_file() else []
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            # The image has objects, and nobody knows which.
            return Annotation(
                None, (), where, problems=(Problem(where, f"cannot be read: {reason}"),)
            )
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            read = _box(line.split(), self._names)
            if isinstance(read, str):
                problems.append(Problem(f"{where}, line {number}", read))
            else:
                name, corners = read
                objects.append(Object(name, corners, f"line {number}"))
        return Annotation(image, tuple(objects), where, shares=True, problems=tuple(problems))


def _box(
    columns: Sequence[str], names: Sequence[str]
) -> tuple[str, tuple[float, float, float, float]] | str:
    """Return the class and the corners that a line says; or what is wrong with it."""
    count = len(columns)
    if count == 6:
        return (
            "has 6 columns, the last of which is a confidence: a detector answered this, and it is "
            "no annotation. Five are expected: class x y width height"
        )
    if count > 6 and count % 2:
        return (
            f"is a polygon of {count // 2} points, and boxes are read: class x y width height. "
            "Make boxes of the polygons, from their least to their greatest x and y"
        )
    if count != 5:
        return f"has {count} columns where 5 are expected: class x y width height"
    if not columns[0].isdecimal():
        return f"has the class {columns[0]!r}, which is no number from 0"
    number = int(columns[0])
    if number >= len(names):
        return f"has the class {number}, and there are {len(names)}: 0 to {len(names) - 1}"
    corners = corners_of(columns[1:])
    if corners is None:
        return "has a box that is no four numbers"
    x, y, width, height = corners
    if not all(0 <= value <= 1 for value in corners):
        return (
            f"has numbers outside of 0 to 1: {' '.join(columns[1:])}. They are shares of the image "
            "and no pixels"
        )
    return names[number], (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _images(folder: Path) -> list[Path]:
    """Return the images below a folder, sorted by the numbers in their names."""
    from tfpipe.data.images.formats import SUFFIXES

    files = (f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
    return sorted(files, key=lambda f: natural(str(f.relative_to(folder))))
