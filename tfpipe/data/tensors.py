"""Arrays that TensorFlow reads where they are: large data is held once, in memory or in a file.

Batches that nothing changes are gathered many at a time and handed out as views of that.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_ALIGNMENT = 64  # what TensorFlow's kernels expect of a tensor's first byte
_ROWS = 1024


def aligned(shape: Sequence[int]) -> np.ndarray:
    """Return an uninitialised array of bytes that `shared` takes."""
    size = int(np.prod(shape))
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + size].reshape(shape)


def shared(rows: np.ndarray) -> tf.Tensor:
    """Return a tensor on the memory of an array, or of a mapped file; it must not be written to.

    `tf.convert_to_tensor` would hold all of it a second time.
    """
    if rows.ctypes.data % _ALIGNMENT or not len(rows):
        return tf.convert_to_tensor(rows)
    return tf.experimental.dlpack.from_dlpack(np.asarray(rows).__dlpack__())


def keep(rows: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Return only some rows of an array, moved to its beginning without a second one.

    Args:
        rows: the array, which is overwritten.
        good: the rows to keep, ascending.
    """
    if len(good) < len(rows):
        for start in range(0, len(good), _ROWS):
            chosen = good[start : start + _ROWS]
            rows[start : start + len(chosen)] = rows[chosen]
    return rows[: len(good)]


# Makes (features, labels) of the rows whose numbers it is given, of any shape.
Gather = Callable[[tf.Tensor], tuple[Any, ...]]


def in_one(gather: Gather, rows: tf.Tensor, size: int, whole: bool) -> tf.data.Dataset:
    """Return batches of rows that are gathered at once, now.

    There is no function that tf.data would have to set up, which takes as long as to hand out
    some two thousand small images.

    Args:
        gather: makes samples of row numbers.
        rows: the numbers, in order.
        size: rows in a batch.
        whole: whether all batches have as many.
    """
    count = tf.size(rows) // size
    full, rest = tf.reshape(rows[: count * size], [-1, size]), rows[count * size :]
    with tf.device("CPU"):  # where the data is
        batches = tf.data.Dataset.from_tensor_slices(gather(full))
        if whole:
            return batches
        last = rest[None][: tf.size(rest)]  # none where there is no rest
        return batches.concatenate(tf.data.Dataset.from_tensor_slices(gather(last)))


def in_blocks(
    gather: Gather, rows: tf.Tensor, size: int, whole: bool, block: int
) -> tf.data.Dataset:
    """Return batches of rows, gathered several at once, the next ones while those are used.

    Args:
        gather: makes samples of row numbers.
        rows: the numbers, in order.
        size: rows in a batch.
        whole: whether all batches have as many.
        block: batches that are gathered at once.
    """
    count, step = tf.size(rows, tf.int64), size * block
    blocks = tf.data.Dataset.range(0, count, step).map(lambda i: gather(rows[i : i + step]))
    batches = blocks.prefetch(1).rebatch(size, drop_remainder=whole)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-count // size)))
