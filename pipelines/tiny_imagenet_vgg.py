"""VGG-11 on 20 classes of Tiny ImageNet: a network whose layers see colours, edges and textures.

Shows: a feature network of one's own for style transfer, dreams and perceptual losses, where no
weights of ImageNet are at hand.

Half of the published filters, batch normalisation, one hidden layer of 256.

    tfpipe run pipelines/tiny_imagenet_vgg.py data.path=tiny-imagenet-20
    tfpipe run pipelines/tiny_imagenet_vgg.py --sample 200 epochs=1
"""

from tfpipe import Pipeline, keras
from tfpipe.data import ImageFolder, augment
from tfpipe.models import VGG

EPOCHS, STEPS = 12, 79


class TinyImageNetVGG(Pipeline):
    """Eight convolutions."""

    data = ImageFolder(
        "data/tiny-imagenet-20",
        size=(64, 64),
        channels=3,
        validation="val",
        test=None,
        classes=20,
        names="words.txt",
    )
    augment = (augment.flip(), augment.crop(6))
    model = VGG(width=0.5, units=(256,), normalization="batch")
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * STEPS, alpha=0.01)
    )
    batch_size = 128
    epochs = EPOCHS
    precision = "auto"


class TinyImageNetBlocks(TinyImageNetVGG):
    """Four blocks of two convolutions: the backbone of `blood_cells.py` and `raccoon.py`.

    tfpipe run pipelines/tiny_imagenet_vgg.py::TinyImageNetBlocks data.path=tiny-imagenet-20
    cp runs/tiny_imagenet_vgg/.../checkpoints/best.keras tiny_imagenet_blocks.keras
    """

    model = VGG(((2, 16), (2, 32), (2, 64), (2, 128)), units=(), normalization="batch", dropout=0.3)
