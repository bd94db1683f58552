"""Begin what the end of a training will need while the last epochs are trained."""

import time
from collections.abc import Callable
from typing import Any

import keras


class NearTheEnd(keras.callbacks.Callback):
    """Calls a function once, when the epochs that are left take no more than some seconds.

    Training that a callback stops earlier than was declared may end without the call.

    Args:
        seconds: how long they may take, judged by the epoch before.
        call: the function.
        clock: seconds, rising.
    """

    def __init__(
        self, seconds: float, call: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._seconds, self._call, self._clock = seconds, call, clock
        self._began, self._called = 0.0, False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = self._clock()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        left = self.params["epochs"] - epoch - 1
        if not self._called and left * (self._clock() - self._began) <= self._seconds:
            self._called = True
            self._call()
