"""Runs as their directories have them, made without training."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.declare.codec import to_json
from tfpipe.declare.loading import from_instance
from tfpipe.declare.origins import resolved_fields
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.declare.tree import resolve
from tfpipe.evaluation.predictions import Answered, Predictions
from tfpipe.models import MLP
from tfpipe.runs.directory import RunDirectory, Status, create_run
from tfpipe.training.metrics_file import append_rows
from tfpipe.training.reporting import EpochRow

NOW = datetime(2026, 11, 20, 10, 15, 2)
CLASSES = Label("kind", "class", (), ("cat", "dog", "owl"))
NUMBER = Label("size", "real")
ENVIRONMENT = {
    "python": "3.11.7",
    "tfpipe": "0.1.0",
    "packages": {"tensorflow": "2.21.0", "keras": "3.15.1"},
    "device": "CPU",
    "strategy": "_DefaultDistributionStrategy",
    "precision": "float32",
    "git": {"commit": "b4114e38369b", "changed": False},
}


def points() -> Any:
    raise AssertionError("the data is not read")


class Job(Pipeline):
    data = Arrays(points, validation=0.2)
    model = MLP(units=(8,))


def spec_of(label: Label = CLASSES, **sizes: int) -> ElementSpec:
    """The element spec of two numbers and a label."""
    return ElementSpec((Feature("x", (2,), "float32", "vector"),), (label,), sizes or {"train": 8})


def record(
    root: Path,
    pipeline: Pipeline | None = None,
    *,
    minutes: int = 0,
    name: str = "job",
    label: Label = CLASSES,
    status: Status | None = None,
    losses: Sequence[float] = (),
    answers: Predictions | None = None,
    environment: dict[str, Any] | None = None,
    **config: Any,
) -> RunDirectory:
    """Write a run's directory.

    Args:
        root: the folder for runs/.
        pipeline: the declaration.
        minutes: how long after the others it began.
        name: the pipeline's.
        label: what it predicts.
        status: how it ended; finished when None.
        losses: the training loss of each epoch; validation's is a tenth more.
        answers: to the test split.
        environment: what is not as in the others.
        config: further entries of config.json.
    """
    pipeline = pipeline or Job()
    run = create_run(root, name, NOW + timedelta(minutes=minutes))
    written = {
        "name": name,
        "class": type(pipeline).__name__,
        "file": None,
        "overrides": [],
        "sample": False,
        "pipeline": to_json(resolve(pipeline)),
        "fields": resolved_fields(from_instance(pipeline)),
        "spec": to_json(spec_of(label)),
    }
    run.write_json("config.json", json.loads(json.dumps(written)) | config)
    run.write_json("environment.json", ENVIRONMENT | (environment or {}))
    for epoch, loss in enumerate(losses, 1):
        metrics = {"loss": loss, "val_loss": 1.1 * loss}
        append_rows(run.metrics_file, [EpochRow(epoch, len(losses), 2.0, 100.0, metrics)])
    run.write_status(status or Status("finished", epoch=len(losses)))
    if answers is not None:
        (run.path / "predictions").mkdir()
        answers.save(run.path / "predictions" / "test.npz")
    return run


def answered(
    labels: Sequence[float], answers: Sequence[Any], ids: Sequence[int] | None = None
) -> Predictions:
    """Answers to samples with these numbers, of one output.

    Args:
        labels: what is true.
        answers: the class that is answered, or a number where labels have fractions.
        ids: the samples' hashes; 0, 1, 2, ... when None.
    """
    is_number = any(isinstance(label, float) for label in labels)
    values = np.asarray(answers, np.float32)[:, None] if is_number else np.eye(3)[list(answers)]
    truth = np.asarray(labels, np.float32 if is_number else np.int64)
    numbers = range(len(labels)) if ids is None else ids
    return Predictions(
        np.asarray(list(numbers), np.uint64), {"": Answered(truth, values.astype(np.float32))}
    )
