"""WhitenedCNN on CIFAR-10: as much accuracy as a short training on two CPU cores can have.

Shows: a short recipe, an optimizer of tfpipe's own, several views of each image.
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import WhitenedCNN

optimizers = deferred("tfpipe.optimizers")


class Cifar10Fast(Pipeline):
    """Ten epochs."""

    data = TFDS("cifar10", validation=None)
    augment = (augment.flip(alternate=True), augment.crop(2))
    model = WhitenedCNN()
    optimizer = optimizers.LookaheadSGD(
        optimizers.Triangular(0.75),
        momentum=0.85,
        nesterov=True,
        weight_decay=0.0102,
        rates={"*/beta": 64.0, "whitening/bias": 64.0},
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    batch_size = 512
    drop_remainder = True
    epochs = 10
    precision = "auto"
