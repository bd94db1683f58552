"""GAN: a network that answers with images, and one that tells them from true ones."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Fraction, NonNegative
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ModelError
from tfpipe.models.images_out.discriminator import Discriminator
from tfpipe.models.images_out.pair import image_pair
from tfpipe.models.images_out.srresnet import SRResNet

if TYPE_CHECKING:
    import keras


class GAN(ModelBuilder):
    """A generator that is trained against a discriminator; each has an optimizer of its own.

    The pipeline's loss is the generator's; to it comes what the discriminator says. Its optimizer
    is made twice. Both networks are in the saved states, and the generator alone is the best model,
    what is evaluated, and what is exported. A phase with `pretrain=True` trains the generator
    by itself first:

        fine_tune = FineTune(
            phases=(Phase(epochs=10, loss="mse", pretrain=True), Phase(epochs=2))
        )

    Ledig and others, 2017, arXiv:1609.04802, for the defaults.

    Args:
        generator: a builder of a network that answers with images.
        discriminator: tells them from true ones.
        weight: of the adversarial part of the generator's loss; values are from 0 to 255.
        label_smoothing: true images are taken for true by 1 less this (Salimans and others, 2016,
            arXiv:1606.03498).

    Raises:
        ModelError: for data whose squares the discriminator halves too often.

    Example:
        >>> GAN(weight=0.01)
        GAN(weight=0.01)
    """

    generator: ModelBuilder = SRResNet()
    discriminator: Discriminator = Discriminator()
    weight: NonNegative = 1e-3
    label_smoothing: Fraction = 0.0
    makes_images: ClassVar[bool] = True
    contract: ClassVar[str] = "images of bytes, 1 or 3 channels, squares of one size to train on"

    def check(self, spec: ElementSpec) -> None:
        if not self.generator.makes_images or isinstance(self.generator, GAN):
            raise ModelError(
                f"GAN.generator={type(self.generator).__name__} does not answer with an image. "
                "Use SRResNet, EDSR, WDSR, SRCNN or UNet."
            )
        self.generator.check(spec)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        from tfpipe.models.images_out.adversarial import Adversarial

        image_pair(spec, "GAN")
        generator = self.generator.build(spec, task, train)
        if train is None:
            raise ModelError("GAN is built for squares of one size, which the training data has.")
        side = next(iter(train())).shape[1] * spec.label.scale
        if side < 2 ** len(self.discriminator.filters):
            raise ModelError(
                f"GAN.discriminator halves images {len(self.discriminator.filters)} times, and the "
                f"data has squares of {side} pixels. Use a larger data.crop, or fewer filters."
            )
        rival = self.discriminator.build(side, spec.label.shape[2])
        return Adversarial(generator, rival, self.weight, self.label_smoothing)

    @classmethod
    def example(cls) -> Self:
        return cls(SRResNet(scale=2, blocks=1, filters=8), Discriminator((8, 16), 16))
