"""LeNet on CIFAR-10: the small network of the ROCm guide.

Shows: very small batches, images scaled to -1..1, the accuracy of each class.

The numbers are those of AMD's guide to TensorFlow on ROCm: 62,006 parameters, SGD 0.001 with
momentum 0.9, batches of 4, two epochs. The printed network lacked its first dense layer, and its
check of the saved model compared answers to training images: here the SavedModel is compared with
the trained model on images that training has not seen. This declaration reaches 54.4%
(benchmarks/results.md).

    tfpipe run pipelines/cifar10_lenet.py
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TFDS
from tfpipe.models import LeNet


class Cifar10LeNet(Pipeline):
    """Conv 6, pool, conv 16, pool, 120, 84, 10."""

    data = TFDS("cifar10", validation=None)
    model = LeNet()
    optimizer = keras.optimizers.SGD(learning_rate=0.001, momentum=0.9)
    batch_size = 4
    epochs = 2
