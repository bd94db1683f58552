"""Which phase, epoch and step training is at."""

from tfpipe.declare.fine_tune import Phase
from tfpipe.declare.pipeline import Pipeline


class Phases:
    """The phases of a training, of which one is under way; a training without any is one phase.

    Args:
        pipeline: the declaration, its ranges resolved.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.declared = pipeline.fine_tune is not None
        fine_tune = pipeline.fine_tune
        self._phases = fine_tune.phases if fine_tune else (Phase(pipeline.epochs),)
        self.enter(0, 0)

    def enter(self, index: int, began: int) -> None:
        """Go to a phase.

        Args:
            index: which one, from 0.
            began: how many epochs were done before it.
        """
        self.index, self.began = index, began

    def over(self, epoch: int, stopped: bool) -> bool:
        """Whether the phase is over after so many epochs, or because a callback stopped it."""
        return stopped or epoch >= self.began + self._phases[self.index].epochs

    @property
    def count(self) -> int:
        """How many phases there are."""
        return len(self._phases)

    @property
    def last(self) -> bool:
        """Whether it is the last one."""
        return self.index == self.count - 1

    @property
    def epochs(self) -> int:
        """How many epochs there will be; fewer than declared where a phase was stopped early."""
        return self.began + sum(phase.epochs for phase in self._phases[self.index :])


class Position:
    """Which phase, epoch and step training is at; shared by the callbacks.

    Args:
        steps: how many steps an epoch has.
        phases: the phases.
        epoch: the epoch, from 0.
        first_step: how many steps of it were done before this process took it up.
    """

    def __init__(self, steps: int, phases: Phases, epoch: int = 0, first_step: int = 0) -> None:
        self.steps = steps
        self.phases = phases
        self.begin(epoch, first_step)

    def begin(self, epoch: int, first_step: int) -> None:
        """Start an epoch, or go on in it."""
        self.epoch, self.first_step, self.step = epoch, first_step, first_step

    def after(self, batch: int) -> None:
        """Take note that a batch is done; Keras counts from 0, and past the end of an epoch when
        several steps are one call."""
        self.step = min(self.first_step + batch + 1, self.steps)

    def left(self) -> int:
        """How many steps of the epoch are to do."""
        return self.steps - self.step
