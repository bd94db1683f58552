"""What training tells whoever is watching. `tfpipe.terminal` has the writers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# What stands among an epoch's metrics and is none: how it was trained.
SETTINGS = ("learning_rate", "phase")


def higher_is_better(metric: str) -> bool:
    """Whether a metric is better the higher it is: accuracies and the like, not losses."""
    rising = ("acc", "auc", "precision", "recall", "f1", "iou", "psnr", "ssim")
    average_precision = metric.rpartition("_")[2] in ("map", "map50")  # mape is an error
    return average_precision or any(word in metric for word in rising)


@dataclass(frozen=True)
class EpochRow:
    """One finished epoch, as metrics.csv has it.

    Args:
        epoch: its number, from 1.
        epochs: how many there are to be.
        metrics: loss, metrics and learning rate by name.
        seconds: how long it took, validation included.
        examples_per_second: training samples in a second, validation not included.
        input_wait: the share of the training time, 0 to 1, that was spent waiting for the next
            batch; None where it cannot be measured.
    """

    epoch: int
    epochs: int
    seconds: float
    examples_per_second: float
    metrics: dict[str, float] = field(default_factory=dict)
    input_wait: float | None = None


class Reporter(Protocol):
    """Watches training.

    Args:
        quiet: set when a callback tells of the epochs itself.
        callbacks: set to the declared ones, which may want to know how the run ends.
    """

    quiet: bool
    callbacks: Sequence[Any]

    def step(
        self, epoch: int, epochs: int, step: int, steps: int, rate: float, loss: float
    ) -> None:
        """A step is done; called after every one."""

    def epochs(self, rows: Sequence[EpochRow]) -> None:
        """Epochs are done; several at once where they are short."""

    def grouped(self, steps: int, seconds: float) -> None:
        """It was measured that steps are short, and several are one call from now on.

        Args:
            steps: how many, at most.
            seconds: that a step takes.
        """

    def phase(self, number: int, count: int) -> None:
        """A phase of a training in several begins; told once it can be seen what it trains."""


class Nobody:
    """Watches nothing: for a worker that is not the chief."""

    quiet = True
    callbacks: Sequence[Any] = ()

    def step(
        self, epoch: int, epochs: int, step: int, steps: int, rate: float, loss: float
    ) -> None:
        """Nothing."""

    def epochs(self, rows: Sequence[EpochRow]) -> None:
        """Nothing."""

    def grouped(self, steps: int, seconds: float) -> None:
        """Nothing."""

    def phase(self, number: int, count: int) -> None:
        """Nothing."""
