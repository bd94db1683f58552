"""ImageFiles: pictures that are given when a model predicts, and none to train on."""

from typing import Any, ClassVar, Literal, NoReturn

from tfpipe.boxes import coco
from tfpipe.data.boxes.annotations import COLUMNS
from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

_PUBLISHED = ("imagenet", "imagenet+background", "coco")
_MOST = 100  # boxes of an image; there are none to learn from


class ImageFiles(Source):
    """What a network that needs no training is shown: `tfpipe predict FILE PATH...`.

    Nothing is read until then, so there are no splits: `tfpipe run` and `tfpipe check` refuse it.

    Args:
        size: the height and width in pixels that the model gets.
        resize: the height and width that a picture just covers when it is resized, its proportions
            kept, before its centre of `size` is cut out. None stretches pictures to `size`.
        classes: the names of the model's answers in order: those of "imagenet", 1,000;
            "imagenet+background" for the 1,001 of TensorFlow Hub; the 80 of "coco"; or your own.
        fit: how pictures come to `size` without a resize: "stretch", or "letterbox", which keeps
            their proportions, with grey around them.
        finds: what the model finds in a picture: its "class", or "boxes" around objects.

    Raises:
        ConfigError: for a resize smaller than size, or beside a letterbox or boxes; or classes that
            are too few or alike.

    Example:
        >>> ImageFiles(size=(224, 224), resize=(256, 256))
        ImageFiles((224, 224), resize=(256, 256))
        >>> ImageFiles(size=(320, 320), classes="coco", fit="letterbox", finds="boxes")
        ImageFiles((320, 320), classes='coco', fit='letterbox', finds='boxes')
    """

    size: tuple[Positive, Positive] = (299, 299)
    resize: tuple[Positive, Positive] | None = None
    classes: Literal["imagenet", "imagenet+background", "coco"] | tuple[str, ...] = "imagenet"
    fit: Literal["stretch", "letterbox"] = "stretch"
    finds: Literal["class", "boxes"] = "class"
    trains: ClassVar[bool] = False

    def validate(self) -> None:
        """Refuse sizes and class names that cannot be."""
        from tfpipe.data.images.sizes import check_sizes

        check_sizes("ImageFiles", self.size, self.resize, None)
        if self.resize is not None and (self.fit == "letterbox" or self.finds == "boxes"):
            why = "keeps all of a picture" if self.fit == "letterbox" else "is of all of a picture"
            what = "fit='letterbox'" if self.fit == "letterbox" else "finds='boxes'"
            raise ConfigError(
                f"ImageFiles.{what} {why}, and resize={self.resize} cuts out its centre. Leave "
                "resize out."
            )
        least, words = (1, "one name") if self.finds == "boxes" else (2, "two names")
        names = self.classes
        if isinstance(names, tuple) and len(set(names)) < max(least, len(names)):
            raise ConfigError(
                f"ImageFiles.classes takes at least {words}, each once, or one of "
                f"{', '.join(map(repr, _PUBLISHED))}; got {self.classes}."
            )

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        # Held as large as it is resized to: nothing is enlarged again when its centre is cut out.
        image = Feature(
            "image",
            (*self.size, 3),
            "uint8",
            "image",
            kept=self.resize,
            resize=self.resize,
            letterbox=self.fit == "letterbox",
        )
        if self.finds == "boxes":
            return (image,), Label("boxes", "boxes", (_MOST, len(COLUMNS)), self.names)
        return (image,), Label("label", "class", (), self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the model's answers in order."""
        from tfpipe.data.images import imagenet

        if isinstance(self.classes, tuple):
            return self.classes
        if self.classes == "coco":
            return coco.classes()
        return imagenet.classes(background=self.classes != "imagenet")

    def spec(self, seed: int = 0) -> NoReturn:
        raise _nothing_to_train_on()

    def input_fn(self, split: str, **options: Any) -> NoReturn:
        raise _nothing_to_train_on()


def _nothing_to_train_on() -> DataError:
    return DataError(
        "ImageFiles holds nothing to train on: its declaration only predicts. Use tfpipe predict "
        "FILE PATH... with image files and folders, or declare data to train on, such as "
        "ImageFolder(PATH)."
    )
