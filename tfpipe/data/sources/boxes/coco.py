"""COCO: images with boxes in one JSON file, as the Common Objects in Context data set has them."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from tfpipe.data.boxes.annotations import Annotation, Object
from tfpipe.data.broken_input import OnBad, Problem
from tfpipe.data.sources.base import HeldOut
from tfpipe.data.sources.boxes.box_images import BoxImages, Fit, Side
from tfpipe.errors import ConfigError, DataError
from tfpipe.text import byte_size, either, listed, quoted

_MOST = 2_000_000_000  # bytes of a file of annotations
_LISTS = ("images", "annotations", "categories")
_PROBED = 20  # images by which a folder is recognised
_FOLDERS = 200  # that are looked into


class COCO(BoxImages):
    """Images with the boxes of their objects in one JSON file, as COCO has them.

    The file has the lists `images`, `annotations` and `categories`. The categories in order of
    their ids are the classes, whatever gaps the ids have. A box is [x, y, width, height] in pixels
    of the upright image. Crowds (`iscrowd`) are not trained on, and in an evaluation neither missed
    nor wrong; images without an annotation are background.

    Args:
        annotations: the JSON file.
        images: the folder in which the file names are; the one near the annotations that has them
            when None.
        size: (height, width) that the model sees.
        fit: how images get that size: "stretch", or "letterbox", which keeps their proportions and
            puts grey around them.
        validation: another file of annotations, a share of the training images, a number, which
            takes the last ones, or None. "auto" is the file named as this one with "val" in place
            of "train" where there is one, else a tenth.
        test: another file, a share or a number; None for no test.
        validation_images: the folder of the validation file's images, where it is not found.
        test_images: the same for the test.
        classes: the names of the classes in order of their index, where those of the file, in order
            of their ids, are not wanted.
        on_bad: "error" refuses broken boxes and files; "skip" leaves them out and says so.

    Raises:
        ConfigError: for a file that is named twice.
        DataError: when there is no such file or it is no data set of COCO's; for what cannot be
            used: boxes outside of their image or empty, annotations of unknown images or
            categories, missing images, file names that lead out of the folder.

    Example:
        data = COCO("coco/annotations/instances_train2017.json", size=(300, 300))

    Source:
        https://cocodataset.org/#format-data
    """

    annotations: str
    images: str | None = None
    size: tuple[Side, Side] = (256, 256)
    fit: Fit = "stretch"
    validation: HeldOut | None = "auto"
    test: HeldOut | None = None
    validation_images: str | None = None
    test_images: str | None = None
    classes: tuple[str, ...] = ()
    on_bad: OnBad = "error"

    def validate(self) -> None:
        """Refuse what is trained on to be held out too."""
        super().validate()
        for name in ("validation", "test"):
            if getattr(self, name) == self.annotations:
                raise ConfigError(
                    f"COCO.{name} is the file that is trained on, {self.annotations!r}. Give "
                    f"another one, or a share such as {name}=0.1."
                )

    @property
    def _owner(self) -> str:
        return f"COCO({self.annotations!r})"

    @cached_property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        validation = self.validation
        if validation == "auto":
            path = Path(self.annotations)
            names = (_renamed(path, "train", other) for other in ("val", "valid"))
            there = (str(p) for p in names if p != path and p.expanduser().is_file())
            validation = next(there, 0.1)
        return validation, self.test

    def _class_names(self) -> tuple[str, ...]:
        names = self._content("train").names
        in_order = sorted(names, key=lambda number: (isinstance(number, str), number))
        return tuple(names[number] for number in in_order)

    def _content(self, stored: str) -> "_Content":
        path = Path(self.annotations if stored == "train" else stored).expanduser()
        return self._once(("content", stored), lambda: _Content(_read(path, self._owner), path))

    def _annotations(self, stored: str) -> Sequence[Annotation]:
        content = self._content(stored)
        return content.annotations(self._folder(stored, content), self._owner)

    def _folder(self, stored: str, content: "_Content") -> Path:
        """Return the folder in which a split's images are."""
        validation, test = self._shares
        declared = self.images
        if stored != "train":
            own = self.validation_images if stored == validation else None
            own = own or (self.test_images if stored == test else None)
            if own is None:  # one folder may hold all images
                return _folder_of(content, self.images, self._owner)
            declared = own
        if declared is None:
            return _folder_of(content, None, self._owner)
        folder = Path(declared).expanduser()
        if not folder.is_dir():
            raise DataError(
                f"{self._owner}: there is no folder {folder.absolute()}. Set data.images to the "
                "folder in which the file names are."
            )
        return folder


