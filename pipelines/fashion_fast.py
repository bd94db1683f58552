"""WhitenedCNN on Fashion-MNIST: short recipes for two CPU cores.

Shows: presets of one recipe, which is that of cifar10_fast.py.

    tfpipe run pipelines/fashion_fast.py                      94.57% in seven minutes
    tfpipe run pipelines/fashion_fast.py::FashionThreeMinutes    93.92%
    tfpipe run pipelines/fashion_fast.py::FashionOneMinute       92.45%
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import WhitenedCNN

optimizers = deferred("tfpipe.optimizers")


class FashionFast(Pipeline):
    """Ten epochs, less than ten minutes."""

    data = TFDS(
        "fashion_mnist",
        validation=None,
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
    augment = (augment.flip(alternate=True), augment.crop(2, fill="constant"))
    model = WhitenedCNN(widths=(64, 128, 256))
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


class FashionThreeMinutes(FashionFast):
    """Half the filters, four epochs."""

    model = WhitenedCNN(widths=(64, 128, 128))
    epochs = 4


class FashionOneMinute(FashionFast):
    """A quarter of the filters, two epochs."""

    model = WhitenedCNN(widths=(32, 64, 128))
    epochs = 2
