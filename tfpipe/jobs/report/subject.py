"""What a report is about: a trained model, its data, and where it comes from."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.jobs.prepare import source_name
from tfpipe.jobs.run import RunPlan
from tfpipe.models.images_out.adversarial import answering
from tfpipe.models.parameter_count import parameters, trainable_parameters
from tfpipe.runs.directory import RunDirectory
from tfpipe.tasks.several import Several
from tfpipe.tasks.task import Task
from tfpipe.text import clock, counted
from tfpipe.training.callbacks.best_model import best_monitor
from tfpipe.training.reporting import EpochRow, higher_is_better

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Subject:
    """What a report is about: a trained model, its data, and where it comes from.

    Args:
        name: the run's.
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        model: the trained keras.Model.
        task: what its outputs mean.
        facts: what the header says.
        rows: the epochs; none where they are not known.
        fields: as config.json has them: value and origin by name.
        environment: as environment.json has it.
        notes: what a person must not overlook.
        generated: whether the data was.
        continuations: how a prompt was continued after some epochs: epoch, prompt, continuation.
        pictures: the files of a picture that was painted, after each epoch.
    """

    name: str
    pipeline: Pipeline
    spec: ElementSpec
    model: "keras.Model"
    task: Task
    facts: Mapping[str, str]
    rows: Sequence[EpochRow] = ()
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    generated: bool = False
    continuations: Sequence[Mapping[str, Any]] = ()
    pictures: Sequence[Path] = ()

    @property
    def outputs(self) -> dict[str, Task]:
        """The task of each output by name; the name of the only one is empty."""
        return self.task.parts if isinstance(self.task, Several) else {"": self.task}

    @property
    def comparable(self) -> Sequence[EpochRow]:
        """The epochs that have one loss: those of the last phase where phases have several."""
        tuned, rows = self.pipeline.fine_tune, self.rows
        if tuned is None or tuned.one_loss or not rows:
            return rows
        return [r for r in rows if r.metrics.get("phase") == rows[-1].metrics.get("phase")]

    @cached_property
    def best(self) -> int | None:
        """The epoch whose model is kept."""
        validated = "validation" in self.spec.splits
        monitor = best_monitor(self.pipeline.build_callbacks(), validated, self.task)
        sign = 1.0 if higher_is_better(monitor) else -1.0
        rows = self.comparable
        valued = [(sign * r.metrics.get(monitor, math.nan), -r.epoch) for r in rows]
        known = [pair for pair in valued if math.isfinite(pair[0])]
        return -max(known)[1] if known else None


def subject_of(plan: RunPlan, rows: Sequence[EpochRow], records: Mapping[str, Any]) -> Subject:
    """Return what the report of a run is about.

    Args:
        plan: the run.
        rows: its epochs.
        records: its config.json and environment.json by these names.
    """
    prepared = plan.prepared
    return Subject(
        plan.directory.name,
        prepared.pipeline,
        prepared.spec,
        answering(prepared.compiled.model),
        prepared.compiled.task,
        {**run_facts(plan), "time": time_of(rows)},
        rows,
        records["config"]["fields"],
        records["environment"],
        plan.all_notes,
        generated=prepared.stands_for is not None,
        continuations=continuations_of(plan.directory),
        pictures=sorted(plan.directory.pictures.glob("*.png")),
    )


def continuations_of(run: RunDirectory) -> list[Mapping[str, Any]]:
    """Return how a prompt was continued after some epochs of a run; none of other tasks."""
    if not run.continuations.is_file():
        return []
    return [json.loads(line) for line in run.continuations.read_text("utf-8").splitlines()]


def time_of(rows: Sequence[EpochRow]) -> str:
    """Return how long epochs took."""
    return f"{clock(sum(row.seconds for row in rows))} for {counted(len(rows), 'epoch')}"


def run_facts(plan: RunPlan) -> dict[str, str]:
    """Return the facts of a run by name."""
    prepared = plan.prepared
    pipeline, spec, model = prepared.pipeline, prepared.spec, prepared.compiled.model
    total, trainable = parameters(model), trainable_parameters(model)
    sizes = ", ".join(f"{size:,} {name}" for name, size in spec.splits.items())
    assert pipeline.data is not None
    source = prepared.stands_for or source_name(pipeline.data)
    noun = "token" if spec.label.is_vocabulary else "class"
    classes = f" · {counted(len(spec.classes), noun)}" if spec.classes else ""
    builder = type(pipeline.model).__name__ if pipeline.model else model.name
    detail = f" ({trainable:,} trainable)" if trainable != total else ""
    generated = "generated in place of " if prepared.stands_for else ""
    facts = {
        "directory": str(plan.directory.path),
        "data": f"{generated}{source} · {sizes}{classes}",
        "model": f"{builder} · {total:,} parameters{detail}",
        "training": (
            f"{counted(pipeline.epochs, 'epoch')} of {counted(prepared.steps, 'step')} · "
            f"batches of {pipeline.batch_size} · {type(model.optimizer).__name__}"
        ),
        "device": f"{prepared.picked.device} ({prepared.picked.reason})",
        "precision": f"{prepared.precision.name} ({prepared.precision.reason})",
    }
    if prepared.on_features is not None:
        facts["features"] = "computed once; the head is trained on them"
    if plan.resumed is not None:
        state = plan.resumed.saved.state
        step = f" and {counted(plan.resumed.step, 'step')}" if plan.resumed.step else ""
        facts["resumed"] = f"after {counted(state.epoch, 'epoch')}{step}"
    return facts
