"""The objects in images: how many there are, how large they are, and how they look."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.evaluation.data.summary import SplitSummary
from tfpipe.evaluation.detection.drawing import Corners, colour_of, with_boxes
from tfpipe.evaluation.report.charts import bars_figure
from tfpipe.evaluation.report.sections import Drawing, Section, Table
from tfpipe.evaluation.samples import Sample
from tfpipe.text import counted

_CLASS, _IGNORED = 4, 5  # columns of a label
_NARROW = 8  # pixels, below which little of an object is left after a few convolutions
_LEAST = 256  # pixels that the longer side of a drawn image has at the least
_ENDS = (8, 16, 32, 64, 128, 256, 512)  # pixels, of the bars
_MOST_CLASSES = 30


def objects_of(labels: np.ndarray) -> np.ndarray:
    """Return the objects among labels, [objects, 6], without the padding.

    Args:
        labels: [..., boxes, 6].
    """
    rows = labels.reshape(-1, labels.shape[-1])
    return rows[rows[:, _CLASS] >= 0]


def boxes_in_words(label: Label, value: np.ndarray) -> str:
    """Return what is in an image: "2 cat, 1 dog"; "background" where nothing is."""
    numbers = objects_of(value)[:, _CLASS].astype(int).tolist()
    classes = sorted(dict.fromkeys(numbers), key=lambda number: -numbers.count(number))
    parts = [f"{numbers.count(number)} {label.classes[number]}" for number in classes]
    return ", ".join(parts) or "background"


def with_objects(sample: Sample, spec: ElementSpec, labels: np.ndarray) -> Sample:
    """Return a sample whose image has the boxes of its objects drawn on it, with their classes.

    Args:
        sample: whose image is uint8, and enlarged by whole pixels where it is small.
        spec: what it is; its label has boxes.
        labels: [boxes, 6] of it.
    """
    name, classes = spec.feature.name, spec.label.classes
    image = sample[name]
    times = max(1, -(-_LEAST // max(image.shape[:2])))
    large = image.repeat(times, axis=0).repeat(times, axis=1)
    large = large if large.shape[2] == 3 else large[..., :1].repeat(3, axis=2)
    height, width = large.shape[:2]
    drawn = []
    for row in objects_of(labels).tolist():
        number = int(row[_CLASS])
        corners: Corners = (row[0] * width, row[1] * height, row[2] * width, row[3] * height)
        ignored = " (ignored)" if row[_IGNORED] else ""
        drawn.append((f"{classes[number]}{ignored}", corners, colour_of(number)))
    return sample | {name: with_boxes(large, drawn)}


def boxes_section(spec: ElementSpec, splits: Mapping[str, SplitSummary]) -> Section:
    """Return how many objects the images of each split have, and how large those of one are.

    Sizes are in pixels of the image that the model sees.

    Args:
        spec: what the samples are; the label has boxes.
        splits: what each holds; sizes are of "train", else of the first.
    """
    height, width = spec.feature.shape[:2]
    of = "train" if "train" in splits else next(iter(splits))
    labels = splits[of].labels()
    found = objects_of(labels)
    sides = (found[:, 2:4] - found[:, 0:2]) * (width, height)
    shares = (found[:, 2:4] - found[:, 0:2]).prod(axis=1)
    longer = sides.max(axis=1, initial=0)
    text = [_density(name, one.labels()) for name, one in splits.items()]
    data: dict[str, Any] = {
        "objects": {name: len(objects_of(one.labels())) for name, one in splits.items()},
        "ignored": {
            name: int((objects_of(one.labels())[:, _IGNORED] > 0).sum())
            for name, one in splits.items()
        },
    }
    if not len(found):
        return Section("boxes", "Objects", tuple(text), data=data)
    low, half, high = np.quantile(longer, (0.05, 0.5, 0.95)).tolist()
    text.append(
        f"In the {of} split, half of the objects are no longer than {half:.0f} pixels of the "
        f"{width}x{height} that the model sees, 5% no longer than {low:.0f}, and 5% longer than "
        f"{high:.0f}."
    )
    narrow = int((sides.min(axis=1) < _NARROW).sum())
    if narrow:
        text.append(
            f"Less than {_NARROW} pixels wide or high: {counted(narrow, 'object')}, "
            f"{narrow / len(found):.1%} of them. A larger data.size shows more of such."
        )
    rows = []
    numbers = found[:, _CLASS].astype(int)
    order = sorted(range(len(spec.classes)), key=lambda i: -(numbers == i).sum())
    for number in order[:_MOST_CLASSES]:
        own = numbers == number
        if not own.any():
            continue
        medians = np.median(sides[own], axis=0)
        ends = np.quantile(shares[own], (0, 0.5, 1))
        cells = (*(f"{m:.0f}" for m in medians), *(f"{share:.2%}" for share in ends))
        rows.append((spec.classes[number], f"{own.sum():,}", *cells))
    heads = ("class", "objects", "width", "height", "least area", "median area", "greatest area")
    note = f"The {of} split: medians in pixels, areas as shares of the image."
    names, counts = _bars(longer)
    draw = partial(bars_figure, names, counts, None, "objects")
    drawing = Drawing("box_sizes", f"Longer side of the objects in the {of} split, in pixels", draw)
    data["longer_side"] = {"5%": low, "half": half, "95%": high}
    data["narrow"] = narrow
    return Section(
        "boxes", "Objects", tuple(text), (Table(heads, rows, note),), (drawing,), data=data
    )


def _density(split: str, labels: np.ndarray) -> str:
    """Return in a sentence how many objects the images of a split have."""
    each = (labels[..., _CLASS] >= 0).sum(axis=1)
    found = objects_of(labels)
    sentence = (
        f"The {split} split has {counted(len(found), 'object')} in "
        f"{counted(len(each), 'image')}: {each.mean():.1f} in one on average, "
        f"{each.max()} at the most"
    )
    if empty := int((each == 0).sum()):
        sentence += f", none in {empty:,}"
    if ignored := int((found[:, _IGNORED] > 0).sum()):
        sentence += f"; {ignored:,} of them are ignored, as crowds or difficult ones are"
    return f"{sentence}."


def _bars(longer: np.ndarray) -> tuple[list[str], list[int]]:
    """Return how many objects are how long, in words, without the empty ends."""
    edges = (0, *_ENDS, np.inf)
    counts = np.histogram(longer, edges)[0].tolist()
    names = [f"below {_ENDS[0]}"]
    names += [f"{a} to {b}" for a, b in pairwise(_ENDS)]
    names += [f"from {_ENDS[-1]}"]
    some = [place for place, count in enumerate(counts) if count]
    kept = slice(some[0], some[-1] + 1)
    return names[kept], counts[kept]
