"""AlexNet to DenseNet on Fashion-MNIST: networks that papers compare with, trained from scratch.

Shows: networks declared as builders, small pictures enlarged batch by batch, smaller variants.

| class            | image, batch, learning rate | parameters | published test accuracy |
| ---------------- | --------------------------- | ---------- | ----------------------- |
| FashionAlexNet   | 224, 128, 0.01              | 46,764,746 | 0.874                   |
| FashionVGG11     | 224, 128, 0.05              | 43,093,322 | not printed             |
| FashionNiN       | 224, 128, 0.1               |  1,992,166 | none                    |
| FashionGoogLeNet |  96, 128, 0.1               |  5,977,530 | 0.892                   |
| FashionResNet18  |  96, 256, 0.05              | 11,186,186 | 0.921                   |
| FashionDenseNet  |  96, 256, 0.1               |    764,834 | 0.907                   |

They are those of a well-known course: SGD, ten epochs, grey images enlarged bilinearly. Published
are single runs without a seed on a GPU. Here 3,000 of the 60,000 training images are held out, for
the curves and the best epoch, and weights start by He and others, 2015, arXiv:1502.01852: from
Keras's default AlexNet, VGG, NiN and GoogLeNet learn nothing in the first hundred steps. The
gradients of NiN and GoogLeNet are clipped. Where the hardware has bfloat16 it is used.

Each has a class for two cores, such as FashionAlexNetSmall: half the pixels a side, the rest as
above. FashionResNet18Small also has mirrored images, Nesterov momentum and a learning rate that
rises and falls.

    tfpipe run pipelines/fashion_modern.py::FashionResNet18
    tfpipe run pipelines/fashion_modern.py::FashionResNet18Small
    tfpipe run pipelines/fashion_modern.py::FashionNiN data.size=[67,67] data.resize=[67,67]
    tfpipe run pipelines/fashion_modern.py::FashionDenseNetSmall --sample 512 epochs=1
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import VGG, AlexNet, DenseNet, GoogLeNet, NiN, ResNet

optimizers = deferred("tfpipe.optimizers")


def fashion(side: int) -> TFDS:
    """Return Fashion-MNIST, held at 28x28 and enlarged to a number of pixels a side."""
    return TFDS(
        "fashion_mnist",
        validation=0.05,
        size=(side, side),
        resize=(side, side),
        kept=(28, 28),
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    )


class FashionModern(Pipeline):
    """What they have in common."""

    batch_size = 128
    epochs = 10
    precision = "auto"


class FashionAlexNet(FashionModern):
    """Five convolutions, the first of 11x11, and two hidden layers of 4,096."""

    data = fashion(224)
    model = AlexNet()
    optimizer = keras.optimizers.SGD(learning_rate=0.01)


class FashionAlexNetSmall(FashionAlexNet):
    """Half the pixels a side."""

    data = fashion(112)


class FashionVGG11(FashionModern):
    """Eight 3x3 convolutions of a quarter of the published filters."""

    data = fashion(224)
    model = VGG(width=0.25)
    optimizer = keras.optimizers.SGD(learning_rate=0.05)


class FashionVGG11Small(FashionVGG11):
    """Half the pixels a side."""

    data = fashion(112)


class FashionNiN(FashionModern):
    """Four blocks with 1x1 convolutions, and no hidden layer.

    Its last block has ten filters, which the published learning rate alone can leave dead for ever
    in the first steps: gradients are clipped.
    """

    data = fashion(224)
    model = NiN()
    optimizer = keras.optimizers.SGD(learning_rate=0.1)
    clip_norm = 1.0


class FashionNiNSmall(FashionNiN):
    """Half the pixels a side."""

    data = fashion(112)


class FashionGoogLeNet(FashionModern):
    """Nine inceptions.

    At the published learning rate the loss was no number any more in the seventh epoch: gradients
    are clipped.
    """

    data = fashion(96)
    model = GoogLeNet()
    optimizer = keras.optimizers.SGD(learning_rate=0.1)
    clip_norm = 1.0


class FashionGoogLeNetSmall(FashionGoogLeNet):
    """Half the pixels a side."""

    data = fashion(48)


class FashionResNet18(FashionModern):
    """Eight residual blocks."""

    data = fashion(96)
    model = ResNet()
    optimizer = keras.optimizers.SGD(learning_rate=0.05)
    batch_size = 256


class FashionResNet18Small(FashionResNet18):
    """Half the pixels a side, mirrored images, a learning rate that rises and falls."""

    data = fashion(48)
    augment = (augment.flip(alternate=True),)
    optimizer = keras.optimizers.SGD(
        learning_rate=optimizers.Triangular(0.1), momentum=0.9, nesterov=True
    )


class FashionDenseNet(FashionModern):
    """Four dense blocks of four convolutions."""

    data = fashion(96)
    model = DenseNet()
    optimizer = keras.optimizers.SGD(learning_rate=0.1)
    batch_size = 256


class FashionDenseNetSmall(FashionDenseNet):
    """Half the pixels a side."""

    data = fashion(48)
