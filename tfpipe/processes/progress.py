"""What a training in a process of its own says to the process that started it."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tfpipe.terminal import Silent

_OFTEN = 0.5  # seconds between two words on how far it is


class Progress(Silent):
    """Says how far it is in a file, for the process that started this one.

    Args:
        file: which.
        clock: seconds, rising.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._file, self._clock, self._written = file, clock, -_OFTEN

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        self._write(what)
        yield

    def features(self, done: int, total: int) -> None:
        self._often("computing features", done, total)

    def step(
        self, epoch: int, epochs: int, step: int, steps: int, rate: float, loss: float
    ) -> None:
        self._often(f"epoch {epoch} of {epochs}", step, steps)

    def _often(self, doing: str, done: int, total: int) -> None:
        if self._clock() - self._written >= _OFTEN:
            self._written = self._clock()
            self._write(f"{doing}, {done:,} of {total:,}")

    def _write(self, doing: str) -> None:
        temporary = self._file.with_suffix(".part")
        temporary.write_text(json.dumps({"doing": doing}))  # of no use tomorrow: not flushed
        os.replace(temporary, self._file)