class _Content:
    """What a file of annotations says.

    Args:
        content: the decoded JSON, which has the lists of a data set.
        file: where it stands.
    """

    def __init__(self, content: Mapping[str, list[Any]], file: Path) -> None:
        self.file = file
        self.images = content["images"]
        self.names = _categories(content["categories"], file)
        self._objects = content["annotations"]

    @property
    def file_names(self) -> list[str]:
        """Some names of images that may be files, spread over all of them."""
        some = self.images[:: -(-len(self.images) // _PROBED) or 1]
        names = (i.get("file_name") for i in some if isinstance(i, dict))
        return [name for name in names if isinstance(name, str) and _stays(name)]

    def annotations(self, folder: Path, owner: str) -> list[Annotation]:
        """Return the annotations of all images in order; raise DataError without an image."""
        if not self.images:
            raise DataError(f"{owner}: {self.file.name} has no image.")
        by_image: dict[object, list[dict[str, Any]]] = defaultdict(list)
        images: dict[object, dict[str, Any]] = {}
        problems: list[Problem] = []
        for place, image in enumerate(self.images):
            if wrong := _image_problem(image, images):
                number = image.get("id", place) if isinstance(image, dict) else place
                problems.append(Problem(f"{self.file.name}, image {number}", wrong))
            else:
                images[image["id"]] = image
        ids = (i.get("id") for i in self.images if isinstance(i, dict))
        refused = {number for number in ids if isinstance(number, int | str)} - images.keys()
        for place, own in enumerate(self._objects):
            number = own.get("image_id") if isinstance(own, dict) else None
            if isinstance(number, int | str) and number in images:
                by_image[number].append(own)
            elif not isinstance(number, int | str) or number not in refused:
                name = own.get("id", place) if isinstance(own, dict) else place
                what = f"is of the image {number!r}, which is none of its images"
                problems.append(Problem(f"{self.file.name}, annotation {name}", what))
        found = [self._annotation(i, by_image[n], folder) for n, i in images.items()]
        if problems:
            found.append(Annotation(None, (), self.file.name, problems=tuple(problems)))
        return found

    def _annotation(
        self, image: Mapping[str, Any], own: Sequence[Mapping[str, Any]], folder: Path
    ) -> Annotation:
        where = f"{self.file.name}, {image['file_name']}"
        objects, problems = [], []
        for one in own:
            name = f"annotation {one.get('id', '?')}"
            category = one.get("category_id")
            if isinstance(category, int | str) and category in self.names:
                box = _corners(one.get("bbox"))
                ignored = str(one.get("iscrowd")).lower() in ("1", "true")
                objects.append(Object(self.names[category], box, name, ignored))
            else:
                what = f"has the category {category!r}, which is none of its categories"
                problems.append(Problem(f"{where}, {name}", what))
        size = image.get("height"), image.get("width")
        known = all(isinstance(length, int) for length in size)
        return Annotation(
            folder / image["file_name"],
            tuple(objects),
            where,
            (int(size[0]), int(size[1])) if known else None,  # type: ignore[arg-type]
            problems=tuple(problems),
        )


def _read(file: Path, owner: str) -> dict[str, list[Any]]:
    """Return a file's content; raise DataError where it is no data set."""
    try:
        if (size := file.stat().st_size) > _MOST:
            raise DataError(
                f"{owner}: {file} has {byte_size(size)}, and at most {byte_size(_MOST)} of "
                "annotations are read. Split it into several files."
            )
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{owner}: there is no file {file.absolute()}. Set data.annotations, which is relative "
            "to the current folder; or, to try the pipeline without it by --sample, declare "
            "data.classes."
        ) from None
    except OSError as error:
        raise DataError(f"{owner}: {file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{owner}: {file} is no JSON: {error}.") from None
    shape = "an object with the lists images, annotations and categories"
    if isinstance(content, list):
        results = content and isinstance(content[0], dict) and "score" in content[0]
        what = "results, what a detector answered," if results else "a list"
        raise DataError(
            f"{owner}: {file} holds {what} and no data set, which is {shape}. Give the file of "
            "what is true, such as instances_train2017.json."
        )
    if not isinstance(content, dict):
        raise DataError(f"{owner}: {file} holds {type(content).__name__} and not {shape}.")
    if missing := [n for n in _LISTS if not isinstance(content.get(n), list)]:
        raise DataError(
            f"{owner}: {file} has no list {either([*map(repr, missing)])}; it has "
            f"{quoted(content, 8) or 'nothing'}. A data set is {shape}."
        )
    return content


def _categories(categories: Sequence[Any], file: Path) -> dict[int | str, str]:
    """Return the names of the categories by their ids; raise DataError for what is not so."""
    names: dict[int | str, str] = {}
    for one in categories:
        number, name = (one.get("id"), one.get("name")) if isinstance(one, dict) else (None, None)
        if not isinstance(number, int | str) or not isinstance(name, str) or not name:
            raise DataError(
                f"{file}: a category is an object with an id and a name; one is "
                f"{json.dumps(one)[:80]}."
            )
        if number in names:
            raise DataError(
                f"{file} has two categories of the id {number}: {names[number]!r} and {name!r}."
            )
        if name in names.values():
            raise DataError(
                f"{file} has two categories of the name {name!r}. Rename one of them, or make them "
                "one."
            )
        names[number] = name
    if not names:
        raise DataError(f"{file} has no category: nothing is named that could be found.")
    return names


def _image_problem(image: object, known: Mapping[object, object]) -> str:
    """Return what is wrong with an entry of the images; empty where nothing is."""
    if not isinstance(image, dict):
        return "is no object"
    if not isinstance(image.get("id"), int | str):
        return "has no id"
    if image["id"] in known:
        return "has the id of another image"
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        return "has no file_name"
    if not _stays(name):
        return f"has the file_name {name!r}, which leads out of the folder of images"
    return ""


def _stays(name: str) -> bool:
    """Return whether a file's name cannot lead out of the folder that it is of."""
    parts = re.split(r"[\\/]", name)
    return parts[0] != "" and ".." not in parts and ":" not in parts[0] and "\0" not in name


def _corners(box: object) -> tuple[float, float, float, float] | None:
    """Return (x1, y1, x2, y2) of [x, y, width, height]; None for what are no four numbers."""
    if not isinstance(box, list) or len(box) != 4:
        return None
    if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in box):
        return None
    try:
        x, y, width, height = map(float, box)
    except OverflowError:  # an integer beyond what a float holds
        return None
    return x, y, x + width, y + height


