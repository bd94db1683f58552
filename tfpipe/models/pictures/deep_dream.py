"""DeepDream: a picture in which a network sees more and more of what it knows."""

from typing import TYPE_CHECKING, Annotated, ClassVar

import annotated_types

from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.models.images_out.feature_extractor import FeatureExtractor
from tfpipe.models.pictures.style_transfer import CONTENT, picture_shape

if TYPE_CHECKING:
    import keras

Factor = Annotated[float, annotated_types.Gt(1)]


class DeepDream(ModelBuilder):
    """Go up the mean of what some layers answer, at sizes from small to large.

    An epoch is an octave: the picture begins it in the next size, and takes the steps of the epoch.
    Gradients are divided by their standard deviation, so that a learning rate is a step in grey
    levels. Mordvintsev and others, 2015, with the layers and sizes of TensorFlow's tutorial.

    Args:
        network: the name of a network of keras.applications, or a file of Keras; see
            `FeatureExtractor`.
        layers: whose answers grow, by name.
        weights: of a network of keras.applications.
        octaves: how many sizes there are, as many as the pipeline has epochs.
        factor: from one size to the next; the sizes lie around the content's.

    Raises:
        ConfigError: when no layer is named.
        ModelError: for other data than `Pictures`.

    Example:
        >>> DeepDream(octaves=3)
        DeepDream(octaves=3)
    """

    network: str = "InceptionV3"
    layers: tuple[str, ...] = ("mixed3", "mixed5")
    weights: str | None = "imagenet"
    octaves: Positive = 5
    factor: Factor = 1.3
    contract: ClassVar[str] = "a picture to dream of"

    def validate(self) -> None:
        """Refuse a dream of nothing."""
        if not self.layers:
            raise ConfigError("DeepDream.layers is empty: name the layers whose answers grow.")

    def check(self, spec: ElementSpec) -> None:
        picture_shape(spec, "DeepDream", (CONTENT,))

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        from tfpipe.models.pictures.painted_dream import PaintedDream

        shape = picture_shape(spec, "DeepDream", (CONTENT,))
        return PaintedDream(shape, self._features.build(), self.octaves, self.factor)

    def fetch(self) -> None:
        self._features.fetch()

    def offline(self) -> "tuple[DeepDream, str]":
        features, note = self._features.offline()
        changes = {"network": features.network, "layers": features.layers}
        return self.replace(**changes, weights=features.weights), note

    @property
    def _features(self) -> FeatureExtractor:
        return FeatureExtractor(self.network, self.layers, self.weights)
