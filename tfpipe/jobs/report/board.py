"""What a run shows in TensorBoard beside its curves: its values, its first batch, its errors."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfpipe.declare.labels import Value, labels_of
from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import has_own_input
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import Children, children, dotted, get_at, is_range, resolve, walk
from tfpipe.evaluation.detection.pictures import picture, true_drawn
from tfpipe.evaluation.image_grid import Tile, image_grid
from tfpipe.evaluation.images_out.answered_images import AnsweredImages
from tfpipe.evaluation.report.charts import confusion_figure
from tfpipe.evaluation.report.classes import MOST_DRAWN, scores_of
from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.page import png
from tfpipe.evaluation.samples import Sample, Shown, chosen, shown
from tfpipe.jobs.report.answers import Answers
from tfpipe.jobs.report.subject import Subject
from tfpipe.jobs.run import RunPlan
from tfpipe.runs.hparams import session_started
from tfpipe.tasks.detection import Detection
from tfpipe.tasks.images import ImageToImage
from tfpipe.tasks.several import Several
from tfpipe.tasks.task import Task
from tfpipe.terminal import Terminal
from tfpipe.training.datasets import dataset

_SHOWN = 16  # samples in a picture
_ROWS = 8  # in a table of texts or columns


def begin_board(plan: RunPlan) -> None:
    """Write the values of the declared ranges and the first training batch of a run that begins.

    In one that goes on they stand already. A run does not fail for them.
    """
    folder = plan.directory.tensorboard
    if values := range_values(plan.prepared.loaded):
        session_started(folder, values, plan.directory.name)
    if plan.resumed is None:
        with _writing(folder / "train", 0, plan.terminal):
            _write_first_batch(plan)


def end_board(plan: RunPlan, subject: Subject, answers: Answers, epoch: int) -> None:
    """Write the confusion matrices of what was answered, and the worst errors of validation.

    Args:
        plan: the run.
        subject: its model and its data.
        answers: the model's.
        epoch: the last one, from 0, beside which they stand.
    """
    with_errors = next(iter(answers.predictions))  # validation, where there is one
    for split, found in answers.predictions.items():
        with _writing(plan.directory.tensorboard / split, epoch, plan.terminal):
            for output, task in subject.outputs.items():
                judged = Judged(task, found.outputs[output], split, output)
                _write_confusion(judged)
                if split == with_errors and isinstance(task, ImageToImage):
                    _write_answered(judged, task, subject)
                elif split == with_errors and isinstance(task, Detection):
                    _write_boxes(judged, task, subject)
                elif split == with_errors:
                    _write_errors(judged, subject)


def range_values(loaded: Loaded) -> dict[str, Value]:
    """Return what a run takes of each range that its pipeline declares, by its dotted name."""
    pipeline, values = resolve(loaded.pipeline), dict[str, Value]()

    def inside(item: object) -> Children:
        return children(item.value if is_range(item) else item)  # type: ignore[attr-defined]

    # Of a run that goes on, what was declared has its overrides already, and its class has not.
    for declared in (type(loaded.declared)._defaults, loaded.declared):
        for path, item in walk(declared, inside):
            if is_range(item):
                try:
                    value = get_at(pipeline, path)
                except KeyError:  # what holds it was exchanged on the command line
                    continue
                plain = isinstance(value, (str, int, float))
                values[dotted(path)] = value if plain else labels_of((value,))[0]
    return values


@contextlib.contextmanager
def _writing(folder: Path, step: int, terminal: Terminal) -> Iterator[None]:
    """Write summaries of a step into a folder; what goes wrong is said and ends nothing."""
    writer = tf.summary.create_file_writer(str(folder))
    try:
        with writer.as_default(step=step):
            yield
    except Exception as error:  # noqa: BLE001 (whatever it is, the model is trained without it)
        terminal.note(f"TensorBoard has fewer pictures ({type(error).__name__}: {error}).")
    finally:
        writer.close()


def _write_first_batch(plan: RunPlan) -> None:
    prepared = plan.prepared
    pipeline, task = prepared.pipeline, prepared.compiled.task
    given = {"first_batch": pipeline}
    if pipeline.augment and not has_own_input(pipeline):
        given = {
            "first_batch/as_stored": pipeline.replace(augment=()),
            "first_batch/augmented": pipeline,
        }
    for tag, declared in given.items():
        features, labels, *_ = next(iter(dataset(declared, "train")))
        samples = chosen([(features,)], range(_SHOWN), prepared.spec)
        if isinstance(task, Detection):
            _write_true_boxes(tag, samples, np.asarray(labels), task, prepared.spec)
            continue
        parts = task.parts if isinstance(task, Several) else {"": task}
        captions = {}
        for row in samples:
            of_row = {n: np.asarray(labels[n] if n else labels)[row] for n in parts}
            captions[row] = ", ".join(_label(part, of_row[n]) for n, part in parts.items())
        _write_samples(tag, samples, captions, prepared.spec)


def _write_true_boxes(
    tag: str,
    samples: Mapping[int, Sample],
    labels: np.ndarray,
    task: Detection,
    spec: ElementSpec,
) -> None:
    """Images with their boxes, as one picture."""
    tiles = []
    for row, sample in samples.items():
        image = shown(sample, spec.features).image
        assert image is not None
        tiles.append(Tile(Shown(true_drawn(task, image, labels[row])), ""))
    tf.summary.image(tag, image_grid(tiles)[np.newaxis])


def _write_confusion(judged: Judged) -> None:
    """As a picture; nothing where answers are no classes, or too many of them."""
    classes = judged.task.label.classes
    if judged.task.has_classes and len(classes) <= MOST_DRAWN and len(judged.answered):
        matrix = scores_of(judged).matrix
        title = f"{judged.split}{judged.of_output}"
        picture = tf.io.decode_png(png(confusion_figure, classes, matrix, title), 3)
        tf.summary.image(_tag("confusion_matrix", judged), picture[tf.newaxis])


def _write_errors(judged: Judged, subject: Subject) -> None:
    """The samples that are answered worst, with what was said and what is true."""
    task, answers, labels = judged.task, judged.answered.answers, judged.answered.labels
    try:
        losses, right = task.losses(answers, labels), task.right(answers, labels)
    except NotImplementedError:  # a task that does not say how wrong it is
        return
    known = np.isfinite(answers.reshape(len(answers), -1)).all(axis=1)
    wrong = np.flatnonzero(known if right is None else known & ~right)
    rows = wrong[np.argsort(-losses[wrong], kind="stable")][:_SHOWN].tolist()
    if not rows:
        return
    samples = chosen(dataset(subject.pipeline, judged.split), rows, subject.spec)
    captions = {row: task.caption(answers[row], labels[row]) for row in rows}
    colour = None if right is None else False
    _write_samples(
        _tag("errors", judged), {r: samples[r] for r in rows}, captions, subject.spec, colour
    )


def _write_answered(judged: Judged, task: ImageToImage, subject: Subject) -> None:
    """Of the images whose answers are furthest from the truth: given, answered, true, apart."""
    worst = np.argsort(-task.losses(judged.answered.answers, judged.answered.labels))
    rows = worst[:_ROWS].tolist()
    batches = partial(dataset, subject.pipeline, judged.split)
    images = AnsweredImages(task, batches, subject.model)
    for place, (_, file) in enumerate(sorted(images.pictures(rows).items()), 1):
        tf.summary.image(f"answers/{place}", tf.io.decode_png(file, 3)[tf.newaxis])


def _write_boxes(judged: Judged, task: Detection, subject: Subject) -> None:
    """The images of which least is found right, with the true boxes and those that were found."""
    answers, labels = judged.answered.answers, judged.answered.labels
    rows = np.argsort(-task.losses(answers, labels), kind="stable")[:_ROWS].tolist()
    samples = chosen(dataset(subject.pipeline, judged.split), rows, subject.spec)
    for place, row in enumerate(rows, 1):
        seen = shown(samples[row], subject.spec.features)
        assert seen.image is not None
        file = picture(task, seen.image, answers[row], labels[row])
        tf.summary.image(f"boxes/{place}", tf.io.decode_png(file, 3)[tf.newaxis])


def _write_samples(
    tag: str,
    samples: Mapping[int, Sample],
    captions: Mapping[int, str],
    spec: ElementSpec,
    right: bool | None = None,
) -> None:
    """Images as one picture; texts and columns as a table."""
    seen = {row: shown(sample, spec.features) for row, sample in samples.items()}
    tiles = [Tile(s, captions[row], right) for row, s in seen.items() if s.image is not None]
    if tiles:
        tf.summary.image(tag, image_grid(tiles)[np.newaxis])
        return
    first = next(iter(seen.values()))
    heads = ["", *(["text"] if first.text else []), *(name for name, _ in first.columns)]
    if len(heads) == 1:
        return
    lines = [heads, ["---"] * len(heads)]
    for row, s in list(seen.items())[:_ROWS]:
        lines.append([captions[row], *([s.text] if first.text else []), *(v for _, v in s.columns)])
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in line] for line in lines]
    tf.summary.text(tag, "\n".join(f"| {' | '.join(line)} |" for line in cells))


def _label(task: Task, label: np.ndarray) -> str:
    """What is true in words; empty for a task that does not say how answers are shown."""
    if task.has_classes:
        return str(task.label.classes[int(label)])
    try:
        return task.caption(label.reshape(-1).tolist(), label).rpartition(" (")[0]
    except NotImplementedError:
        return ""


def _tag(name: str, judged: Judged) -> str:
    return f"{name}/{judged.output}" if judged.output else name
