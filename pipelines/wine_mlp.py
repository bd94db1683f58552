"""How good a white wine is, from 11 measurements.

Shows: a CSV file with another delimiter, a score as a real number.

The numbers are those of a published course on winequality-white.csv (4,898 rows; 3,428/1,470): 833
parameters, Adam, batches of 32, 2,000 steps. Its test MSE, unseeded: 0.607. This declaration
reaches 0.522 (benchmarks/results.md).

    tfpipe run pipelines/wine_mlp.py data.path=winequality-white.csv
"""

from tfpipe import Pipeline, keras
from tfpipe.data import CSV
from tfpipe.models import MLP


class WineMLP(Pipeline):
    """64, 1."""

    data = CSV(
        "data/winequality-white.csv",
        label="quality",
        delimiter=";",
        columns=dict.fromkeys(
            (
                "fixed acidity",
                "volatile acidity",
                "citric acid",
                "residual sugar",
                "chlorides",
                "free sulfur dioxide",
                "total sulfur dioxide",
                "density",
                "pH",
                "sulphates",
                "alcohol",
            ),
            "number",
        ),
        label_kind="number",
        validation=None,
        test=0.3,
    )
    model = MLP(units=(64,))
    optimizer = keras.optimizers.Adam()
    batch_size = 32
    steps_per_epoch = 100
    epochs = 20
