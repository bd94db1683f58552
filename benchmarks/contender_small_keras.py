"""The contender plain Keras on small problems: a script as its guide teaches.

    python benchmarks/contender_small_keras.py boston|churn|wine|digits|sine|circle FOLDER

Arrays from the same packages and files, `fit` with validation where the pipeline has it, early
stopping where it has it, TensorBoard, the best model kept, the test set, a SavedModel in FOLDER.
`compiled` after the problem takes as many steps in a call as an epoch has (steps_per_execution).
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.stopwatch import TrainingTime

Data = tuple[np.ndarray, np.ndarray]


def parts(x: np.ndarray, y: np.ndarray, validation: float, test: float) -> list[Data]:
    """Training, validation and test, drawn at random."""
    order = np.random.default_rng(0).permutation(len(x))
    tested = int(test * len(x)) if test < 1 else int(test)
    held = int(validation * (len(x) - tested)) if validation < 1 else int(validation)
    cuts = np.split(order, [len(x) - tested - held, len(x) - tested])
    return [(x[rows], y[rows]) for rows in cuts]


def dense(x: np.ndarray, units: list[int], answers: int, activation: str = "relu") -> keras.Model:
    """A multi-layer perceptron on standardised numbers."""
    scale = keras.layers.Normalization()
    scale.adapt(x)
    hidden = [keras.layers.Dense(n, activation) for n in units]
    return keras.Sequential([keras.Input(x.shape[1:]), scale, *hidden, keras.layers.Dense(answers)])


def boston() -> None:
    from mlxtend.data import boston_housing_data

    x, y = boston_housing_data()
    data = parts(x.astype("float32"), y.astype("float32"), 0.2, 0.2)
    model = dense(data[0][0], [20], 1)
    model.compile("adam", "mse", metrics=["mae"])
    train(model, data, 32, 1000, keras.callbacks.EarlyStopping(patience=50))


def churn() -> None:
    import pandas

    table = pandas.read_csv("data/Churn_Modelling.csv")
    y = table.pop("Exited").to_numpy("float32")
    table = table.drop(columns=["RowNumber", "CustomerId", "Surname"])
    x = pandas.get_dummies(table, drop_first=True).to_numpy("float32")
    data = parts(x, y, 0.1, 0.3)
    model = dense(data[0][0], [128, 64, 32], 1)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    train(model, data, 32, 50, keras.callbacks.EarlyStopping(patience=5), histogram_freq=1)


def wine() -> None:
    import pandas

    table = pandas.read_csv("data/winequality-white.csv", sep=";")
    y = table.pop("quality").to_numpy("float32")
    data = parts(table.to_numpy("float32"), y, 0.0, 0.3)
    model = dense(data[0][0], [64], 1)
    model.compile("adam", "mse", metrics=["mae"])
    train(model, data, 32, 20, steps=100)


def digits() -> None:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    data = parts(x.astype("float32"), y, 0.0, 90)
    model = dense(data[0][0], [256, 128, 64, 32], 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adagrad(1e-3), loss, metrics=["accuracy"])
    train(model, data, 32, 20, steps=100)


def sine() -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, 1000)
    wave = (np.sin(0.01 * np.arange(1000)) + noise).astype("float32")
    x = np.lib.stride_tricks.sliding_window_view(wave[:-1], 4)
    data = parts(x, wave[4:], 100, 296)
    model = dense(data[0][0], [10], 1)
    model.compile("adam", "mse", metrics=["mae"])
    train(model, data, 16, 50)


def circle() -> None:
    from tfpipe.data.generated_tasks import generate

    points, y = generate("circle", 500, 0)
    x = np.stack([points["x"], points["y"]], 1).astype("float32")
    data = parts(x, y.astype("float32"), 0.0, 0.5)
    hidden = [keras.layers.Dense(n, "tanh") for n in (4, 2, 1)]
    model = keras.Sequential([keras.Input((2,)), *hidden])
    model.compile(keras.optimizers.SGD(0.03), keras.losses.Huber(delta=2.0))
    train(model, data, 10, 40, steps=250)


def train(
    model: keras.Model,
    data: list[Data],
    batch: int,
    epochs: int,
    *callbacks: keras.callbacks.Callback,
    steps: int | None = None,
    histogram_freq: int = 0,
) -> None:
    """Fit, keep the best model, test, and export; a number of steps repeats the data."""
    import tensorflow as tf

    folder, (x, y), held = Path(sys.argv[2]), data[0], data[1]
    validated = len(held[0]) > 0
    rows = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x))
    batches = (rows.repeat() if steps else rows).batch(batch).prefetch(tf.data.AUTOTUNE)
    if "compiled" in sys.argv:
        model.compile(
            model.optimizer,
            model.loss,
            metrics=["mae" if model.output_shape[-1] == 1 else "accuracy"],
            steps_per_execution=steps or -(-len(x) // batch),
        )
    model.fit(
        batches,
        epochs=epochs,
        steps_per_epoch=steps,
        validation_data=held if validated else None,
        validation_batch_size=batch,
        verbose=0,
        callbacks=[
            *callbacks,
            keras.callbacks.TensorBoard(str(folder / "tensorboard"), histogram_freq=histogram_freq),
            keras.callbacks.ModelCheckpoint(
                str(folder / "best.keras"),
                monitor="val_loss" if validated else "loss",
                save_best_only=True,
            ),
            TrainingTime(),
        ],
    )
    model.evaluate(*data[2], batch_size=batch, verbose=0)
    model.export(str(folder / "saved_model"), verbose=False)


PROBLEMS: dict[str, Callable[[], None]] = {
    function.__name__: function for function in (boston, churn, wine, digits, sine, circle)
}

if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    PROBLEMS[sys.argv[1]]()
