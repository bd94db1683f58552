"""WhitenedCNN: a small network of convolutions behind a fixed layer that whitens patches."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from tfpipe.declare.field_types import OpenFraction, Positive, PositiveFloat
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.inputs import image_feature, raw_input
from tfpipe.models.layers import logits, named

if TYPE_CHECKING:
    import keras


class WhitenedCNN(ModelBuilder):
    """Whitened 2x2 patches, then stages of two 3x3 convolutions and a pool, for small images.

    The network of Keller Jordan's "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024,
    arXiv:2404.00498. The kernel of the first convolution is computed from a few thousand training
    images and stays as it is. A stage is a convolution, a 2x2 max pool, a batch normalisation
    without scale, an activation, and the same again without a pool. Where the model answers it sees
    several views of each image and gives the mean: in validation, in the best model, and exported.

    Args:
        widths: the filters of the convolutions of each stage.
        activation: after each of them.
        momentum: of the averages of batch normalisation; small, so that they follow a short
            training.
        logit_scale: what the logits are multiplied by, so that they begin small.
        views: what the model answers to: "single" images; "mirrored", the mean of an image and its
            mirror image; or "shifted", which counts these half and both moved by a pixel along the
            diagonal, each way, the other half.

    Raises:
        ConfigError: when there is no stage.
        ModelError: when the image is smaller than the pools allow, or is no image.

    Example:
        >>> WhitenedCNN(widths=(32, 64))
        WhitenedCNN(widths=(32, 64))
    """

    widths: tuple[Positive, ...] = (64, 256, 256)
    activation: str = "gelu"
    momentum: OpenFraction = 0.6
    logit_scale: PositiveFloat = 1 / 9
    views: Literal["single", "mirrored", "shifted"] = "mirrored"
    contract: ClassVar[str] = (
        "images; bytes are scaled from 0..255 to 0..1, and each channel normalised, inside the "
        "model; at least 9 pixels a side for three stages"
    )

    def validate(self) -> None:
        """Refuse a network without stages."""
        if not getattr(self.widths, "value", self.widths):
            raise ConfigError("WhitenedCNN.widths is empty: give the filters of each stage.")

    def check(self, spec: ElementSpec) -> None:
        height, width, _ = image_feature(spec, "WhitenedCNN").shape
        least = 2 ** len(self.widths) + 1
        if min(height, width) < least:
            raise ModelError(
                f"WhitenedCNN(widths={self.widths}) halves the image {len(self.widths)} times and "
                f"needs at least {least}x{least} pixels, got {height}x{width}. Use fewer widths."
            )

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.models.whitened_cnn.layers import MeanOfViews, Views, WhiteningConv
        from tfpipe.models.whitened_cnn.patches import whitening

        self.check(spec)
        image = image_feature(spec, "WhitenedCNN")
        scale = 1 / 255 if image.dtype == "uint8" else 1.0
        learnt = whitening(image.shape[2], train, spec.splits.get("train", 0), scale)
        inputs, x = raw_input(image)
        if self.views != "single":
            x = Views(self.views, dtype="float32", name="views")(x)
        x = keras.layers.Rescaling(
            (1 / learnt.deviation).tolist(),
            (-learnt.mean / learnt.deviation).tolist(),
            dtype="float32",
            name="normalisation",
        )(x)
        whiten = WhiteningConv(learnt.kernel.shape[-1], 2, name="whitening")
        x = self._activated(whiten(x))
        whiten.kernel.assign(learnt.kernel)
        for number, width in enumerate(self.widths, start=1):
            x = self._convolved(x, width, f"{number}_1", pool=True)
            x = self._convolved(x, width, f"{number}_2", pool=False)
        x = keras.layers.GlobalMaxPooling2D()(x)
        if self.views != "single":
            x = MeanOfViews(self.views, dtype="float32", name="mean_of_views")(x)
        # Without a bias this is the same as a scale of the logits.
        x = keras.layers.Rescaling(self.logit_scale, dtype="float32", name="logit_scale")(x)
        uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        outputs = logits(x, spec, task, use_bias=False, kernel_initializer=uniform)
        return keras.Model(inputs, outputs, name="whitened_cnn")

    def _convolved(self, x: Any, width: int, place: str, pool: bool) -> Any:
        import keras

        from tfpipe.models.whitened_cnn.fused import FastConv, FusedBatchNormalization
        from tfpipe.models.whitened_cnn.layers import PartlyIdentity

        x = FastConv(
            width,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=PartlyIdentity(),
            name=f"conv_{place}",
        )(x)
        if pool:
            x = keras.layers.MaxPooling2D(2)(x)
        x = FusedBatchNormalization(
            scale=False, momentum=self.momentum, epsilon=1e-5, name=f"norm_{place}"
        )(x)
        return self._activated(x)

    def _activated(self, x: Any) -> Any:
        import keras

        from tfpipe.models.whitened_cnn.fused import Gelu

        known = named("activations", "WhitenedCNN.activation", self.activation)
        return Gelu()(x) if known == "gelu" else keras.layers.Activation(known)(x)

    @classmethod
    def example(cls) -> Self:
        return cls(widths=(8, 8))
