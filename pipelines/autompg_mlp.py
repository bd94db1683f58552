"""How far cars go on a gallon of fuel, from a table with a category.

Shows: numbers and a category in one table, looked up and standardised inside the model.

TensorFlow's guide to regression is about this table (Auto MPG); this is the copy that comes with
mlxtend, so nothing is downloaded. The rows whose horsepower was missing were dropped from it. A
row with a missing number is answered all the same: the model takes the mean of the training rows.
This declaration reaches a MAE of 2.19 miles a gallon on the test rows (benchmarks/results.md).

    tfpipe run pipelines/autompg_mlp.py
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import Mlxtend
from tfpipe.models import MLP


class AutompgMLP(Pipeline):
    """64, 64, 1."""

    data = Mlxtend("autompg", validation=0.2, test=0.2)
    model = MLP(units=(64, 64))
    optimizer = keras.optimizers.Adam(learning_rate=1e-3)
    callbacks = (
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=20, restore_best_weights=True),
        deferred("callbacks.dots").Dots(every=50),
    )
    batch_size = 32
    epochs = 300
