"""Dots: a dot an epoch and now and then a line of numbers, for long and quiet runs.

callbacks = (tfpipe.deferred("callbacks.dots").Dots(every=100),)

....................................................................................................
epoch 100  loss 0.0421  val_loss 0.0513
"""

import sys
from typing import IO, Any

import keras

_WIDTH = 100


class Dots(keras.callbacks.Callback):
    """Prints one dot an epoch, and the metrics after every so many and at the end.

    tfpipe then leaves out its own row for each epoch; metrics.csv has them all.

    Args:
        every: how many epochs to a line of metrics.
        stream: where to print; standard output, as it is when training begins, when None.

    Raises:
        ValueError: for an `every` below 1.
    """

    replaces_rows = True  # tfpipe asks for it

    def __init__(self, every: int = 100, stream: IO[str] | None = None) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"Dots: every is a number of epochs, not {every}")
        self.every = every
        self.stream = stream
        self._dots = 0  # on the line that is being written
        self._epochs = 0
        self._told = 0  # the epoch of the last line of metrics
        self._logs: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epochs, self._logs = epoch + 1, logs or {}
        self._write(".")
        self._dots += 1
        if self._epochs % self.every == 0:
            self._tell()
        elif self._dots == _WIDTH:
            self._end_line()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._epochs > self._told:
            self._tell()

    def _tell(self) -> None:
        self._end_line()
        numbers = (f"  {name} {float(value):.4g}" for name, value in self._logs.items())
        self._write(f"epoch {self._epochs:,}{''.join(numbers)}\n")
        self._told = self._epochs

    def _end_line(self) -> None:
        if self._dots:
            self._write("\n")
        self._dots = 0

    def _write(self, text: str) -> None:
        stream = self.stream or sys.stdout
        stream.write(text)
        stream.flush()
