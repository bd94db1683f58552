"""TFRecord files of images and class labels, parsed a batch at a time.

TensorFlow Datasets parses and decodes sample by sample; in batches the same files are read in half
the time, which is most of what there is to wait for before the first step.
"""

import os
from typing import Any

import tensorflow as tf


def batches(instructions: Any, image: str, label: str, batch_size: int) -> tf.data.Dataset:
    """Return batches of (encoded images, labels) in stored order.

    Args:
        instructions: TFDS's file instructions of a split: a file, how many of its samples to skip
            and how many to take.
        image: the name of the image feature.
        label: the name of the class label.
        batch_size: samples in a batch.
    """
    parts = [(str(i.filename), i.skip, i.take) for i in instructions]
    files, *counts = (list(column) for column in zip(*parts, strict=True))
    skips, takes = (tf.constant(column, tf.int64) for column in counts)
    features = {
        image: tf.io.FixedLenFeature([], tf.string),
        label: tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, features)
        return parsed[image], parsed[label]

    records = tf.data.Dataset.from_tensor_slices((files, skips, takes)).flat_map(
        lambda file, skip, take: (
            tf.data.TFRecordDataset(file, buffer_size=8 << 20).skip(skip).take(take)
        )
    )
    return records.batch(batch_size).map(parse, os.cpu_count() or 1)
