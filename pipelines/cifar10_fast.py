"""WhitenedCNN on CIFAR-10: as much accuracy as minutes on two CPU cores can have.

Shows: a short recipe, an optimizer of tfpipe's own, flips that alternate, several views an answer.

The recipe is that of Keller Jordan's "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024,
arXiv:2404.00498, whose network reaches 94.0% in 9.9 epochs: patches whitened by a fixed layer, a
triangular learning rate with Nesterov momentum, labels smoothed by 0.2, each image mirrored in
every second epoch, a lookahead average of the weights, and the mean of two views as the answer. The
learning rate is its 11.5 for the sum of 1,024 losses, here for the mean of 512. What the classes
reach, and how fast, is in benchmarks/results.md. Without hardware for bfloat16 they train in
float32.

    tfpipe run pipelines/cifar10_fast.py                     ten epochs
    tfpipe run pipelines/cifar10_fast.py::Cifar10Minutes     a smaller network, two epochs
    tfpipe run pipelines/cifar10_fast.py --sample            on generated images, no download
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import WhitenedCNN

optimizers = deferred("tfpipe.optimizers")


class Cifar10Fast(Pipeline):
    """The published network."""

    data = TFDS("cifar10", validation=None)
    augment = (augment.flip(alternate=True), augment.crop(2))
    model = WhitenedCNN()
    optimizer = optimizers.LookaheadSGD(
        optimizers.Triangular(0.75),
        momentum=0.85,
        nesterov=True,
        weight_decay=0.0102,
        rates={"*/beta": 64.0},
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    batch_size = 512
    drop_remainder = True
    epochs = 10
    precision = "auto"


class Cifar10Minutes(Cifar10Fast):
    """Half the filters in the last stages, and smaller batches: more steps in less time."""

    model = WhitenedCNN(widths=(64, 128, 128))
    optimizer = Cifar10Fast.optimizer.replace(learning_rate=optimizers.Triangular(0.375))
    batch_size = 256
    epochs = 2