def _renamed(path: Path, old: str, new: str) -> Path:
    """Return a path with a word replaced in the file's name, else in that of its folder."""
    if old in path.name:
        return path.with_name(path.name.replace(old, new))
    return (
        path.parent.with_name(path.parent.name.replace(old, new)) / path.name
        if path.parent.name
        else path
    )


def _folder_of(content: _Content, declared: str | None, owner: str) -> Path:
    """Return the folder that has the images, the one declared for others or one near the file.

    Names such as 00001.jpg may be in several: then it is the one after which the file is called, as
    instances_val2017.json is after val2017, or the one in which it lies, or the one declared.
    """
    near = content.file.parent
    folders = [near]
    others = [] if declared is None else [Path(declared).expanduser()]
    folders += [folder for folder in others if folder.is_dir()]
    for parent in dict.fromkeys(folder.absolute().parent for folder in folders):
        folders += sorted(islice((f for f in parent.iterdir() if f.is_dir()), _FOLDERS))
    folders += sorted(islice((f for f in near.iterdir() if f.is_dir()), _FOLDERS))
    names = content.file_names
    has = {f.absolute(): sum((f / name).is_file() for name in names) for f in folders}
    most = [folder for folder, count in has.items() if count == max(has.values())]
    chosen = [f for f in most if f == near.absolute() or f.name in content.file.stem]
    chosen = chosen or [f for f in most if f in [other.absolute() for other in others]] or most
    if len(chosen) > 1 and has[chosen[0]]:
        where = listed(str(folder) for folder in chosen)
        raise DataError(
            f"{owner}: the images of {content.file.name} are in each of {where}. Declare "
            "data.images, data.validation_images or data.test_images."
        )
    return chosen[0]
