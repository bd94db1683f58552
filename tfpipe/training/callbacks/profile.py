"""A trace of some training steps by TensorFlow's profiler, for TensorBoard's Profile page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from rich.markup import escape

from tfpipe.terminal import Terminal
from tfpipe.text import counted


class Profile(keras.callbacks.Callback):
    """Traces some steps of a training: what runs when, on which device.

    TensorFlow writes it to FOLDER/plugins/profile/TIME/HOST.xplane.pb.

    Args:
        folder: of the event files that it stands beside.
        steps: the first and the last step to trace, counted from 1 over the whole training.
        terminal: told where the trace is, or why there is none.
        taken_up: how many epochs, and steps of the next, were done before this process.
    """

    def __init__(
        self,
        folder: Path,
        steps: tuple[int, int],
        terminal: Terminal,
        taken_up: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        self._folder, self._terminal, self._taken_up = folder, terminal, taken_up
        self._first, self._last = steps
        self._before = 0  # how many steps were done before those that Keras counts
        self._trace: tf.profiler.experimental.Trace | None = None
        self._on = False
        self._traced = 0  # steps
        self._late = False  # whether the steps were over before this process

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        begun, step = self._taken_up
        self._before = epoch * self.params["steps"] + (step if epoch == begun else 0)
        self._late |= epoch == begun and self._before >= self._last

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self._before + batch + 1
        if not self._on and not self._traced and self._first <= step <= self._last:
            tf.profiler.experimental.start(str(self._folder))
            self._on = True
        if self._on:
            self._trace = tf.profiler.experimental.Trace("train", step_num=step, _r=1)
            self._trace.__enter__()
            self._traced += 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._leave()
        if self._before + batch + 1 >= self._last:
            self.close()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.close()
        if not self._traced:
            why = f"training ended before step {self._first:,}"
            if self._late:
                why = f"step {self._last:,} was over before"
            self._terminal.note(f"Nothing was profiled: {why}.")

    def close(self) -> None:
        """Write the trace where it is not written yet, as when training was stopped within it."""
        self._leave()
        if self._on:
            self._on = False
            tf.profiler.experimental.stop()
            where, steps = self._folder / "plugins" / "profile", counted(self._traced, "step")
            self._terminal.say(f"the profile of {steps} is in [bold]{escape(str(where))}[/]")

    def _leave(self) -> None:
        if self._trace is not None:
            self._trace.__exit__(None, None, None)
            self._trace = None


@contextlib.contextmanager
def profiled(
    folder: Path,
    steps: tuple[int, int] | None,
    terminal: Terminal,
    taken_up: tuple[int, int] = (0, 0),
) -> Iterator[list[Profile]]:
    """Give the callback that traces the steps of a run, if any; the trace is written in any case.

    Args:
        folder: of the event files.
        steps: the first and the last step; nothing is traced for None.
        terminal: told where the trace is.
        taken_up: how many epochs, and steps of the next, were done before.
    """
    if steps is None:
        yield []
        return
    profile = Profile(folder, steps, terminal, taken_up)
    try:
        yield [profile]
    finally:
        profile.close()
