"""How answers did that are one class of several, in sentences, tables, figures and samples."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.evaluation.report.charts import confusion_figure, curves_figure, reliability_figure
from tfpipe.evaluation.report.judged import SHOWN, Judged
from tfpipe.evaluation.report.sections import Drawing, Section, Table
from tfpipe.evaluation.report.slices import slice_section
from tfpipe.evaluation.scores.calibration import Calibration, calibration
from tfpipe.evaluation.scores.classes import ClassScores, best_threshold, thresholds
from tfpipe.evaluation.scores.label_errors import doubtful_labels, suspicious_labels
from tfpipe.text import counted, listed, number

if TYPE_CHECKING:
    from tfpipe.evaluation.predictions import Answered

MOST_ROWS = 30  # of a table of classes; of more, the worst are shown
MOST_DRAWN = 60  # more classes make no confusion matrix that can be read


def scores_of(judged: Judged, answered: "Answered | None" = None) -> ClassScores:
    """Return the figures of the answers to judge, or of others of the same output."""
    found = answered or judged.answered
    probabilities = judged.task.class_probabilities(found.answers)
    labels = found.labels.reshape(-1).astype(np.int64)
    return ClassScores(judged.task.label.classes, np.asarray(probabilities, np.float64), labels)


def class_sections(judged: Judged) -> list[Section]:
    """Return the sections of a split whose answers are classes."""
    scores = scores_of(judged)
    sections = [_overall(judged, scores)]
    if len(scores.known[1]):
        sections += [_confidence(judged, scores), _curves(judged, scores)]
    sections += [_samples(judged, scores), *slice_section(judged, scores.right, "right")]
    return sections


def _overall(judged: Judged, scores: ClassScores) -> Section:
    low, high = scores.interval
    size, several = len(scores.labels), len(scores.classes)
    text = [
        f"{scores.accuracy:.1%} of {counted(size, 'sample')} are answered right; with so many of "
        f"them the true share is between {low:.1%} and {high:.1%} (95% interval). "
        f"The mean F1 over the classes is {number(scores.macro_f1)}.",
        *judged.notes,
    ]
    if several > 5:
        text[0] += f" In {scores.top(5):.1%} the class is among the five most probable."
    if scores.unanswered:
        text.append(f"{unanswered(scores.unanswered)} as wrong.")
    empty = [found.name for found in scores.by_class if not found.samples]
    if empty:
        text.append(
            f"This split has no sample of {len(empty):,} of {several:,} classes: "
            f"{listed(empty, 5)}."
        )
    said = np.unique(scores.answered)
    if len(said) == 1 and said[0] >= 0 and size > 1:
        text.append(f"Every sample gets the same answer, {scores.classes[said[0]]}.")
    drawings = []
    if several <= MOST_DRAWN:
        title = f"Confusion matrix{judged.of_output} of the {judged.split} split"
        drawings = [
            Drawing(
                judged.file("confusion"),
                title,
                lambda: confusion_figure(scores.classes, scores.matrix),
                small=False,
            )
        ]
    pairs = [(f"{true} for {said}", f"{times:,}") for true, said, times in _pairs(scores)]
    tables = [_by_class(scores), *([Table(("taken", "times"), pairs)] if pairs else [])]
    data = {
        "accuracy": scores.accuracy,
        "interval": [low, high],
        "macro_f1": scores.macro_f1,
        "unanswered": scores.unanswered,
        "classes": list(scores.classes),
        "confusion": scores.matrix.tolist() if several <= MOST_DRAWN else None,
        "by_class": [_finite(found._asdict()) for found in scores.by_class],
        "confused": [list(pair) for pair in scores.confused()],
    }
    title = f"Classes{judged.of_output}"
    return Section("classes", title, tuple(text), tuple(tables), tuple(drawings), data=data)


def unanswered(count: int) -> str:
    """Return how many answers are no numbers, and the verb of what they count as."""
    return (
        "1 answer is no number, and counts"
        if count == 1
        else (f"{count:,} answers are no numbers, and count")
    )


def _pairs(scores: ClassScores) -> list[tuple[str, str, int]]:
    """The most confused pairs in words: which class was taken for which."""
    return scores.confused() if len(scores.classes) > 2 else []


def _by_class(scores: ClassScores) -> Table:
    rows = list(scores.by_class)
    note = ""
    if len(rows) > MOST_ROWS:
        rows = sorted(rows, key=lambda r: (r.samples == 0, np.nan_to_num(r.f1), r.name))[:MOST_ROWS]
        note = f"The {MOST_ROWS} of {counted(len(scores.classes), 'class')} with the least F1."
    cells = [
        (r.name, f"{r.samples:,}", _share(r.precision), _share(r.recall), _share(r.f1))
        for r in rows
    ]
    return Table(("class", "samples", "precision", "recall", "F1"), cells, note)


def _confidence(judged: Judged, scores: ClassScores) -> Section:
    probabilities, labels = scores.known
    fit, fitted_on = (probabilities, labels), judged.split
    if judged.validation is not None:
        of_validation = scores_of(judged, judged.validation).known
        if len(of_validation[1]):
            fit, fitted_on = of_validation, "validation"
    found = calibration(probabilities, labels, fit)
    mean = float(probabilities.max(axis=1).mean())
    text = [
        f"The answers are given with {mean:.1%} on average, and {(scores.accuracy):.1%} are right: "
        f"{_sureness(mean - scores.accuracy)}. Their expected calibration error is "
        f"{found.error:.1%}.",
        f"Dividing the logits by {found.temperature:.2f}, as the {fitted_on} split asks for, "
        + (
            f"would leave {found.mended:.1%}; it changes no answer."
            if found.mended < found.error
            else "would not mend it."
        ),
    ]
    title = f"How sure and how right{judged.of_output}"
    drawing = Drawing(judged.file("calibration"), title, lambda: reliability_figure(found))
    return Section("calibration", title, tuple(text), drawings=(drawing,), data=_data(found))


def _sureness(excess: float) -> str:
    if abs(excess) < 0.01:
        return "the probabilities can be taken as they are"
    return "the model is too sure" if excess > 0 else "the model is less sure than it may be"


def _data(found: Calibration) -> dict[str, object]:
    bins = {n: getattr(found, n).tolist() for n in ("confidence", "right", "count")}
    return {"ece": found.error, "temperature": found.temperature, "mended": found.mended, **bins}


def _curves(judged: Judged, scores: ClassScores) -> Section:
    roc, precision = scores.roc(), scores.precision_recall()
    drawings = []
    if roc:
        drawings = [
            Drawing(
                judged.file("roc"),
                f"ROC curve{judged.of_output}",
                lambda: curves_figure(
                    roc, "false positive rate", "true positive rate", chance=True
                ),
            ),
            Drawing(
                judged.file("precision_recall"),
                f"Precision against recall{judged.of_output}",
                lambda: curves_figure(precision, "recall", "precision"),
            ),
        ]
    areas = dict(zip(scores.classes, map(float, scores.areas), strict=True))
    data: dict[str, object] = {"roc_auc": _finite(areas)}
    if len(scores.classes) != 2 or not roc:
        mean = float(np.nanmean(scores.areas)) if np.isfinite(scores.areas).any() else math.nan
        text = (
            f"Each class against all others; the mean area under the ROC curves is {_plain(mean)}."
        )
        more = len(scores.classes) > len(roc) > 0
        text += f" Drawn are the {len(roc)} that are told apart worst." if more else ""
        title = f"Every threshold{judged.of_output}"
        return Section("curves", title, (text,), (), tuple(drawings), data=data)
    return _two_classes(judged, scores, tuple(drawings), data)


def _two_classes(
    judged: Judged, scores: ClassScores, drawings: Sequence[Drawing], data: dict[str, object]
) -> Section:
    probabilities, labels = scores.known
    name, found = scores.classes[1], thresholds(probabilities, labels)
    best = best_threshold(probabilities[:, 1], labels)
    text = [
        f"{name} is answered from a probability of 0.5 on; other thresholds trade its precision "
        f"for recall. The area under the ROC curve is {number(float(scores.areas[1]))}."
    ]
    if judged.validation is not None:
        p, y = scores_of(judged, judged.validation).known
        if len(y):
            text.append(
                f"On the validation split {best_threshold(p[:, 1], y):.3f} has the best F1."
            )
    rows = [
        (
            f"{t.threshold:.3g}",
            _share(t.precision),
            _share(t.recall),
            _share(t.f1),
            _share(t.accuracy),
        )
        for t in found
    ]
    heads = ("threshold", "precision", "recall", "F1", "accuracy")
    marked = frozenset({"0.5", f"{best:.3g}"})
    table = Table(heads, rows, "Marked: the one that is used, and that of the best F1.", marked)
    data = {**data, "thresholds": [_finite(t._asdict()) for t in found]}
    title = f"Thresholds{judged.of_output}"
    return Section("curves", title, tuple(text), (table,), tuple(drawings), data=data)


def _samples(judged: Judged, scores: ClassScores) -> Section:
    answers = judged.answered
    losses = np.nan_to_num(judged.task.losses(answers.answers, answers.labels), nan=-np.inf)
    known, rows = scores.answered >= 0, np.arange(len(scores.labels))
    wrong, right = rows[~scores.right & known], rows[scores.right]
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:SHOWN]
    surest = right[np.argsort(losses[right], kind="stable")][: SHOWN // 2]
    suspicious = rows[known][suspicious_labels(*scores.known)]
    doubtful = rows[known][doubtful_labels(*scores.known)] if known.any() else rows[:0]
    notes = dict.fromkeys(doubtful.tolist(), "Its label may be wrong")
    groups = {"Worst errors": worst.tolist(), "Most certain and right": surest.tolist()}
    data = {"worst": worst.tolist(), "suspicious_labels": suspicious[:1000].tolist()}
    text = (f"{counted(len(wrong), 'answer')} of {len(rows):,} are wrong.",)
    if len(doubtful):
        text = (
            f"{text[0]} In {len(doubtful):,} of them the model is as sure as it usually is of "
            "samples that bear the label which it answers: their own labels may be wrong, or the "
            "classes overlap there.",
        )
    title = f"Samples{judged.of_output}"
    return Section("samples", title, text, cards=judged.cards(groups, notes), data=data)


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"


def _plain(value: float) -> str:
    return "not known" if math.isnan(value) else number(value)


def _finite(values: Mapping[str, object]) -> dict[str, object]:
    """The same with None for what is no number, as JSON knows none."""
    return {
        n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in values.items()
    }
