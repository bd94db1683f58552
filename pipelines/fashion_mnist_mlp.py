"""One hidden layer on Fashion-MNIST.

Shows: TensorFlow Datasets, a callback of this project that draws pictures.

The numbers are those of TensorFlow's guide to basic classification: 101,770 parameters, Adam, ten
epochs, batches of 32. It gives no test accuracy to compare with. report/images.png shows 25
training images with their names, report/predictions.png validation images with the answers, blue
when right and red when wrong, each beside its ten probabilities.

    tfpipe run pipelines/fashion_mnist_mlp.py
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS
from tfpipe.models import MLP


class FashionMnistMLP(Pipeline):
    """Flatten, 128, 10."""

    data = TFDS(
        "fashion_mnist",
        validation=0.1,
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
    model = MLP(units=(128,))
    optimizer = keras.optimizers.Adam()
    callbacks = (
        deferred("callbacks.image_grid").ImageGrid(side=5),
        deferred("callbacks.predictions").Predictions(every=5),
    )
    batch_size = 32
    epochs = 10
