"""HubDetector: a published detector as it is, from TensorFlow Hub or the Object Detection API."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.boxes import coco
from tfpipe.declare.field_types import Count, Fraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.detection.checks import image_of_detector
from tfpipe.tasks import task_for
from tfpipe.text import listed

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

logger = logging.getLogger("tfpipe.models")

# As in `tfpipe.models.detection.detection_module`, which imports TensorFlow.
STAND_IN = "(stand-in)"
_COCO = "coco"
_SHOWN = 6  # names in a message
_ITEM = re.compile(r"item\s*\{([^{}]*)\}")
_ID = re.compile(r"\bid\s*:\s*(\d+)")
_NAME = re.compile(r"""\b(display_name|name)\s*:\s*(["'])(.*?)\2""")


class HubDetector(ModelBuilder):
    """A module that finds boxes: of TensorFlow Hub, or a SavedModel of the TF Object Detection API.

    It is used as it is, and nothing is trained. Images of bytes go in; a module that takes one
    image is called for each. It must give `detection_boxes` (y1, x1, y2, x2, from 0 to 1),
    `detection_classes`, `detection_scores`, and `num_detections` where its rows are padded. A saved
    model needs the module where it was, or in the cache; an export needs nothing.

    Args:
        handle: an address such as "https://tfhub.dev/tensorflow/ssd_mobilenet_v2/2", fetched once
            into $TFHUB_CACHE_DIR; or a folder or .tar.gz.
        label_map: which number the module gives each class: "coco" for the 90 numbers of COCO, of
            which ten are not used; the path of a label map of the Object Detection API (.pbtxt); or
            a mapping of names to numbers. None numbers the data's classes from `first_class` on.
        first_class: the number of the first class where there is no label map.
        score: what the score of a box has to be.
        most: how many boxes are given of an image.
        scale: what 0 and 255 become for a module that takes floats.
        signature: which of the module's signatures to call; the one with these outputs when None.

    Raises:
        ConfigError: for a label map with a number given twice, or beside `first_class`.
        ModelError: when the module cannot be had, or takes or gives something else; for a label map
            that cannot be read, or has none of the data's classes.

    Example:
        >>> HubDetector("modules/ssd.tar.gz", label_map="coco")
        HubDetector('modules/ssd.tar.gz', label_map='coco')
    """

    handle: str
    label_map: str | dict[str, int] | None = None
    first_class: Count = 1
    score: Fraction = 0.01
    most: Positive = 100
    scale: tuple[float, float] = (0.0, 1.0)
    signature: str | None = None
    contract: ClassVar[str] = (
        "images of 3 channels, values of 0..255, which a module that takes floats gets as `scale` "
        "says"
    )
    finds_boxes: ClassVar[bool] = True
    as_it_is: ClassVar[bool] = True

    def validate(self) -> None:
        """Refuse numbers of classes that contradict each other."""
        if self.label_map is not None and not self._is_default("first_class"):
            raise ConfigError(
                "HubDetector.first_class numbers the classes in order, and label_map numbers each. "
                "Leave one of them out."
            )
        if isinstance(self.label_map, dict):
            _refuse_twice(self.label_map, "HubDetector.label_map")
        if self.scale[0] >= self.scale[1]:
            raise ConfigError(
                f"HubDetector.scale={self.scale}: what white is has to be more than what black is."
            )

    def check(self, spec: ElementSpec) -> None:
        image_of_detector(spec, "HubDetector")
        self._numbers(spec.classes)
        if self.handle != STAND_IN:
            from tfpipe.models.pretrained.hub_handle import resolve

            resolve(self.handle)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.boxes.heads import FoundHead
        from tfpipe.models.detection.as_it_is import AsItIs
        from tfpipe.models.detection.detection_module import DetectionModule
        from tfpipe.models.pretrained.hub_handle import absolute

        self.check(spec)
        task_for(spec, task)
        feature = spec.feature
        module = DetectionModule(
            self.handle if self.handle == STAND_IN else absolute(self.handle),
            self._noted(spec.classes),
            self.score,
            self.most,
            self.scale,
            self.signature,
            name="module",
        )
        self._refuse_size(module.takes, feature.shape)
        inputs = keras.Input(feature.shape, name=feature.name, dtype="float32")
        head = FoundHead(score=self.score, most=self.most)
        return AsItIs(inputs, head(module(inputs)), name="hub_detector")

    def offline(self) -> tuple[Self, str]:
        from tfpipe.models.pretrained.hub_handle import is_address, is_here

        there = is_here(self.handle)
        if there and (is_address(self.handle) or Path(self.handle).expanduser().exists()):
            return self, ""
        return self.replace(handle=STAND_IN, label_map=None, signature=None), (
            f"A box in the middle of each image stood in for the module {self.handle}, which is "
            "not here: what was found says nothing about it."
        )

    @classmethod
    def example(cls) -> Self:
        return cls(STAND_IN)

    def _refuse_size(self, takes: "tf.TensorSpec", shape: tuple[int, ...]) -> None:
        """Refuse images of another size than the one that the module takes; raise ModelError."""
        if takes.shape.rank is None:
            return
        wanted = [own or given for own, given in zip(takes.shape[1:3], shape, strict=False)]
        if wanted != [*shape[:2]]:
            height, width = wanted
            raise ModelError(
                f"{self.handle} takes images of {height}x{width} alone; those of the data have "
                f"{shape[0]}x{shape[1]}. Declare data.size=({height}, {width})."
            )

    # Classes

    def _numbers(self, classes: tuple[str, ...]) -> dict[str, int]:
        """Return the module's number of each class that it knows; raise ModelError for none."""
        if self.label_map is None:
            return {name: self.first_class + place for place, name in enumerate(classes)}
        if isinstance(self.label_map, dict):
            known = self.label_map
        elif self.label_map == _COCO:
            known = coco.ids()
        else:
            known = read_label_map(Path(self.label_map).expanduser())
        if not {*classes} & {*known}:
            raise ModelError(
                f"HubDetector.label_map has none of the data's classes, "
                f"{listed(classes, _SHOWN)}: it has {listed(known, _SHOWN)}. Name the data's "
                "classes as the label map does, or give a mapping of the data's names to the "
                "module's numbers."
            )
        return known

    def _noted(self, classes: tuple[str, ...]) -> list[int]:
        """Return the number of each class, -1 where there is none; say what is left out."""
        known = self._numbers(classes)
        if self.label_map is None:
            numbers = [*known.values()]
            logger.info(
                "HubDetector takes the module's numbers %d to %d for %s; boxes with others are "
                "left out.",
                numbers[0],
                numbers[-1],
                listed(classes, _SHOWN),
            )
            return numbers
        if others := [name for name in known if name not in classes]:
            logger.info(
                "HubDetector leaves out %d of the module's %d classes, which the data does not "
                "have: %s.",
                len(others),
                len(known),
                listed(others, _SHOWN),
            )
        if never := [name for name in classes if name not in known]:
            logger.warning(
                "HubDetector never finds %s: HubDetector.label_map does not have it.",
                listed(never, _SHOWN),
            )
        return [known.get(name, -1) for name in classes]


def read_label_map(file: Path) -> dict[str, int]:
    """Return the number of each class by its name, as a label map of the Object Detection API says.

    Of items with a `display_name`, this is taken.

    Args:
        file: a .pbtxt of items such as `item { id: 17 name: 'cat' }`.

    Raises:
        ModelError: for a file that is none, an item without a name or number, or one given twice.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ModelError(
            f"HubDetector.label_map={file} cannot be read: {reason}. Give 'coco', a .pbtxt of "
            "items such as item { id: 17 name: 'cat' }, or a mapping of names to numbers."
        ) from None
    found: dict[str, int] = {}
    for item in _ITEM.findall(text):
        names = {kind: name for kind, _, name in _NAME.findall(item)}
        name, number = names.get("display_name") or names.get("name"), _ID.search(item)
        if not name or number is None or name in found:
            problem = f"has {name!r} twice" if name in found else "has an item without both"
            raise ModelError(
                f"{file} {problem}: {{{' '.join(item.split())}}}. Expected are items such as "
                "item { id: 17 name: 'cat' }."
            )
        found[name] = int(number[1])
    if not found:
        raise ModelError(f"{file} has no item such as item {{ id: 17 name: 'cat' }}.")
    _refuse_twice(found, str(file))
    return found


def _refuse_twice(numbers: dict[str, int], owner: str) -> None:
    """Refuse two classes of one number; raise ConfigError."""
    by_number: dict[int, str] = {}
    for name, number in numbers.items():
        if number in by_number:
            raise ConfigError(
                f"{owner} gives {by_number[number]!r} and {name!r} the number {number}. Each class "
                "has its own."
            )
        by_number[number] = name
