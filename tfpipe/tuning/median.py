"""The median rule: a trial that does worse than the others did at the same epoch is stopped.

Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.2.1.
"""

import statistics
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import keras

from tfpipe.errors import RunError
from tfpipe.runs.directory import run_at
from tfpipe.training.metrics_file import as_float32, read_rows
from tfpipe.tuning.store import Trial


class MedianRule(keras.callbacks.Callback):
    """Stops the training of a trial that is hopeless.

    At the end of an epoch the best objective of this trial so far is compared with the median of
    the other trials' averages, each over its epochs up to the same one; a trial that is strictly
    worse stops. The others are those that are completed. What decides is read from trial.json and
    metrics.csv, so the same files give the same answer, also after the trial was resumed.

    Args:
        trials: the search's folder of trials.
        trial: which of them is trained here.
        objective: the metric that decides, as metrics.csv has it.
        direction: whether it is better the higher ("max") or the lower ("min") it is.
        after: how many epochs every trial may train.
        least: how many others there have to be.
        phases: of how many phases the training is; only in the last one can all of it be stopped.

    Attributes:
        reason: why it stopped the trial; empty where it did not.

    Example:
        MedianRule(search.trials_folder, "03", "val_accuracy", "max")
    """

    def __init__(
        self,
        trials: Path,
        trial: str,
        objective: str,
        direction: Literal["min", "max"],
        after: int = 1,
        least: int = 5,
        phases: int = 1,
    ) -> None:
        super().__init__()
        self._folder, self._objective = trials, objective
        self._sign = 1.0 if direction == "max" else -1.0
        self._after, self._least, self._phases = after, least, phases
        self._trial = Trial.read(trials / trial)
        self._known: dict[str, tuple[Trial, list[float]]] = {}  # what is completed stays as it is
        self.reason = ""

    @property
    def stopped(self) -> bool:
        """Whether it stopped the trial."""
        return bool(self.reason)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.hopeless(epoch, logs or {}):
            self.model.stop_training = True

    def hopeless(self, epoch: int, measured: Mapping[str, Any]) -> bool:
        """Whether the trial stops after an epoch; `reason` then says why.

        Args:
            epoch: which, from 0.
            measured: the metrics of that epoch.
        """
        done = epoch + 1
        if not self._after < done < self._trial.epochs:  # the last one is the end anyway
            return False
        if measured.get("phase", self._phases) < self._phases:
            return False
        own = self._values(self._trial)[:epoch]
        if self._objective in measured:
            own.append(float(as_float32(measured[self._objective])))  # as metrics.csv has it
        best = max((self._sign * v for v in own if isfinite(v)), default=None)
        others = self._averages(done)
        if best is None or len(others) < self._least:
            return False
        median = statistics.median(others)
        if self._sign * median > best:
            self.reason = (
                f"Its best {self._objective} after {done} epochs, {self._sign * best:.4g}, is "
                f"worse than the median of {len(others)} other trials, {median:.4g}."
            )
        return self.stopped

    def _averages(self, done: int) -> list[float]:
        """Each other trial's objective, averaged over the epochs up to this one."""
        kept = (_finite(values[:done]) for values in self._others())
        return [statistics.fmean(values) for values in kept if values]

    def _others(self) -> list[list[float]]:
        """The objective in each epoch of the other runs; a run counts once, however many trials
        have gone on with it."""
        for file in sorted(self._folder.glob("*/trial.json")):
            self._read(file.parent)
        longest: dict[str, tuple[int, list[float]]] = {}
        for trial, values in self._known.values():
            if trial.epochs > longest.get(trial.run, (0, []))[0]:
                longest[trial.run] = trial.epochs, values
        return [values for _, values in longest.values()]

    def _read(self, folder: Path) -> None:
        """Take note of a trial, if it is another one and completed."""
        if folder.name in self._known:
            return
        try:
            trial = Trial.read(folder)
        except RunError:  # a broken one says nothing
            return
        if trial.completed and trial.run != self._trial.run:
            self._known[folder.name] = trial, self._values(trial)

    def _values(self, trial: Trial) -> list[float]:
        """The objective in each epoch of a trial's run, those of the trials before it included."""
        rows = read_rows(run_at(self._folder / trial.run).metrics_file, trial.epochs)
        kept = [row for row in rows if row.epoch <= trial.epochs]
        return [row.metrics[self._objective] for row in kept if self._objective in row.metrics]


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if isfinite(value)]
