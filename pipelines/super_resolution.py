"""Photographs three or four times as large: SRCNN, EDSR and WDSR, trained on the 91 images.

Shows: a network that answers with an image; good images made worse; squares to train on, whole
images to judge; an export that takes photographs of any size.

| class       | network                       | parameters | Set5 in dB, published and here |
| ----------- | ----------------------------- | ---------- | ------------------------------ |
| SRCNNx3     | SRCNN 9-1-5                   |     20,099 | 32.39, 32.12 in six minutes    |
| SRCNNx4     | SRCNN 9-1-5                   |     20,099 | 30.09, 30.01 in six minutes    |
| EDSRx4      | EDSR, 16 blocks of 64 filters |  1,517,571 | of 800 larger photographs      |
| EDSRx4Small | 8 blocks of 32                |    232,963 | 30.64 in ten minutes           |
| WDSRx4      | WDSR-B, 32 blocks             |    615,088 | of 800 larger photographs      |
| WDSRx4Small | 8 blocks                      |    167,680 | 30.98 in six minutes           |
| bicubic     |                               |            | 30.39 (x3), 28.42 (x4)         |

data.path is the folder of the 91 images of Yang and others, 2010, data.test that of Set5 or Set14.
Minutes are those of two CPU cores. Where crops are 96, images smaller than that are left out.

    tfpipe run pipelines/super_resolution.py::SRCNNx3 data.path=t91 data.test=set5
    tfpipe run pipelines/super_resolution.py::EDSRx4Small data.path=t91 data.test=set5
    tfpipe predict last photo.jpg --to enlarged
    tfpipe run pipelines/super_resolution.py --sample epochs=1
"""

from tfpipe import Pipeline, keras
from tfpipe.data import ImagePairs, augment
from tfpipe.models import EDSR, SRCNN, WDSR

schedules = keras.optimizers.schedules


class SRCNNx3(Pipeline):
    """Three convolutions; what they answer is added to the bicubic image."""

    data = ImagePairs("t91", shrink=3, crop=66, crops=16, test="set5")
    augment = (augment.flip(), augment.quarter_turn())
    model = SRCNN(scale=3, residual=True)
    loss = keras.losses.MeanSquaredError()
    optimizer = keras.optimizers.Adam(schedules.CosineDecay(1e-3, 10_000, alpha=0.01))
    batch_size = 16
    steps_per_epoch = 250
    epochs = 40
    precision = "auto"


class SRCNNx4(SRCNNx3):
    """The same, four times as large."""

    data = ImagePairs("t91", shrink=4, crop=64, crops=16, test="set5")
    model = SRCNN(scale=4, residual=True)


class Enlarged4(Pipeline):
    """What the networks for four times as many pixels a side have in common."""

    data = ImagePairs("t91", shrink=4, crop=96, crops=16, test="set5", on_bad="skip")
    augment = (augment.flip(), augment.quarter_turn())
    batch_size = 16
    steps_per_epoch = 1000
    epochs = 300
    precision = "auto"


class EDSRx4(Enlarged4):
    """The baseline of the paper; on 800 photographs it takes a GPU a day."""

    model = EDSR(scale=4)
    optimizer = keras.optimizers.Adam(schedules.PiecewiseConstantDecay([200_000], [1e-4, 5e-5]))


class EDSRx4Small(Enlarged4):
    """Half the blocks of half the filters, at a rate that falls within minutes."""

    data = ImagePairs("t91", shrink=4, crop=72, crops=16, test="set5")
    model = EDSR(scale=4, blocks=8, filters=32)
    optimizer = keras.optimizers.Adam(schedules.CosineDecay(5e-4, 8_000, alpha=0.02))
    steps_per_epoch = 200
    epochs = 40


class WDSRx4(Enlarged4):
    """Wide activations: as good with fewer parameters."""

    model = WDSR(scale=4)
    optimizer = keras.optimizers.Adam(schedules.PiecewiseConstantDecay([200_000], [1e-3, 5e-4]))


class WDSRx4Small(Enlarged4):
    """A quarter of the blocks."""

    data = ImagePairs("t91", shrink=4, crop=72, crops=16, test="set5")
    model = WDSR(scale=4, blocks=8)
    optimizer = keras.optimizers.Adam(schedules.CosineDecay(1e-3, 8_000, alpha=0.02))
    steps_per_epoch = 200
    epochs = 40
