"""How a detector's boxes did, in sentences, tables, figures and pictures."""

from functools import partial
from pathlib import Path

import numpy as np

from tfpipe.boxes.average_precision import (
    SIZES,
    AveragePrecisions,
    MatchedBoxes,
    average_precisions,
)
from tfpipe.boxes.heads import AnchorHead
from tfpipe.boxes.mistakes import KINDS, Mistakes, mistakes, overlap
from tfpipe.data.images.formats import NotReadable, upright_size
from tfpipe.evaluation.detection.charts import (
    mistakes_figure,
    precision_recall_figure,
    sizes_figure,
)
from tfpipe.evaluation.detection.pictures import picture
from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.sections import Card, Drawing, Section, Table
from tfpipe.evaluation.samples import shown
from tfpipe.tasks.detection import SHOWN, Detection
from tfpipe.text import counted, listed

_CARDS = 6
_COVERED, _FEW = 0.5, 0.7
_WORDS = {
    "class": "at an object of another class",
    "place": "near an object of its class, but not at it",
    "both": "near an object of another class",
    "duplicate": "at an object that a better box has found",
    "background": "near no object",
    "missed": "objects without a box at them or near them",
}
_AT_ONCE = 256  # objects whose anchors are looked for


def box_sections(judged: Judged) -> list[Section]:
    """Return the sections of a split whose answers are boxes."""
    scores = scores_of(judged)
    found = [
        mistakes(label, answer, SHOWN)
        for label, answer in zip(judged.answered.labels, judged.answered.answers, strict=True)
    ]
    return [
        _overall(judged, scores),
        _kinds(judged, found),
        _sizes(judged),
        _samples(judged, found),
    ]


def scores_of(judged: Judged) -> AveragePrecisions:
    """Return the average precisions of the answers to judge, sizes being those of the files."""
    classes = len(judged.task.label.classes)
    answered = judged.answered
    return average_precisions(answered.labels, answered.answers, classes, _pixels(judged))


def interval_of(judged: Judged, draws: int = 100) -> tuple[float, float]:
    """Return the 95% interval of mAP at 0.5: that of the same images drawn again and again.

    Args:
        judged: the answers.
        draws: how often.
    """
    answered, classes = judged.answered, len(judged.task.label.classes)
    matched = MatchedBoxes(answered.labels, answered.answers, classes)
    rng, size = np.random.default_rng(0), len(answered)
    scores = [matched.mean(rng.integers(size, size=size)) for _ in range(draws)]
    known = [score for score in scores if np.isfinite(score)] or [np.nan]
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def _pixels(judged: Judged) -> np.ndarray:
    """[images, 2] height and width of each file; those that the model sees where it is no file."""
    image = next(f for f in judged.features if f.kind == "image") if judged.features else None
    usual = image.shape[:2] if image else (1000, 1000)
    sizes = np.tile(np.asarray(usual), (len(judged.answered), 1))
    for row, place in enumerate(judged.places):
        try:
            sizes[row] = upright_size(Path(place))
        except NotReadable:
            return sizes
    return sizes


def _overall(judged: Judged, scores: AveragePrecisions) -> Section:
    classes, objects = judged.task.label.classes, scores.objects
    size = counted(len(judged.answered), "image")
    sizes = ", ".join(
        f"{name} {scores.by_size[name]:.3f}" for name in SIZES if np.isfinite(scores.by_size[name])
    )
    text = (
        f"Over {size} with {counted(sum(objects), 'object')} mAP is {scores.mean:.3f}: the mean of "
        f"the average precision over the classes, and over the overlaps from 0.5 to 0.95 that make "
        f"a box right. At 0.5 it is {scores.at_50:.3f}, at 0.75 {scores.at_75:.3f}; among 100 "
        f"boxes an image {scores.recall:.1%} of the objects are found.",
        f"By their size in pixels (below 32x32, up to 96x96, above): {sizes}."
        if sizes
        else "There is no object.",
        *judged.notes,
    )
    rows = [
        (name, f"{count:,}", _shown(mean), _shown(at_50))
        for name, count, (mean, at_50) in zip(classes, objects, scores.by_class, strict=True)
    ]
    drawing = Drawing(
        judged.file("precision_recall"),
        "Precision over recall of each class, at an overlap of 0.5",
        partial(precision_recall_figure, classes, scores.precision),
    )
    data = {
        "map": scores.mean,
        "map50": scores.at_50,
        "map75": scores.at_75,
        "recall": scores.recall,
        "by_size": scores.by_size,
        "by_class": {
            name: {"objects": count, "map": mean, "map50": at_50}
            for name, count, (mean, at_50) in zip(classes, objects, scores.by_class, strict=True)
        },
    }
    table = Table(("class", "objects", "mAP", "mAP at 0.5"), rows)
    return Section("boxes", f"Boxes{judged.of_output}", text, (table,), (drawing,), data=data)


