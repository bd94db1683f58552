"""TFRecord files of images and class labels, parsed a batch at a time.

TensorFlow Datasets parses and decodes sample by sample; in batches the same files are read in half
the time, which is most of what there is to wait for before the first step.
"""

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

# Makes (encoded images, labels) of a batch of records.
Parse = Callable[..., tuple[tf.Tensor, tf.Tensor]]


def records(instructions: Iterable[Any]) -> tf.data.Dataset:
    """Return the records of a split in stored order, as they are in the files.

    Args:
        instructions: TFDS's file instructions of the split: a file, how many of its samples to skip
            and how many to take.
    """
    parts = [(str(i.filename), i.skip, i.take) for i in instructions]
    files, *counts = (list(column) for column in zip(*parts, strict=True))
    skips, takes = (tf.constant(column, tf.int64) for column in counts)
    return tf.data.Dataset.from_tensor_slices((files, skips, takes)).flat_map(
        lambda file, skip, take: (
            tf.data.TFRecordDataset(file, buffer_size=8 << 20).skip(skip).take(take)
        )
    )


def parser(image: str, label: str) -> Parse:
    """Return what makes (encoded images, labels) of a batch of records.

    Args:
        image: the name of the image feature.
        label: the name of the class label.
    """
    features = {
        image: tf.io.FixedLenFeature([], tf.string),
        label: tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, features)
        return parsed[image], parsed[label]

    return parse
