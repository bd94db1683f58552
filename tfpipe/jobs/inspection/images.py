"""The images that a model is inspected with: files, or some of its data's."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError, DataError
from tfpipe.evaluation.inspection.limits import MOST_IMAGES
from tfpipe.jobs.predict.images import ImageReader, check_images
from tfpipe.jobs.prepare import with_data
from tfpipe.jobs.restore import Stopped, redeclare
from tfpipe.terminal import Terminal
from tfpipe.text import counted

if TYPE_CHECKING:
    import tensorflow as tf

_BATCHES = 20  # that are searched for images of classes not shown yet


@dataclass(frozen=True)
class LabelledImage:
    """An image.

    Args:
        name: what it is called.
        truth: its true class; empty where it is not known.
        pixels: [height, width, channels] as the model takes it.
    """

    name: str
    truth: str
    pixels: np.ndarray


def images_of_files(paths: Iterable[str], spec: ElementSpec, name: str) -> list[LabelledImage]:
    """Return image files, decoded as `tfpipe predict` does.

    Args:
        paths: files, folders and patterns.
        spec: what the model reads.
        name: the run's, for messages.

    Raises:
        DataError: for files that cannot be read, each with the reason, and models that take none.
        ConfigError: for too many of them.
    """
    check_images(spec, name)
    images, problems = list[LabelledImage](), list[str]()
    for chunk in ImageReader(spec.feature).chunks(paths):
        problems += [f"{chunk.places[i]} {problem}" for i, problem in chunk.errors.items()]
        places = [p for i, p in enumerate(chunk.places) if i not in chunk.errors]
        pixels = [np.asarray(image) for images in chunk.samples.values() for image in images]
        images += [LabelledImage(p, "", image) for p, image in zip(places, pixels, strict=True)]
        if len(images) > MOST_IMAGES:
            raise ConfigError(
                f"More than {counted(MOST_IMAGES, 'image')} were given, and a page holds at most "
                "so many. Name some of them."
            )
    if problems:
        raise DataError("\n".join([*problems, "Name image files, such as PNG and JPEG."]))
    return images


def images_of_data(
    stopped: Stopped, spec: ElementSpec, count: int, terminal: Terminal
) -> list[LabelledImage]:
    """Return the first images of a run's test split, else of validation, each of another class.

    Args:
        stopped: the run.
        spec: what its model was trained on.
        count: how many images.
        terminal: told what is slow.

    Raises:
        DataError: for data with neither split, or of other images than the model was trained on.
    """
    from tfpipe.training.datasets import dataset

    pipeline, _, _ = with_data(resolve(redeclare(stopped, (), None).pipeline), stopped.sample)
    with terminal.waiting(f"looking at the data of {stopped.name}"):
        there = pipeline.spec()
    if (there.feature.shape, there.feature.dtype) != (spec.feature.shape, spec.feature.dtype):
        raise DataError(
            f"The data of {stopped.name} now has images {list(there.feature.shape)} of "
            f"{there.feature.dtype}; the model was trained on {list(spec.feature.shape)} of "
            f"{spec.feature.dtype}. Name image files: tfpipe inspect {stopped.name} IMAGE..."
        )
    split = next((s for s in ("test", "validation") if there.splits.get(s)), None)
    if split is None:
        raise DataError(
            f"The data of {stopped.name} has no test and no validation split to take images from. "
            f"Name image files: tfpipe inspect {stopped.name} IMAGE..."
        )
    with terminal.waiting(f"choosing images of the {split} split"):
        return _varied(dataset(pipeline, split), spec.label, split, count)


def _varied(
    batches: "tf.data.Dataset", label: Label, split: str, count: int
) -> list[LabelledImage]:
    """Images of as many classes as there are among the first ones, in their order."""
    first, others, seen = dict[int, LabelledImage](), dict[int, LabelledImage](), set[str]()
    for row, (pixels, value) in enumerate(_rows(batches)):
        if label.kind == "multilabel":
            yes = zip(label.classes, value.reshape(-1), strict=True)
            truth = ", ".join(name for name, answer in yes if answer)
        else:
            truth = label.classes[int(value.reshape(-1)[0])]
        chosen = first if truth not in seen else others
        if len(chosen) < count:
            chosen[row] = LabelledImage(f"{split} {row}", truth, pixels)
        seen.add(truth)
        if len(first) >= min(count, len(label.classes)) and len(first) + len(others) >= count:
            break
    rest = dict([*others.items()][: count - len(first)])
    return [image for _, image in sorted((first | rest).items())]


def _rows(batches: "tf.data.Dataset") -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for features, labels, *_ in batches.take(_BATCHES):
        images = next(iter(features.values())) if isinstance(features, dict) else features
        answers = next(iter(labels.values())) if isinstance(labels, dict) else labels
        yield from zip(np.asarray(images), np.asarray(answers), strict=True)
