"""Five convolutions on MNIST: the model of a web application that reads handwritten digits.

Shows: blocks of convolutions with and without a pool, batch normalisation in the head.

The numbers are those of the application's published network: 730,602 parameters, of which 256 (the
running averages of batch normalisation) are not trained. Its dropout rates and its accuracy were
not published: 0.25 is used, and 99% is what such networks reach. This declaration reaches 99.66%
(benchmarks/results.md).

    tfpipe run pipelines/mnist_webapp_cnn.py
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import Block, ConvNet


class MnistWebappCNN(Pipeline):
    """Digits are drawn off centre and aslant in a browser, so training turns and moves them."""

    data = TFDS("mnist", validation=0.1)
    augment = (augment.rotate(10), augment.shift(0.1), augment.zoom(0.1))
    model = ConvNet(
        blocks=(
            Block(convs=(32, 32), padding="valid", dropout=0.25),
            Block(convs=(64, 64), dropout=0.25),
            Block(convs=(128,), pool=0, dropout=0.25),
        ),
        units=(128,),
        batch_norm=True,
        dropout=0.25,
    )
    optimizer = keras.optimizers.Adam(learning_rate=1e-3)
    callbacks = (
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.3, patience=1),
        keras.callbacks.EarlyStopping(
            monitor="val_accuracy", patience=4, restore_best_weights=True
        ),
    )
    batch_size = 64
    epochs = 10
