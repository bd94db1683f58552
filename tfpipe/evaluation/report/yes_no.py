"""How answers did that are several yes/no answers each."""

import numpy as np

from tfpipe.evaluation.report.classes import MOST_ROWS, unanswered
from tfpipe.evaluation.report.judged import SHOWN, Judged
from tfpipe.evaluation.report.sections import Section, Table
from tfpipe.evaluation.report.slices import slice_section
from tfpipe.evaluation.scores.intervals import interval
from tfpipe.text import counted


def yes_no_sections(judged: Judged) -> list[Section]:
    """Return the sections of a split whose answers are several yes/no answers."""
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    task, names = judged.task, judged.task.label.classes
    scores = judged.answered.answers.reshape(len(judged.answered), -1)
    known = np.isfinite(scores).all(axis=1)
    true = judged.answered.labels.reshape(scores.shape) > 0
    said = np.nan_to_num(scores) >= 0.5
    exact = (said == true).all(axis=1) & known
    low, high = interval(int(exact.sum()), len(exact))
    single = (said == true)[known].mean() if known.any() else 0.0
    text = [
        f"{exact.mean():.1%} of {counted(len(exact), 'sample')} have all {len(names)} answers "
        f"right (95% interval {low:.1%} to {high:.1%}); of the single answers {single:.1%} are.",
        *judged.notes,
    ]
    if not known.all():
        text.append(f"{unanswered(int((~known).sum()))} as wrong.")
    found = precision_recall_fscore_support(true, said, average=None, zero_division=np.nan)
    rows, data = [], []
    for index, name in enumerate(names):
        p, r, f, support = (float(part[index]) for part in found)
        of_label = true[known, index]
        both = of_label.any() and not of_label.all()
        area = float(roc_auc_score(of_label, scores[known, index])) if both else float("nan")
        values = {"precision": p, "recall": r, "f1": f, "roc_auc": area}
        cells = ("" if np.isnan(v) else f"{v:.1%}" for v in (p, r, f, area))
        rows.append((name, f"{support:,.0f}", *cells))
        finite = {n: None if np.isnan(v) else v for n, v in values.items()}
        data.append({"name": name, "samples": int(support), **finite})
    note = f"The first {MOST_ROWS} of {len(names):,}." if len(names) > MOST_ROWS else ""
    heads = ("answer", "yes", "precision", "recall", "F1", "area under ROC")
    overall = Section(
        "answers",
        f"Yes/no answers{judged.of_output}",
        tuple(text),
        (Table(heads, rows[:MOST_ROWS], note),),
        data={"exact": float(exact.mean()), "interval": [low, high], "by_answer": data},
    )
    losses = np.where(known, np.nan_to_num(task.losses(scores, true)), -np.inf)
    wrong = np.flatnonzero(~exact)
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:SHOWN]
    samples = Section(
        "samples",
        f"Samples{judged.of_output}",
        ("What is true stands in brackets.",),
        cards=judged.cards({"Worst errors": worst.tolist()}),
        data={"worst": worst.tolist()},
    )
    return [overall, samples, *slice_section(judged, exact, "all right")]
