"""Two convolutions on MNIST.

Shows: a network of convolutions declared block by block, a validation split.

The numbers are those of a published course: 1,199,882 parameters, Adam, five epochs, 10% of the
training images held out (54,000/6,000; 1,688 steps of 32). Its test accuracy, unseeded: 99.06%.
This declaration reaches 99.04% (benchmarks/results.md).

    tfpipe run pipelines/mnist_cnn.py
"""

from tfpipe import Pipeline, hp, keras
from tfpipe.data import TFDS
from tfpipe.models import Block, ConvNet


class MnistCNN(Pipeline):
    """Conv 32, conv 64, pool, dropout, dense 128, dropout, dense 10."""

    data = TFDS("mnist", validation=0.1)
    model = ConvNet(
        blocks=(Block(convs=(32, 64), padding="valid", dropout=0.25),),
        units=(128,),
        dropout=hp.Float(0.5, min=0.0, max=0.7),
    )
    optimizer = keras.optimizers.Adam(learning_rate=hp.Float(1e-3, min=1e-4, max=1e-2, log=True))
    batch_size = 32
    epochs = 5
