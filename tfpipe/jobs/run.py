"""A run: what is to be done in its directory, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.jobs.prepare import Prepared
from tfpipe.runs.directory import RunDirectory
from tfpipe.terminal import Terminal

if TYPE_CHECKING:
    import keras

    from tfpipe.training.loop import Resumed


@dataclass(frozen=True)
class RunPlan:
    """What is to be done in a run's directory.

    Args:
        prepared: the pipeline, ready to train.
        directory: the run's.
        root: the folder for saved_models/.
        terminal: where to tell how it goes.
        test: whether to evaluate on the test split at the end.
        export: whether to write a SavedModel at the end.
        resumed: what to go on from.
        notes: what else a person must not overlook about the numbers.
        extra: callbacks that come after all others.
    """

    prepared: Prepared
    directory: RunDirectory
    root: Path
    terminal: Terminal
    test: bool = True
    export: bool = True
    resumed: "Resumed | None" = None
    notes: Sequence[str] = ()
    extra: "Sequence[keras.callbacks.Callback]" = ()

    @property
    def exports(self) -> bool:
        """Whether a SavedModel is written: where it is wanted, and the run is for a model."""
        return self.export and self.prepared.compiled.task.keeps_model

    @property
    def all_notes(self) -> list[str]:
        """What a person must not overlook about the numbers."""
        return [*self.prepared.notes(), *self.notes]


@dataclass
class Run:
    """A finished run.

    Args:
        name: as `tfpipe runs ls` shows it.
        directory: its folder.
        history: metric names to one value an epoch.
        metrics: the final metrics by split.
        model: the trained keras.Model.
        exported: the SavedModel versions written.
    """

    name: str
    directory: Path
    history: dict[str, list[float]]
    metrics: dict[str, dict[str, float]]
    model: "keras.Model"
    exported: list[Path]
    _prepared: Prepared = field(repr=False)
    _root: Path = field(repr=False)

    def evaluate(self, split: str = "test") -> dict[str, float]:
        """Loss and metrics of the trained model on a split."""
        from tfpipe.evaluation.evaluate import evaluate
        from tfpipe.training.datasets import dataset

        return evaluate(self.model, dataset(self._prepared.pipeline, split))

    def export(self) -> Path:
        """Write another version of the SavedModel, proven as `run` does."""
        from tfpipe.jobs.export import TrainedPipeline

        prepared = self._prepared
        trained = TrainedPipeline(
            self.name,
            self.model,
            prepared.compiled.task,
            prepared.pipeline,
            prepared.spec,
            "last",
            self.metrics,
            prepared.stands_for is not None,
        )
        path = trained.saved_model(self._root / "saved_models" / prepared.loaded.name)
        self.exported.append(path)
        return path
