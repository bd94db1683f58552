"""Which phase of a training it is: where it began and where it ends."""

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
