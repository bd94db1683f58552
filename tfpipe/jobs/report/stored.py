"""What a report is about that was trained before: the best model of a run, or an export."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpipe.declare.codec import from_json
from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.declare.tree import resolve
from tfpipe.errors import DataError, RunError
from tfpipe.jobs.predict.best_model import best_file, load_model
from tfpipe.jobs.prepare import with_data
from tfpipe.jobs.report.subject import Subject, continuations_of, time_of
from tfpipe.jobs.restore import Stopped, redeclare
from tfpipe.tasks import task_for
from tfpipe.tasks.several import Several
from tfpipe.tasks.task import Task, task_of
from tfpipe.terminal import Terminal
from tfpipe.text import quoted
from tfpipe.training.metrics_file import read_rows


def subject_of_run(
    stopped: Stopped, data: Loaded | None, overrides: tuple[str, ...], terminal: Terminal
) -> Subject:
    """Return the best model of a run with its data, or that of another pipeline.

    Args:
        stopped: the run.
        data: a pipeline whose data is judged instead; None for the run's own.
        overrides: what the run's declaration is changed by, such as where its data lies.
        terminal: told what is slow.

    Raises:
        RunError: for a run without a best model.
        DataError: for data that the model does not read.
    """
    best = best_file(stopped)
    own = redeclare(stopped, overrides if data is None else (), None)
    loaded, sample = (own, stopped.sample) if data is None else (data, None)
    pipeline, spec = _read(loaded, sample, terminal)
    _check_same(spec, from_json(stopped.config["spec"]), stopped.name)
    with terminal.waiting("loading the model"):
        model = load_model(best, stopped)
    task = task_for(spec, own.pipeline.task).for_model(model)
    model.compile(
        loss=task.loss_for(own.pipeline.loss),
        metrics=task.metrics_for(own.pipeline.metrics),
        loss_weights=task.loss_weights_for(own.pipeline.loss_weights),
    )
    rows = read_rows(stopped.directory.metrics_file, stopped.declared_epochs)
    facts = {
        "directory": str(stopped.directory.path),
        "model": f"the best epoch's, {best.name}",
        "time": time_of(rows),
        "data": f"{type(pipeline.data).__name__} of {data.name if data else stopped.name}",
    }
    notes = []
    if stopped.sample:
        notes.append("The model was trained on generated data: these figures mean nothing.")
    return Subject(
        stopped.name,
        pipeline,
        spec,
        model,
        task,
        facts,
        rows,
        stopped.config["fields"],
        stopped.environment,
        notes,
        generated=bool(stopped.sample),
        continuations=continuations_of(stopped.directory),
    )


@dataclass(frozen=True)
class Exported:
    """A SavedModel that is called as a model is.

    Args:
        saved: as TensorFlow loads it, which holds the variables.
        features: its inputs.
        task: what its outputs mean.
    """

    saved: Any
    features: tuple[Feature, ...]
    task: Task

    def __call__(self, features: Any, training: bool = False) -> Any:
        named = features if isinstance(features, dict) else {self.features[0].name: features}
        return self.task.answers_of(self.saved.signatures["serving_default"](**named))


def subject_of_export(path: Path, loaded: Loaded, terminal: Terminal) -> Subject:
    """Return an exported model with the data of a pipeline.

    Args:
        path: the folder of one version, such as saved_models/churn/1.
        loaded: the pipeline whose data is judged.
        terminal: told what is slow.

    Raises:
        RunError: for what is no export of tfpipe's.
        DataError: for data that the model does not read.
    """
    try:
        contract = json.loads((path / "assets" / "contract.json").read_text())
        features = tuple(from_json(feature) for feature in contract["inputs"])
        label: Label = from_json(contract["label"])
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path} is no model that tfpipe exported: {error}") from None
    pipeline, spec = _read(loaded, None, terminal)
    _check_same(spec, ElementSpec(features, (label,)), str(path))
    with terminal.waiting("loading the model"):
        saved = tf.saved_model.load(str(path))
    task = task_of(label, pipeline.task)
    for part in task.parts.values() if isinstance(task, Several) else (task,):
        part.probabilities = True  # which the export gives
    facts = {"model": str(path), "data": f"{type(pipeline.data).__name__} of {loaded.name}"}
    model: Any = Exported(saved, features, task)
    return Subject(f"{path.parent.name}/{path.name}", pipeline, spec, model, task, facts)


def _read(
    loaded: Loaded, sample: int | bool | None, terminal: Terminal
) -> tuple[Pipeline, ElementSpec]:
    """Return a declaration that is ready to give its data, and what that is."""
    pipeline, _, _ = with_data(resolve(loaded.pipeline), sample)
    with terminal.waiting(f"looking at the data of {loaded.name}"):
        return pipeline, pipeline.spec()


def _check_same(spec: ElementSpec, trained: ElementSpec, name: str) -> None:
    """Refuse data of other features or classes than a model was trained on; raises DataError."""
    if trained.translates and trained.features[0].kind == "text":  # of an export
        raise DataError(
            f"{name} takes sentences and gives others, without the probabilities that it is judged "
            "by. Judge its run: tfpipe evaluate RUN"
        )
    own = [(f.name, f.shape, f.dtype) for f in spec.features]
    known = [(f.name, f.shape, f.dtype) for f in trained.features]
    if own != known:
        shown = ["; ".join(f"{n} {list(s)} {t}" for n, s, t in part) for part in (own, known)]
        raise DataError(f"The data has the inputs {shown[0]}; {name} reads {shown[1]}.")
    labels = [part.label for part in (spec, trained)]
    if spec.finds_boxes and trained.finds_boxes:  # of which images have as many as they have
        labels = [label.replace(shape=()) for label in labels]
    if labels[0] != labels[1]:
        classes = [quoted(part.label.classes, 6) for part in (spec, trained)]
        raise DataError(
            f"The data has the label {spec.label.name!r} ({classes[0] or spec.label.kind}); {name} "
            f"was trained on {trained.label.name!r} ({classes[1] or trained.label.kind})."
        )
