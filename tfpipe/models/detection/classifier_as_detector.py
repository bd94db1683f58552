"""ClassifierAsDetector: a trained classifier that is asked about windows all over an image."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import annotated_types

from tfpipe.boxes.windows import pyramid
from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError, suggest
from tfpipe.models.custom import Custom
from tfpipe.models.detection.checks import image_of_detector
from tfpipe.tasks import task_for
from tfpipe.tasks.task import last_activation
from tfpipe.text import counted, listed, quoted

if TYPE_CHECKING:
    import keras

# What takes the place of a classifier that is not here, on generated data.
STAND_IN = "(stand-in)"
_SHOWN = 6  # names in a message
_STAND_IN_SIDE = 16

Shrink = Annotated[float, annotated_types.Gt(1)]


class ClassifierAsDetector(ModelBuilder):
    """A classifier as a detector: windows slide over the image and over smaller copies of it.

    Nothing is trained. Each window is resized to what the classifier takes; those of which it is
    sure are kept, and of those that overlap the surest. Windows have one size and proportions, so
    boxes are as coarse as these. The classifier's classes are the data's.

    Args:
        classifier: a file of Keras, such as RUN/checkpoints/best.keras, whose class names are read
            beside it; or what builds one that needs no training, such as
            Application("MobileNetV2", head="imagenet").
        window: (height, width) in pixels.
        step: pixels from one window to the next, to the right and down.
        shrink: how many times as large each copy of the image is as the next one, down to the
            window.
        score: the probability from which on a window is kept as its most probable class.
        overlap: of two windows of a class whose intersection over union is larger, one is left out.
        most: how many boxes are given of an image.
        background: the class of the classifier that is no object, which the data does not have;
            where its names are not known, its first.
        classes: the names of the classifier's classes in order, where they are not known.

    Raises:
        ConfigError: for a builder of a network that has to be trained first.
        ModelError: for images smaller than the window, a file that is none, or other classes than
            the data's.

    Example:
        >>> ClassifierAsDetector("runs/signs/20261120-101502/checkpoints/best.keras", step=8)
        ClassifierAsDetector('runs/signs/20261120-101502/checkpoints/best.keras', step=8)

    The way and its numbers (windows of 200x150, a step of 16, copies smaller by 1.5, 0.98 and 0.3)
    are those of a published example, which asks about one window at a time.
    """

    classifier: ModelBuilder | str
    window: tuple[Positive, Positive] = (150, 200)
    step: Positive = 16
    shrink: Shrink = 1.5
    score: Fraction = 0.98
    overlap: Fraction = 0.3
    most: Positive = 100
    background: str | None = None
    classes: tuple[str, ...] = ()
    contract: ClassVar[str] = (
        "images of 3 channels, values of 0..255; each window becomes what the classifier expects"
    )
    finds_boxes: ClassVar[bool] = True
    as_it_is: ClassVar[bool] = True

    def validate(self) -> None:
        """Refuse a classifier whose answers would be random."""
        builder = self.classifier
        if not isinstance(builder, ModelBuilder) or isinstance(builder, Custom):
            return
        if getattr(builder, "head", "") not in ("imagenet", None):
            name = type(builder).__name__
            raise ConfigError(
                f"ClassifierAsDetector.classifier={name}(...) has to be trained first. Train it "
                "with tfpipe run, then give its file, RUN/checkpoints/best.keras; or use a network "
                "with classes of its own, such as Application('MobileNetV2', head='imagenet')."
            )

    def fetch(self) -> None:
        if isinstance(self.classifier, ModelBuilder):
            self.classifier.fetch()

    def check(self, spec: ElementSpec) -> None:
        feature = image_of_detector(spec, "ClassifierAsDetector")
        height, width = feature.shape[:2]
        if not pyramid((height, width), self.window, self.step, self.shrink):
            raise ModelError(
                f"ClassifierAsDetector.window={self.window} does not fit in images of "
                f"{height}x{width}. Use a smaller window, or data.size of at least it."
            )
        if self.classifier == STAND_IN:
            return
        self._refuse_others(self._names(spec.classes), spec.classes)
        if isinstance(self.classifier, ModelBuilder):
            self.classifier.check(self._of_windows(spec))

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.boxes.heads import FoundHead
        from tfpipe.models.detection.as_it_is import AsItIs
        from tfpipe.models.detection.sliding_windows import SlidingWindows

        self.check(spec)
        task_for(spec, task)
        feature = spec.feature
        classifier, names = self._classifier(spec)
        self._refuse_shapes(classifier, names, feature)
        windows = SlidingWindows(
            _with_logits(classifier),
            [spec.classes.index(n) if n in spec.classes else -1 for n in names],
            self.window,
            self.step,
            self.shrink,
            self.score,
            self.overlap,
            self.most,
            name="windows",
        )
        inputs = keras.Input(feature.shape, name=feature.name, dtype="float32")
        head = FoundHead(score=self.score, overlap=self.overlap, most=self.most)
        return AsItIs(inputs, head(windows(inputs)), name="classifier_as_detector")

    def offline(self) -> tuple[Self, str]:
        if isinstance(self.classifier, ModelBuilder):
            there = not self.classifier.offline()[1]
        else:
            there = self._file.is_file()
        if there:
            return self, ""
        return self.replace(classifier=STAND_IN, background=None, classes=()), (
            "A small classifier with random weights stood in for the declared one, which is not "
            "here: what was found says nothing about it."
        )

    @classmethod
    def example(cls) -> Self:
        return cls(STAND_IN, window=(12, 12), step=2)

    # The classifier

    @property
    def _file(self) -> Path:
        return Path(str(self.classifier)).expanduser()

    def _classifier(self, spec: ElementSpec) -> "tuple[keras.Model, tuple[str, ...]]":
        """Return the classifier, and the names of its classes."""
        import keras

        if self.classifier == STAND_IN:
            inputs = keras.Input((_STAND_IN_SIDE, _STAND_IN_SIDE, 3))
            x = keras.layers.Rescaling(1 / 255)(inputs)
            x = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(x)
            x = keras.layers.Dense(1 + len(spec.classes))(keras.layers.Flatten()(x))
            return keras.Model(inputs, x), ("", *spec.classes)
        names = self._names(spec.classes)
        if isinstance(self.classifier, ModelBuilder):
            return self.classifier.build(self._of_windows(spec)), names
        from tfpipe.models.known_layers import know_layers

        know_layers()
        try:
            return keras.models.load_model(self._file, compile=False), names
        except (ValueError, TypeError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"ClassifierAsDetector.classifier={self.classifier} cannot be loaded: {reason}"
            ) from None

    def _of_windows(self, spec: ElementSpec) -> ElementSpec:
        """Return what a builder is asked for: a classifier of windows."""
        feature = spec.feature
        window = Feature(feature.name, (*self.window, feature.shape[2]), feature.dtype, "image")
        label = Label("label", "class", (), self._names(spec.classes))
        return ElementSpec((window,), (label,), spec.splits)

    # Classes

    def _names(self, data: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the classifier's classes: those that are known, else the data's."""
        known = self.classes
        if not known and isinstance(self.classifier, str):
            known = self._beside()
        if known:
            if self.background is not None and self.background not in known:
                raise ModelError(
                    f"ClassifierAsDetector.background={self.background!r} is no class of the "
                    f"classifier. {suggest(self.background, known)}"
                )
            return known
        return data if self.background is None else (self.background, *data)

    def _beside(self) -> tuple[str, ...]:
        """Return the class names of the run that a file is of; none where it is of no run."""
        if not self._file.is_file():
            raise ModelError(
                f"ClassifierAsDetector.classifier={self.classifier}: there is no such file. Give "
                "the path of a run's best model, RUN/checkpoints/best.keras, or another file of "
                "Keras; or a builder such as Application('MobileNetV2', head='imagenet')."
            )
        try:
            config = json.loads((self._file.parents[1] / "config.json").read_text())
            (label,) = config["spec"]["labels"]
            kind, names = label["kind"], tuple(map(str, label.get("classes", ())))
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            return ()
        if kind != "class":
            raise ModelError(
                f"ClassifierAsDetector.classifier={self.classifier} is of labels of kind {kind!r}; "
                "a classifier is needed, which gives one class of several."
            )
        return names

    def _refuse_others(self, names: tuple[str, ...], data: tuple[str, ...]) -> None:
        """Refuse classes that are not the data's; raise ModelError."""
        kept = [name for name in names if name != self.background]
        if sorted(kept) == sorted(data):
            return
        missing = [n for n in data if n not in kept]
        others = [n for n in kept if n not in data]
        parts = [f"the data has {quoted(missing, _SHOWN)} besides"] if missing else []
        parts += [f"the classifier has {quoted(others, _SHOWN)} besides"] if others else []
        raise ModelError(
            f"The classes of ClassifierAsDetector's classifier are not the data's: "
            f"{' and '.join(parts) or 'one is named twice'}. Declare data.classes as the "
            "classifier has them; one that is no object is left out with background=NAME."
        )

    def _refuse_shapes(self, classifier: Any, names: tuple[str, ...], feature: Feature) -> None:
        """Refuse a classifier of other images, or of another number of classes."""
        takes = getattr(classifier, "input_shape", None)
        if not (isinstance(takes, tuple) and len(takes) == 4 and takes[3] == feature.shape[2]):
            raise ModelError(
                f"ClassifierAsDetector's classifier takes {takes}, and windows are images of "
                f"{counted(feature.shape[2], 'channel')}: (batch, height, width, "
                f"{feature.shape[2]}). Use one that was trained on such images."
            )
        gives = classifier.output_shape
        width = gives[-1] if isinstance(gives, tuple) and len(gives) == 2 else None
        if width is None or max(2, width) != len(names):
            raise ModelError(
                f"ClassifierAsDetector's classifier gives {gives}, and there are "
                f"{counted(len(names), 'class')}: {listed(names, _SHOWN)}. Declare as many as it "
                "has, with background=NAME for one that is no object."
            )


def _with_logits(model: "keras.Model") -> "keras.Model":
    """Return a classifier without a last softmax or sigmoid.

    Of probabilities, which are rounded to 1, the surest of several windows could not be told.
    """
    import keras

    if not last_activation(model):
        return model
    last = model.layers[-1]
    if not hasattr(last, "activation"):
        return keras.Model(model.inputs, last.input)
    last.activation = keras.activations.linear
    return model
