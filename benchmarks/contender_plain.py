"""The contender plain Keras: the same network on tf.data as its guide teaches, or on NumPy batches.

    python benchmarks/contender_plain.py tf.data TRAIN_SPLIT EPOCHS [STEPS]
    python benchmarks/contender_plain.py tf.data-bare TRAIN_SPLIT EPOCHS [STEPS]
    python benchmarks/contender_plain.py generator TRAIN_SPLIT EPOCHS [STEPS]

`tf.data`: decoded once and cached, shuffled whole, batched, then augmented by Keras's layers in a
parallel map, and prefetched; `tf.data-bare` leaves augmentation out. `generator`: arrays in memory,
augmented image by image in NumPy and SciPy by Keras's ImageDataGenerator, the way of the published
course.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import tensorflow as tf
import tensorflow_datasets as tfds

from benchmarks.stopwatch import Stopwatch

BATCH = 32


def network() -> Any:
    """Six 3x3 convolutions, 550,570 parameters."""
    layers = [keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255)]
    for filters in (32, 64, 128):
        for _ in range(2):
            layers.append(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        layers.append(keras.layers.MaxPooling2D())
    layers += [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    model.compile(
        keras.optimizers.SGD(0.001, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def tf_data(split: str, augmented: bool = True) -> Any:
    """A well-written input pipeline."""
    augment = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(15 / 360, fill_mode="nearest"),
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        ]
    )
    dataset = tfds.load("cifar10", split=split, as_supervised=True, shuffle_files=False).cache()
    dataset = dataset.shuffle(int(dataset.cardinality())).batch(BATCH, drop_remainder=True)
    if augmented:
        dataset = dataset.map(lambda x, y: (augment(x, training=True), y), tf.data.AUTOTUNE)
    return dataset.prefetch(tf.data.AUTOTUNE)


def generator(split: str) -> Any:
    """The published way: a generator that augments image by image."""
    x, y = tfds.as_numpy(tfds.load("cifar10", split=split, as_supervised=True, batch_size=-1))
    flow = tf.keras.preprocessing.image.ImageDataGenerator(
        rotation_range=15, width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True
    )
    return flow.flow(x[: len(x) // BATCH * BATCH], y[: len(y) // BATCH * BATCH], batch_size=BATCH)


def main(way: str, split: str, epochs: str, steps: str | None = None) -> None:
    """Train, timed."""
    ways: dict[str, Any] = {"tf.data": tf_data, "tf.data-bare": partial(tf_data, augmented=False)}
    data = ways.get(way, generator)(split)
    if steps and way in ways:
        data = data.take(int(steps))
    network().fit(data, epochs=int(epochs), verbose=0, shuffle=False, callbacks=[Stopwatch()])


if __name__ == "__main__":
    main(*sys.argv[1:])
