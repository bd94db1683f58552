"""ImageFiles: pictures that are given when a model predicts, and none to train on."""

from typing import Any, ClassVar, Literal, NoReturn

from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

_PUBLISHED = ("imagenet", "imagenet+background")


class ImageFiles(Source):
    """What a network that needs no training is shown: `tfpipe predict FILE PATH...`.

    Nothing is read until then, so there are no splits: `tfpipe run` and `tfpipe check` refuse it.

    Args:
        size: the height and width in pixels that the model gets.
        resize: the height and width that a picture just covers when it is resized, its proportions
            kept, before its centre of `size` is cut out. None stretches pictures to `size`.
        classes: the names of the model's answers in order: those of "imagenet", 1,000;
            "imagenet+background" for the 1,001 of TensorFlow Hub; or your own.

    Raises:
        ConfigError: for a resize smaller than size, or classes that are fewer than two or alike.

    Example:
        >>> ImageFiles(size=(224, 224), resize=(256, 256))
        ImageFiles((224, 224), resize=(256, 256))
    """

    size: tuple[Positive, Positive] = (299, 299)
    resize: tuple[Positive, Positive] | None = None
    classes: Literal["imagenet", "imagenet+background"] | tuple[str, ...] = "imagenet"
    trains: ClassVar[bool] = False

    def validate(self) -> None:
        """Refuse sizes and class names that cannot be."""
        from tfpipe.data.images.sizes import check_sizes

        check_sizes("ImageFiles", self.size, self.resize, None)
        if isinstance(self.classes, tuple) and len(set(self.classes)) < max(2, len(self.classes)):
            raise ConfigError(
                f"ImageFiles.classes takes at least two names, each once, or one of "
                f"{', '.join(map(repr, _PUBLISHED))}; got {self.classes}."
            )

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        from tfpipe.data.images import imagenet

        names = self.classes
        if not isinstance(names, tuple):
            names = imagenet.classes(background=names != "imagenet")
        # Held as large as it is resized to: nothing is enlarged again when its centre is cut out.
        image = Feature(
            "image", (*self.size, 3), "uint8", "image", kept=self.resize, resize=self.resize
        )
        return (image,), Label("label", "class", (), names)

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
