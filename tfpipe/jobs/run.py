"""A run: what is to be done in its directory, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.jobs.predict.written import written_as
from tfpipe.jobs.prepare import Prepared
from tfpipe.runs.directory import RunDirectory
from tfpipe.terminal import Terminal

if TYPE_CHECKING:
    import keras

    from tfpipe.training.loop import Resumed

GOLDEN = 32


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
        from tfpipe.export.saved_model import export

        prepared = self._prepared
        folder = self._root / "saved_models" / prepared.loaded.name
        task, samples = prepared.compiled.task, self._held_out_samples()
        data = prepared.pipeline.data
        written = written_as(dict(data.items())) if data is not None else {}
        path = export(self.model, task, prepared.spec, folder, samples, written)
        self.exported.append(path)
        return path

    def _held_out_samples(self) -> dict[str, np.ndarray]:
        """Return a few samples that training has not seen, as the source gives them."""
        from tfpipe.training.datasets import dataset

        spec = self._prepared.spec
        split = next(s for s in ("test", "validation", "train") if s in spec.splits)
        pipeline = self._prepared.pipeline.replace(augment=(), shuffle=False)
        features = next(iter(dataset(pipeline, split)))[0]
        named = features if isinstance(features, dict) else {spec.feature.name: features}
        return {n: np.asarray(t)[:GOLDEN] for n, t in named.items()}
