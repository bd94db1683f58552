"""Which pretrained network should I take? All of them with the same head, for one epoch.

Shows: a comparison of networks, a frozen base whose features are computed once, slices of a data
set of TensorFlow Datasets.

    tfpipe compare-models pipelines/applications_benchmark.py          the 28 published networks
    tfpipe compare-models pipelines/applications_benchmark.py --models MobileNet,DenseNet201
    tfpipe compare-models --resume                                     go on after a stop

Each network is frozen, at 224 pixels (NASNetLarge 331) with average pooling and one layer for the
classes, for one epoch in batches of 32. Published, unseeded, validation accuracy:

| data set                  | best                | among the others                            |
| ------------------------- | ------------------- | ------------------------------------------- |
| cats_vs_dogs, 70% and 30% | DenseNet201, 0.9908 | MobileNet, 0.9874 at 102 ms a step          |
| cifar10, 7% and 3%        | NASNetMobile, 0.774 |                                             |
| cifar100, 7% and 3%       | ResNet101V2, 0.481  |                                             |

There EfficientNet and MobileNetV3 scored chance: they scale their inputs themselves, and had been
given images that were divided by 255 before. Here each network gets what it expects.
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TFDS
from tfpipe.models import Application


class ApplicationsBenchmark(Pipeline):
    """CIFAR-10: the first 7% of the training images to train on, the next 3% to compare by."""

    data = TFDS("cifar10", train="train[:7%]", validation="train[7%:10%]", test=None)
    model = Application("MobileNet", size=(224, 224))
    optimizer = keras.optimizers.Adam()
    batch_size = 32
    epochs = 1


class Cifar100(ApplicationsBenchmark):
    """CIFAR-100, the same shares."""

    data = TFDS("cifar100", train="train[:7%]", validation="train[7%:10%]", test=None)


class CatsVsDogs(ApplicationsBenchmark):
    """Cats and dogs: photographs of any size, 70% to train on."""

    data = TFDS(
        "cats_vs_dogs",
        train="train[:70%]",
        validation="train[70%:]",
        test=None,
        size=(224, 224),
    )
