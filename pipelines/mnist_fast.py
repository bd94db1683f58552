"""WhitenedCNN on MNIST: short recipes for two CPU cores.

Shows: presets of one recipe, which is that of cifar10_fast.py, without mirrored digits.

    tfpipe run pipelines/mnist_fast.py                       99.71% in five minutes
    tfpipe run pipelines/mnist_fast.py::MnistThreeMinutes    99.76%
    tfpipe run pipelines/mnist_fast.py::MnistOneMinute       99.66%
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import WhitenedCNN

optimizers = deferred("tfpipe.optimizers")


class MnistFast(Pipeline):
    """Ten epochs, less than ten minutes."""

    data = TFDS("mnist", validation=None)
    augment = (augment.rotate(10, fill="constant"), augment.crop(2, fill="constant"))
    model = WhitenedCNN(widths=(64, 128, 256), views="single")
    optimizer = optimizers.ConvMuon(
        optimizers.Triangular(0.12, start=1.0, end=0.0, at=0.01),
        weight_decay=0.0102,
        rates={"*/beta": 534.0, "*/bias": 8.0, "logits/*": 8.0},
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    batch_size = 256
    drop_remainder = True
    epochs = 10
    precision = "auto"


class MnistThreeMinutes(MnistFast):
    """Half the filters, four epochs."""

    model = WhitenedCNN(widths=(64, 128, 128), views="single")
    epochs = 4


class MnistOneMinute(MnistFast):
    """A quarter of the filters, two epochs."""

    model = WhitenedCNN(widths=(32, 64, 128), views="single")
    epochs = 2
