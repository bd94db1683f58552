"""StyleTransfer: a picture with the content of one image in the style of another."""

from typing import TYPE_CHECKING, ClassVar

from tfpipe.declare.field_types import NonNegative
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.images_out.feature_extractor import FeatureExtractor

if TYPE_CHECKING:
    import keras

CONTENT, STYLE = "content", "style"


class StyleTransfer(ModelBuilder):
    """Paint a picture whose features are those of the content, and whose style is another's.

    Gatys and others, 2015, arXiv:1508.06576, with the sums and weights of Keras's example: the
    content is the sum of squared differences at `content`; the style, at each of `style`, the sum
    of squared differences of Gram matrices, divided by 4 * 3² * (height * width)² of the picture,
    and the mean over the layers; the variation the sum of (a + b)^1.25, a and b the squared
    differences to the pixels below and to the right.

    Args:
        network: the name of a network of keras.applications, or a file of Keras; see
            `FeatureExtractor`.
        content: the layers that hold the content.
        style: the layers that hold the style.
        weights: of a network of keras.applications.
        content_weight: of the content's part of the loss.
        style_weight: of the style's.
        variation_weight: of the variation's.

    Raises:
        ConfigError: when no layer is named.
        ModelError: for other data than `Pictures` with a style.

    Example:
        >>> StyleTransfer(style_weight=100.0)
        StyleTransfer(style_weight=100.0)
    """

    network: str = "VGG16"
    content: tuple[str, ...] = ("block5_conv2",)
    style: tuple[str, ...] = tuple(f"block{i}_conv1" for i in range(1, 6))
    weights: str | None = "imagenet"
    content_weight: NonNegative = 0.025
    style_weight: NonNegative = 10.0
    variation_weight: NonNegative = 1e-4
    contract: ClassVar[str] = "a picture of the content and one of the style"

    def validate(self) -> None:
        """Refuse a picture that is like nothing."""
        if not self.content or not self.style:
            raise ConfigError("StyleTransfer needs at least one layer of content and one of style.")

    def check(self, spec: ElementSpec) -> None:
        picture_shape(spec, "StyleTransfer", (CONTENT, STYLE))

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        from tfpipe.models.pictures.painted_style import PaintedStyle

        shape = picture_shape(spec, "StyleTransfer", (CONTENT, STYLE))
        weights = (self.content_weight, self.style_weight, self.variation_weight)
        return PaintedStyle(shape, self._features.build(), len(self.content), weights)

    def fetch(self) -> None:
        self._features.fetch()

    def offline(self) -> "tuple[StyleTransfer, str]":
        features, note = self._features.offline()
        contents = len(self.content)
        content, style = features.layers[:contents], features.layers[contents:]
        changes = {"network": features.network, "content": content, "style": style}
        return self.replace(**changes, weights=features.weights), note

    @property
    def _features(self) -> FeatureExtractor:
        return FeatureExtractor(self.network, (*self.content, *self.style), self.weights)


def picture_shape(spec: ElementSpec, builder: str, names: tuple[str, ...]) -> tuple[int, int, int]:
    """Return (height, width, 3) of the picture to paint; raise ModelError for other data.

    Args:
        spec: the element spec of the data.
        builder: who asks, for the message.
        names: of the images that it paints from.
    """
    given = {feature.name: feature for feature in spec.features}
    if spec.labels[0].kind != "picture" or not {*names} <= {*given}:
        has = ", ".join(f"{f.name!r} of kind {f.kind!r}" for f in spec.features)
        needs = " and ".join(f"{name}=FILE" for name in names)
        lacking = [name for name in names if name not in given]
        if spec.labels[0].kind == "picture":
            raise ModelError(f"{builder} needs data.{lacking[0]}=FILE, which is missing.")
        raise ModelError(
            f"{builder} paints a picture, of the data Pictures({needs}); this data has {has}."
        )
    height, width, channels = given[CONTENT].shape
    return height, width, channels
