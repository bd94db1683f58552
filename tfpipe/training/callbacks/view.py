"""What a declared callback may look at: where the run writes, its classes, its data.

A callback that has a method `set_run(run)` is given one before training begins, as Keras gives it
the model with `set_model`. One that has `on_run_end(status)` is told how the run ended, after the
test and the export.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfpipe.declare.pipeline import Pipeline, has_own_input
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, MissingDependency, TfpipeError
from tfpipe.runs.directory import RunDirectory
from tfpipe.tasks.task import Task

logger = logging.getLogger("tfpipe.callbacks")


@dataclass(frozen=True)
class RunView:
    """A run, as its callbacks see it.

    Args:
        directory: the run's folder.
        tensorboard: where event files go.
        report: where figures go; whoever writes the first makes it.
        classes: the class names in order of their index; empty for real numbers.
        predicts: what the model's outputs mean.
        splits: gives a split's batches in stored order, not augmented.
    """

    directory: Path
    tensorboard: Path
    report: Path
    classes: tuple[str, ...]
    predicts: Task
    splits: Callable[[str], Any]

    @property
    def task(self) -> str:
        """The name of the task: "classification", "regression" or any other that is known."""
        return self.predicts.name

    def answers(self, logits: Any) -> Any:
        """Probabilities of logits, or values, as the task says."""
        return self.predicts.answers(logits)

    def batches(self, split: str) -> Any:
        """A tf.data.Dataset of (features, label) batches; None where there is no such split.

        Args:
            split: "train" or "validation". The test split is for the end of the run.
        """
        if split not in ("train", "validation"):
            raise ValueError(
                f"A callback may look at 'train' and 'validation', not at {split!r}: the test "
                "split is touched once, at the end."
            )
        return self.splits(split)


def view_of(pipeline: Pipeline, spec: ElementSpec, task: Task, run: RunDirectory) -> RunView:
    """The view of a run that trains a pipeline.

    Args:
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        task: what the model's outputs mean.
        run: its directory.
    """
    plain = pipeline.replace(augment=(), shuffle=False, drop_remainder=False, steps_per_epoch=None)

    def batches(split: str) -> Any:
        if split not in spec.splits:
            return None
        if has_own_input(plain):
            return plain.input_fn(split)
        return Pipeline.input_fn(plain, split, 0)

    return RunView(run.path, run.tensorboard, run.report, spec.classes, task, batches)


def show(callbacks: Iterable[Any], view: RunView) -> None:
    """Give the view to the callbacks that ask for one.

    Raises:
        ConfigError: when a callback refuses what it sees with a ValueError.
        MissingDependency: when it lacks a package, which it says with an ImportError.
    """
    for callback in callbacks:
        if not hasattr(callback, "set_run"):
            continue
        try:
            callback.set_run(view)
        except ValueError as error:
            if isinstance(error, TfpipeError):
                raise
            raise ConfigError(f"callbacks: {error}") from error
        except ImportError as error:
            raise MissingDependency(f"callbacks: {error}") from error


def end(callbacks: Iterable[Any], status: dict[str, Any]) -> None:
    """Tell the callbacks that ask how the run ended; none of them changes that.

    Args:
        callbacks: the declared ones.
        status: what status.json says.
    """
    for callback in callbacks:
        if not hasattr(callback, "on_run_end"):
            continue
        try:
            callback.on_run_end(status)
        except Exception as error:  # noqa: BLE001 (the run has ended, and status.json says how)
            name = type(callback).__name__
            logger.warning("%s.on_run_end failed: %s: %s", name, type(error).__name__, error)


def replaces_rows(callbacks: Iterable[Any]) -> bool:
    """Whether a callback tells of the epochs itself, so that the terminal has no row for each."""
    return any(getattr(c, "replaces_rows", False) for c in callbacks)
