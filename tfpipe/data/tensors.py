"""Arrays that TensorFlow reads where they are: large data is held once, in memory or in a file."""

from collections.abc import Sequence

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
