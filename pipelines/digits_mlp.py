"""Small multi-layer perceptrons on scikit-learn's handwritten digits.

Shows: a data set that comes with scikit-learn, epochs counted in steps, variants as subclasses.

The numbers are those of a published course: 1,797 digits of 8x8, of which the last 90 rows are the
test (1,707/90); 60,202 parameters; Adagrad 0.001, batches of 32, 2,000 steps. Its accuracy,
unseeded: 95.56%, 86 of 90. These declarations reach 96.67%, 87 of 90; with three hidden layers
95.56%, with dropout 84.44% (benchmarks/results.md).

    tfpipe run pipelines/digits_mlp.py
    tfpipe run pipelines/digits_mlp.py::DigitsMLPThree      three hidden layers
    tfpipe run pipelines/digits_mlp.py::DigitsMLPDropout    dropout of 0.2
"""

from tfpipe import Pipeline, hp, keras
from tfpipe.data import Sklearn
from tfpipe.models import MLP


class DigitsMLP(Pipeline):
    """256, 128, 64, 32, 10."""

    data = Sklearn("digits", validation=None, test=90)
    model = MLP(units=(256, 128, 64, 32))
    optimizer = keras.optimizers.Adagrad(learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True))
    batch_size = 32
    steps_per_epoch = 100
    epochs = 20


class DigitsMLPThree(DigitsMLP):
    """Three hidden layers: 256, 128, 64, 10."""

    model = MLP(units=(256, 128, 64))


class DigitsMLPDropout(DigitsMLP):
    """Dropout of 0.2 after each hidden layer."""

    model = MLP(units=(256, 128, 64, 32), dropout=0.2)
