"""The contender Keras Tuner: a sequential random search, written by hand as its guide teaches.

    python benchmarks/contender_keras_tuner.py cnn|mlp TRIALS EPOCHS SEED FOLDER

It searches what `benchmarks.search` declares: four ranges of a CNN on the first 10,000 images of
CIFAR-10, or of an MLP on those of MNIST, the last tenth of them for validation. The values of all
trials are written to FOLDER/values.json.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import tensorflow as tf
import tensorflow_datasets as tfds

BATCH = 32


def cnn(hp: Any) -> Any:
    """The convolutional network of some values, compiled."""
    convs = hp.Choice("convs", [2, 4, 6], default=6)
    dropout = hp.Float("dropout", 0.0, 0.5, default=0.2)
    batch_norm = hp.Boolean("batch_norm", default=True)
    rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-3)
    layers = [keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255)]
    for filters in (32, 64, 128)[: convs // 2]:
        for _ in range(2):
            layers.append(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
            if batch_norm:
                layers.append(keras.layers.BatchNormalization())
        layers += [keras.layers.MaxPooling2D(), keras.layers.Dropout(dropout)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu")]
    return compiled([*layers, keras.layers.Dense(10)], rate)


def mlp(hp: Any) -> Any:
    """The dense network of some values, compiled."""
    units = hp.Int("units", 32, 256, sampling="log", default=64)
    dropout = hp.Float("dropout", 0.0, 0.5, default=0.2)
    batch_norm = hp.Boolean("batch_norm", default=False)
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=1e-2)
    layers = [keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    for width in (units, 64):
        layers.append(keras.layers.Dense(width, activation="relu"))
        if batch_norm:
            layers.append(keras.layers.BatchNormalization())
        layers.append(keras.layers.Dropout(dropout))
    return compiled([*layers, keras.layers.Dense(10)], rate)


def compiled(layers: list[Any], rate: float) -> Any:
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def data(name: str, split: str, shuffled: bool) -> Any:
    """Decoded once, shuffled whole, batched and prefetched."""
    images = tfds.load(name, split=split, as_supervised=True, shuffle_files=False).cache()
    if shuffled:
        images = images.shuffle(int(images.cardinality()))
    return images.batch(BATCH, drop_remainder=shuffled).prefetch(tf.data.AUTOTUNE)


def main(network: str, trials: str, epochs: str, seed: str, folder: str) -> None:
    """Search, and write down what was tried."""
    keras.utils.set_random_seed(int(seed))
    build, name = {"cnn": (cnn, "cifar10"), "mlp": (mlp, "mnist")}[network]
    tuner = keras_tuner.RandomSearch(
        build,
        objective="val_accuracy",
        max_trials=int(trials),
        seed=int(seed),
        directory=folder,
        project_name="by_hand",
    )
    train, validation = (
        data(name, "train[:9000]", True),
        data(name, "train[9000:10000]", False),
    )
    tuner.search(train, validation_data=validation, epochs=int(epochs), verbose=0)
    tried = [tuner.oracle.trials[name] for name in sorted(tuner.oracle.trials)]
    values = [[t.hyperparameters.values, t.score] for t in tried]
    Path(folder, "values.json").write_text(json.dumps(values, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