def _kinds(judged: Judged, found: list[Mistakes]) -> Section:
    counts = {kind: sum(one.count(kind) for one in found) for kind in KINDS}
    right = sum(one.right for one in found)
    boxes = sum(len(one.kinds) for one in found)
    objects = sum(len(one.matched) for one in found)
    text = [
        f"Of {counted(boxes, 'box')} with a score of at least {SHOWN:g}, {right:,} are right, and "
        f"{right:,} of {counted(objects, 'object')} are found."
    ]
    if sum(counts.values()):
        worst = max(counts, key=lambda kind: counts[kind])
        text.append(f"What limits it most is {worst!r}: {counts[worst]:,} {_WORDS[worst]}.")
    rows = [(kind, f"{count:,}", _WORDS[kind]) for kind, count in counts.items()]
    note = "A box is at an object from an intersection over union of 0.5, near it from 0.1."
    drawing = Drawing(
        judged.file("kinds_of_error"), "Kinds of error", partial(mistakes_figure, counts)
    )
    return Section(
        "kinds_of_error",
        f"Kinds of error{judged.of_output}",
        tuple(text),
        (Table(("kind", "times", "which is"), rows, note),),
        (drawing,),
        data={"right": right, "boxes": boxes, "objects": objects, **counts},
    )


def _sizes(judged: Judged) -> Section:
    rows = judged.answered.labels[judged.answered.labels[..., 4] >= 0]
    sides = rows[:, 2:4] - rows[:, :2]
    shapes, text = np.zeros((0, 2)), []
    if len(sides):
        low, middle, high = np.percentile(np.sqrt(sides.prod(axis=1)), (5, 50, 95))
        ratios = np.percentile(sides[:, 0] / np.maximum(sides[:, 1], 1e-6), (5, 50, 95))
        text.append(
            f"Nine objects of ten have a size, the root of their area, from {low:.3f} to "
            f"{high:.3f} of the image, {middle:.3f} in the middle, and a ratio of width to height "
            f"from {ratios[0]:.2f} to {ratios[2]:.2f}."
        )
    data: dict[str, float] = {}
    head = judged.task.head if isinstance(judged.task, Detection) else None
    if isinstance(head, AnchorHead):
        anchors = head.anchors
        shapes = np.unique(np.round(anchors[:, 2:] - anchors[:, :2], 4), axis=0)
        best = [
            overlap(rows[i : i + _AT_ONCE], anchors).max(axis=1)
            for i in range(0, len(rows), _AT_ONCE)
        ]
        fits = np.concatenate(best) >= _COVERED if best else np.ones(0, bool)
        covered = float(fits.mean()) if best else 1.0
        data = {"covered": covered}
        text.append(
            f"{covered:.1%} of them overlap an anchor by at least {_COVERED:g}"
            + (
                "; the others are learnt from one anchor each. Declare model.sizes and ratios that "
                "are nearer to them."
                if covered < 0.9
                else "."
            )
        )
        for number, name in enumerate(judged.task.label.classes):
            own = rows[:, 4] == number
            if own.any() and fits[own].mean() < _FEW:
                size = np.median(np.sqrt(sides[own].prod(axis=1)))
                share = f"{fits[own].mean():.0%} do"
                text.append(f"Of {name!r} {share}, whose size is {size:.3f} in the middle.")
    drawings = (
        Drawing(
            judged.file("sizes"),
            "Widths and heights of the objects" + (" beside the anchors" if len(shapes) else ""),
            partial(sizes_figure, sides, shapes),
        ),
    )
    kept = drawings if len(sides) else ()
    return Section("sizes", f"Sizes{judged.of_output}", tuple(text), (), kept, data=data)


def _samples(judged: Judged, found: list[Mistakes]) -> Section:
    shares = np.array([one.share for one in found])
    objects = np.array([len(one.matched) for one in found])
    order = np.lexsort((-objects, shares)).tolist()  # of equal ones those with most objects first
    groups = {"Worst": order[:_CARDS]}
    best = np.lexsort((-objects, -shares)).tolist()[:_CARDS]
    groups["Best"] = [row for row in best if row not in groups["Worst"]]
    rows = {row for group in groups.values() for row in group}
    samples = judged.samples(rows)
    cards = {}
    for row, sample in samples.items():
        answer, label = judged.answered.answers[row], judged.answered.labels[row]
        seen = shown(sample, judged.features)
        assert seen.image is not None
        assert isinstance(judged.task, Detection)
        wrong = [f"{n} {kind}" for kind in KINDS if (n := found[row].count(kind))]
        said = listed([f"{found[row].right} right", *wrong], len(KINDS) + 1)
        cards[row] = Card(
            judged.task.caption(answer, label),
            image=picture(judged.task, seen.image, answer, label),
            image_name=f"sample {row} with true and found boxes",
            note=". ".join(filter(None, (said, judged.place(row)))),
            large=True,
        )
    shown_cards = tuple(
        (title, tuple(cards[row] for row in group if row in cards))
        for title, group in groups.items()
    )
    text = (
        f"True boxes are white; those found with a score of at least {SHOWN:g} have the "
        "colour of their class. What is true stands in brackets.",
    )
    kept = tuple((title, group) for title, group in shown_cards if group)
    return Section("samples", "Samples", text, cards=kept, data={"worst": order[:_CARDS]})


def _shown(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ""
