"""Save the training state as declared, and when somebody asks training to stop."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from tfpipe.declare.field_types import Duration
from tfpipe.errors import Interrupted
from tfpipe.training import checkpoint
from tfpipe.training.callbacks import callback_state
from tfpipe.training.position import Position
from tfpipe.training.requests import Requests

SHORT = 5.0  # seconds between the states of short epochs


class StateCheckpoint(keras.callbacks.Callback):
    """Saves the state at the end of epochs, every so often within one, and when asked to stop.

    Of short epochs not each is followed by a saved state: some seconds lie between two, but for the
    first, the end of a phase and of training, and where a number of steps is declared.

    Args:
        folder: the run's checkpoints folder.
        position: where training is.
        every: a Duration, or a number of steps.
        requests: says when to save and when to stop; several workers do it after the same step.
        stateful: the callbacks whose state is saved too.
        before: called before the state is saved, to write out and put back what others hold.
        keep: whether this process writes; every worker takes part in the reading.
        clock: seconds, rising.
    """

    def __init__(
        self,
        folder: Path,
        position: Position,
        every: Duration | int,
        requests: Requests,
        stateful: list[Any],
        before: Callable[[], None] = lambda: None,
        keep: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._position = position
        self._every = every
        self._requests = requests
        self._stateful = stateful
        self._before = before
        self._keep = keep
        self._clock = clock
        self._saved: tuple[int, int] | None = None
        self.begin()
        requests.save_due = self._due

    def begin(self) -> None:
        """Count from where training is now."""
        self._last, self._last_step = self._clock(), self._position.step

    def save(self, stopped: bool = False) -> None:
        """Save the state as it is after the last step."""
        self._before()
        position, phases = self._position, self._position.phases
        values, arrays = callback_state.get_states(self._stateful)
        state = checkpoint.State(
            position.epoch,
            position.step,
            values,
            stopped,
            time.time(),
            phases.index,
            phases.began,
        )
        checkpoint.save(self._folder, self.model, state, arrays, self._keep)
        self._saved = (position.epoch, position.step)
        self.begin()

    def save_unless_saved(self, stopped: bool = False) -> None:
        """Save the state where the last epoch was too short to be followed by one."""
        if self._saved != (self._position.epoch, self._position.step):
            self.save(stopped)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        position, stop = self._position, self._requests.stop
        if not position.left():  # the epoch is ended first
            return
        if stop or self._requests.save:
            self.save()
        if stop:
            raise Interrupted(
                f"Stopped in epoch {position.epoch + 1} after step {position.step}; the state is "
                "saved."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        now = self.due_after(epoch)
        self._position.begin(epoch + 1, 0)
        if now:
            self.save(stopped=bool(self.model.stop_training))

    def due_after(self, epoch: int) -> bool:
        """Whether the state is saved at the end of an epoch.

        Several workers, whose clocks differ, save at the end of each.
        """
        stopped = bool(self.model.stop_training)
        return (
            self._saved is None
            or not isinstance(self._every, Duration)
            or self._requests.together
            or self._requests.stop
            or self._position.phases.over(epoch + 1, stopped)
            or self._clock() - self._last >= min(SHORT, self._every)
        )

    def _due(self) -> bool:
        """Whether so much time, or so many steps, have gone by."""
        if isinstance(self._every, Duration):
            return self._clock() - self._last >= self._every
        done = self._position.step
        if self._requests.together:  # asked before the step that it is about
            done += min(self.model.steps_per_execution, self._position.left())
        return done // self._every > self._last_step // self._every
