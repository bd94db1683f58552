"""A model's answers to the splits that are judged, output by output."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from tfpipe.data.sources.windows import Windows
from tfpipe.declare.pipeline import Pipeline, has_own_input
from tfpipe.evaluation.explain.explainers import Explained, explainer_of
from tfpipe.evaluation.images_out.answered_images import AnsweredImages
from tfpipe.evaluation.predictions import KEPT, Answered, Predictions, predictions
from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.samples import chosen
from tfpipe.evaluation.scores.forecasts import NaiveForecasts, naive_forecasts
from tfpipe.evaluation.traits import Traits, sizes_of
from tfpipe.evaluation.translation.translations import said_of
from tfpipe.jobs.report.subject import Subject
from tfpipe.runs.directory import RunDirectory
from tfpipe.storage import storage
from tfpipe.tasks.images import ImageToImage
from tfpipe.terminal import Terminal
from tfpipe.training.datasets import dataset


@dataclass(frozen=True)
class Answers:
    """A model's answers to the splits that are kept, and what the judged samples are like.

    Args:
        split: the one that is judged.
        predictions: the answers by split.
        traits: of the judged split.
    """

    split: str
    predictions: Mapping[str, Predictions]
    traits: Traits


def answer(subject: Subject, split: str, terminal: Terminal) -> Answers:
    """Answer a split, and validation beside it.

    Args:
        subject: the model and its data.
        split: the one to judge.
        terminal: told what is slow.
    """
    found: dict[str, Predictions] = {}
    traits = Traits(subject.spec.features)
    for name in dict.fromkeys(("validation", split)):
        if name in subject.spec.splits:
            with terminal.waiting(f"answering the {name} split"):
                watch = traits.add if name == split else None
                batches = dataset(subject.pipeline, name)
                found[name] = predictions(subject.model, subject.task, batches, watch)
    return Answers(split, found, traits)


def keep_answers(directory: RunDirectory, answers: Answers, *, again: bool = True) -> None:
    """Write the answers to validation and test into a run's directory.

    Args:
        directory: the run's.
        answers: what was answered.
        again: whether to write over answers that are there.

    Raises:
        StorageError: when they cannot be written.
    """
    with storage(directory.predictions):
        directory.predictions.mkdir(exist_ok=True)
    for name, found in answers.predictions.items():
        file = directory.predictions / f"{name}.npz"
        if name in KEPT and (again or not file.exists()):
            found.save(file)


def judged_outputs(subject: Subject, answers: Answers) -> list[Judged]:
    """Return what is judged, for each output."""
    split, spec = answers.split, subject.spec
    found = answers.predictions[split]
    batches = partial(dataset, subject.pipeline, split)
    places: list[str] = []
    if subject.pipeline.data is not None and not has_own_input(subject.pipeline):
        places = subject.pipeline.data.places(split, int(subject.pipeline.seed))
    if len(places) != len(found.ids):  # of an order of its own
        places = []
    traits = answers.traits.traits()
    if any(feature.kind == "image" for feature in spec.features):
        traits |= sizes_of(places)
    judged, said = [], None
    if spec.translates:
        training = dataset(subject.pipeline, "train")
        said = said_of(subject.model, subject.task, spec, batches(), training)
    images = None
    if isinstance(subject.task, ImageToImage):
        images = AnsweredImages(subject.task, batches, subject.model)
    for output, task in subject.outputs.items():
        answered = found.outputs[output]
        about = Explained(subject.model, task, spec, answered, output, int(subject.pipeline.seed))
        held_out = answers.predictions.get("validation") if split != "validation" else None
        judged.append(
            Judged(
                task,
                answered,
                split,
                output,
                spec.features,
                lambda rows: chosen(batches(), rows, spec),
                traits,
                held_out.outputs[output] if held_out else None,
                explainer_of(about, answers.traits.first()),
                _weight_notes(subject.pipeline, answered),
                places=places,
                in_time=isinstance(subject.pipeline.data, Windows),
                naive=naive_of(subject, split),
                said=said,
                images=images,
            )
        )
    return judged


def naive_of(subject: Subject, split: str) -> NaiveForecasts | None:
    """Return the forecasts of a split that need no model; None of what is no series."""
    data = subject.pipeline.data
    if not isinstance(data, Windows) or has_own_input(subject.pipeline):
        return None
    first = np.asarray(data.parts[split]) + data.past
    trained = data.parts["train"].stop + data.past + data.ahead - 1
    return naive_forecasts(data.values, first, data.ahead, trained, data.period)


def _weight_notes(pipeline: Pipeline, answered: Answered) -> tuple[str, ...]:
    """What weights change, and what they do not."""
    notes = []
    if pipeline.class_weights is not None:
        notes.append("class_weights changed the training loss alone: here each sample counts once.")
    if answered.weights is not None and np.ptp(answered.weights) > 0:
        notes.append("Samples have weights, which count in the loss and not in these figures.")
    return tuple(notes)
