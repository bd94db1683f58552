"""WhitenedCNN on CIFAR-10: as much accuracy as minutes on two CPU cores can have.

Shows: a short recipe, an optimizer of tfpipe's own, flips that alternate, several views an answer.

The recipe is that of Keller Jordan's "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024,
arXiv:2404.00498, whose network reaches 94.0% in 9.9 epochs: patches whitened by a fixed layer, a
triangular learning rate with Nesterov momentum, labels smoothed by 0.2, each image mirrored in
every second epoch, a lookahead average of the weights, and the mean of several views as the answer.
`Cifar10Published` is just that: its learning rate is the paper's 11.5 for the sum of 1,024 losses,
here for the mean of 512. The others move the kernels by Muon, as his later recipe does, with a rate
that falls from the first step on. What each reaches, and how fast, is in benchmarks/results.md.
Without hardware for bfloat16 they train in float32.

    tfpipe run pipelines/cifar10_fast.py                      a wider network, half an hour
    tfpipe run pipelines/cifar10_fast.py::Cifar10Published    the published one, nine minutes
    tfpipe run pipelines/cifar10_fast.py::Cifar10Minutes      a smaller one, two minutes
    tfpipe run pipelines/cifar10_fast.py --sample             on generated images, no download
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import WhitenedCNN

optimizers = deferred("tfpipe.optimizers")


class Cifar10Published(Pipeline):
    """The published network and its optimizer, ten epochs."""

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


class Cifar10Minutes(Cifar10Published):
    """Half the filters in the last stages, and smaller batches: more steps in less time."""

    model = WhitenedCNN(widths=(64, 128, 128))
    optimizer = optimizers.ConvMuon(
        optimizers.Triangular(0.12, start=1.0, end=0.0, at=0.01),
        weight_decay=0.0102,
        rates={"*/beta": 534.0, "*/bias": 8.0, "logits/*": 8.0},
    )
    batch_size = 256
    epochs = 2


class Cifar10Fast(Pipeline):
    """A wider network, and squares cut out of the images."""

    data = Cifar10Published.data
    augment = (*Cifar10Published.augment, augment.cutout(8))
    model = WhitenedCNN(widths=(128, 384, 384), views="shifted")
    optimizer = Cifar10Minutes.optimizer.replace(
        learning_rate=optimizers.Triangular(0.16, start=1.0, end=0.0, at=0.01),
        rates={"*/beta": 256.0, "*/bias": 8.0, "logits/*": 8.0},
    )
    loss = Cifar10Published.loss
    batch_size = 512
    drop_remainder = True
    epochs = 11
    precision = "auto"
