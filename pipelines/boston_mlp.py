"""House prices in Boston from 13 numbers.

Shows: a table with named columns, standardised inside the model; early stopping; a quiet long run.

The numbers are those of a published course: 506 rows, 301 parameters, Adam, at most 1,000 epochs
and early stopping with a patience of 50. Its test errors, unseeded: MAE 2.686, RMSE 4.279, in
thousands of dollars. Means and variances are learnt from the training rows alone and are in the
SavedModel, which takes raw rows. This declaration reaches MAE 2.463, RMSE 3.336
(benchmarks/results.md).

The table is known for a column made from the share of Black residents: a benchmark, and nothing to
decide anything about people with.

    tfpipe run pipelines/boston_mlp.py
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import Mlxtend
from tfpipe.models import MLP


class BostonMLP(Pipeline):
    """20, 1."""

    data = Mlxtend("boston_housing", validation=0.2, test=0.2)
    model = MLP(units=(20,))
    optimizer = keras.optimizers.Adam()
    callbacks = (
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=50, restore_best_weights=True),
        deferred("callbacks.dots").Dots(every=100),
    )
    batch_size = 32
    epochs = 1000
