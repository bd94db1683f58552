"""Windows over tokens in memory, and the same moved on by one, as batches."""

from typing import TYPE_CHECKING, Any

from tfpipe.data.input_fn import InMemory, Options, order_of
from tfpipe.declare.kinds import Augmentation
from tfpipe.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

_OFFSET = 0x0FF5E7  # apart from what else is drawn with the same seed


def windows_in(tokens: int, length: int, moved: bool) -> int:
    """Return how many windows without overlap a text has.

    Args:
        tokens: of the text.
        length: of a window.
        moved: whether each pass begins at an offset of its own below the length.
    """
    return max(0, tokens - (length if moved else 1)) // length


class TokenWindows(InMemory):
    """Batches of windows without overlap: (tokens, the tokens that follow each of them).

    In random order each pass over the text begins at an offset of its own, and the windows are
    shuffled. In sequential order a batch has one window of each of `batch_size` long rows that the
    text is divided into, and each row goes on where it ended in the batch before. Where the windows
    do not divide evenly, the first rows have one more, and the last batch these rows alone.

    Args:
        tokens: [tokens] the part of a text that the split has.
        length: of a window.
        moved: whether a pass begins at an offset, when it is shuffled.
        sequential: the order.
    """

    def __init__(self, tokens: "np.ndarray", length: int, moved: bool, sequential: bool) -> None:
        import tensorflow as tf

        self.rows = None
        self._length, self._moved, self._sequential = length, moved, sequential
        with tf.device("CPU"):
            self._tokens = tf.convert_to_tensor(tokens, tf.int32)
        self._hold(windows_in(len(tokens), length, moved), 2 * length * tf.int32.size)

    def epoch(self, options: Options) -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]:
        """Return where the windows of an epoch begin, samples before it, and the seed."""
        import numpy as np
        import tensorflow as tf

        first, count = options.first_sample(self.size), options.samples(self.size)
        if self._sequential:
            passes = np.full(count, options.epoch)
            starts = self._in_rows(options)
        else:
            passes = np.arange(first, first + count) // self.size
            starts = order_of(self.size, options) * self._length
        if self._moved and options.shuffle:
            rngs = (np.random.default_rng([options.seed, p, _OFFSET]) for p in np.unique(passes))
            offsets = np.array([rng.integers(self._length) for rng in rngs], np.int64)
            starts = starts + offsets[passes - passes.min(initial=passes[0])]
        with tf.device("CPU"):
            place = tf.constant(first, tf.int64)
            return tf.constant(starts, tf.int64), place, tf.constant([options.seed, 0], tf.int64)

    def _in_rows(self, options: Options) -> "np.ndarray":
        """Where the windows begin that go on from batch to batch."""
        import numpy as np

        whole, more = divmod(self.size, options.batch_size)
        if options.steps is not None and options.steps > whole:
            raise DataError(
                f"steps_per_epoch={options.steps}, and in sequential order an epoch is one pass "
                f"over the text, which has {whole} whole batches of {options.batch_size} windows. "
                "Use at most that, or leave it out."
            )
        batch, row = divmod(np.arange(options.samples(self.size)), options.batch_size)
        return self._length * (row * whole + np.minimum(row, more) + batch)

    def batch(
        self,
        rows: "tf.Tensor",
        start: "tf.Tensor",
        seed: "tf.Tensor",
        augment: tuple[Augmentation, ...],
    ) -> tuple[Any, ...]:
        """Return the windows that begin at some places, and the tokens that follow each token."""
        import tensorflow as tf

        places = rows[..., None] + tf.range(self._length + 1, dtype=tf.int64)
        windows = tf.gather(self._tokens, places)
        return windows[..., :-1], windows[..., 1:]
