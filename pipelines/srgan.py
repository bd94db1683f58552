"""SRGAN: photographs four times as large, by a network that is trained against another.

Shows: two networks with an optimizer each, phases, a perceptual loss, the generator alone exported.

After Ledig and others, 2017, arXiv:1609.04802:

| what          | here                                                                       |
| ------------- | -------------------------------------------------------------------------- |
| generator     | SRResNet, 16 blocks of 64 filters: 1,554,883 parameters                    |
| discriminator | eight convolutions of 64 to 512 filters, Dense 1024: 23,569,217            |
| squares       | 96 pixels a side, 24 of them given                                         |
| first phase   | the generator alone, squared error, Adam 1e-4, 1,000,000 steps             |
| second phase  | both, 200,000 steps, Adam 1e-4, 1e-5 from the middle on                    |
| loss          | squared difference of VGG19's block5_conv4 before its activation, divided  |
|               | by 12.75, and 0.001 times that of not being taken for true                 |

The perceptual loss needs VGG19's ImageNet weights. SRGANSmall does without them, for two CPU cores:
by the features of a network of one's own, such as pipelines/tiny_imagenet_vgg.py, a smaller
generator, and few steps.

    tfpipe run pipelines/srgan.py data.path=t91 data.test=set5
    tfpipe run pipelines/srgan.py::SRGANSmall data.path=t91 data.test=set5 \\
        fine_tune.phases.1.loss.features.network=RUN/checkpoints/best.keras
    tfpipe run pipelines/srgan.py::SRGANSmall --sample 40 steps_per_epoch=4
"""

from tfpipe import FineTune, Phase, Pipeline, deferred, keras
from tfpipe.data import ImagePairs, augment
from tfpipe.models import GAN, Discriminator, FeatureExtractor, SRResNet

losses = deferred("tfpipe.losses")
schedules = keras.optimizers.schedules


class SRGAN(Pipeline):
    """The published networks and schedule."""

    data = ImagePairs("t91", shrink=4, crop=96, crops=16, test="set5", on_bad="skip")
    augment = (augment.flip(), augment.quarter_turn())
    model = GAN(SRResNet(), Discriminator(), weight=1e-3)
    optimizer = keras.optimizers.Adam(1e-4)
    fine_tune = FineTune(
        phases=(
            Phase(epochs=1000, loss="mse", pretrain=True),
            Phase(
                epochs=200,
                optimizer=keras.optimizers.Adam(
                    schedules.PiecewiseConstantDecay([100_000], [1e-4, 1e-5])
                ),
                loss=losses.Perceptual(
                    FeatureExtractor("VGG19", ("block5_conv4",), activated=False)
                ),
            ),
        )
    )
    batch_size = 16
    steps_per_epoch = 1000


class SRGANSmall(SRGAN):
    """A quarter of the blocks, half of the filters; 800 steps alone and 200 together.

    What the layers of one's own network answer is about 1, where VGG19's is about 100.
    """

    model = GAN(
        SRResNet(blocks=4, filters=32), Discriminator((32, 64, 128, 256), dense=256), weight=1e-3
    )
    fine_tune = FineTune(
        phases=(
            Phase(epochs=16, optimizer=keras.optimizers.Adam(5e-4), loss="mse", pretrain=True),
            Phase(
                epochs=4,
                loss=losses.Perceptual(
                    FeatureExtractor("runs/tiny_imagenet_vgg/best.keras", ("activation_5",), None),
                    divisor=0.5,
                ),
            ),
        )
    )
    steps_per_epoch = 50
