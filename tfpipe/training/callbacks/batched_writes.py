"""Write the records of short epochs in batches of time."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

SECONDS = 1.0


class BatchedWrites(keras.callbacks.Callback):
    """Lets others write what they hold once a second, not after each of many short epochs.

    What a killed process has not written belongs to epochs after the last saved state, before which
    all is written; those epochs are trained again.

    Args:
        writers: each writes what it holds; in this order.
        clock: seconds, rising.
    """

    def __init__(
        self, writers: Sequence[Callable[[], None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._writers, self._clock = writers, clock
        self._last = clock() - SECONDS  # the first epoch is shown at once

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._clock() - self._last >= SECONDS:
            self.write()

    def write(self) -> None:
        """Write all that is held."""
        for writer in self._writers:
            writer()
        self._last = self._clock()
