"""Two hidden layers on MNIST: the smallest useful pipeline.

Shows: TensorFlow Datasets, a multi-layer perceptron.

The numbers are those of a published course: 235,146 parameters, batches of 32 (1,875 steps), ten
epochs of plain SGD. Its three runs, unseeded:

| device  | test accuracy | seconds an epoch |
| ------- | ------------: | ---------------: |
| CPU     |        96.83% |                5 |
| GPU     |        96.67% |                3 |
| TPU     |        96.85% |               20 |

The "TPU" run built its model outside of the strategy's scope and so trained on the CPU: here the
device is picked, tried, and said. This declaration reaches 96.84% (benchmarks/results.md).

    tfpipe run pipelines/mnist_mlp.py
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TFDS
from tfpipe.models import MLP


class MnistMLP(Pipeline):
    """Flatten, 256, 128, 10."""

    data = TFDS("mnist", validation=None)
    model = MLP(units=(256, 128))
    optimizer = keras.optimizers.SGD(learning_rate=0.01)
    batch_size = 32
    epochs = 10
