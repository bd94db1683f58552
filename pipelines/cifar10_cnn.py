"""CNN_2_4_6 on CIFAR-10: two, four or six 3x3 convolutions, five published variants.

Shows: a data set of TensorFlow Datasets, augmentation, a family of variants in one file.

The numbers are those of a published course (20 epochs, batches of 32, SGD 0.001 with momentum 0.9,
5% of the training images held out). Its five runs, unseeded, on a Colab GPU:

| class              | parameters | test loss | test accuracy | here, on re-encoded images |
| ------------------ | ---------: | --------: | ------------: | -------------------------: |
| Cifar10CNN2        |  1,060,138 |    0.9216 |  not printed  |             0.9022, 68.50% |
| Cifar10CNN4        |    591,274 |    0.7525 |        74.37% |             0.7637, 73.85% |
| Cifar10CNN6        |    550,570 |    0.7536 |        74.52% |             0.7736, 73.13% |
| Cifar10CNN6Dropout |    550,570 |    0.7142 |        75.00% |             0.8499, 70.50% |
| Cifar10CNN         |    552,362 |    0.6758 |        78.22% |             0.7163, 76.33% |

More about what these declarations reach is in benchmarks/results.md.

    tfpipe run pipelines/cifar10_cnn.py                  six convolutions with batch norm
    tfpipe run pipelines/cifar10_cnn.py::Cifar10CNN2     any other
    tfpipe run pipelines/cifar10_cnn.py --sample         on generated images, no download
"""

from tfpipe import Pipeline, hp, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import CNN_2_4_6


class Cifar10CNN6(Pipeline):
    """Six convolutions, nothing else."""

    data = TFDS("cifar10", validation=0.05)
    augment = (augment.flip(), augment.rotate(15), augment.shift(0.1))
    model = CNN_2_4_6(convs=6)
    optimizer = keras.optimizers.SGD(
        learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True), momentum=0.9
    )
    batch_size = 32
    drop_remainder = True
    epochs = 20


class Cifar10CNN2(Cifar10CNN6):
    """Two convolutions."""

    model = CNN_2_4_6(convs=2)


class Cifar10CNN4(Cifar10CNN6):
    """Four convolutions."""

    model = CNN_2_4_6(convs=4)


class Cifar10CNN6Dropout(Cifar10CNN6):
    """Six convolutions that start from He's uniform weights, with dropout after each pool."""

    model = CNN_2_4_6(convs=6, dropout=(0.2, 0.2, 0.3), initializer="he_uniform")


class Cifar10CNN(Cifar10CNN6):
    """Six convolutions with batch normalisation, weight decay and dropout: the best of the five."""

    model = CNN_2_4_6(convs=6, dropout=(0.2, 0.3, 0.3), batch_norm=True, l2=1e-4)
