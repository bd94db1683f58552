"""How answers did that are real numbers, in sentences, tables, figures and samples."""

import math
from functools import partial

import numpy as np

from tfpipe.evaluation.report.charts import (
    forecast_figure,
    horizons_figure,
    residuals_figure,
    scatter_figure,
)
from tfpipe.evaluation.report.judged import SHOWN, Judged
from tfpipe.evaluation.report.sections import Drawing, Section, Table
from tfpipe.evaluation.report.slices import slice_section
from tfpipe.evaluation.scores.numbers import NumberScores, OfNumber
from tfpipe.text import counted, number

_DRAWN = 3  # of several numbers


def scores_of(judged: Judged) -> NumberScores:
    """Return the figures of the answers to judge."""
    answers = judged.answered.answers.reshape(len(judged.answered), -1)
    labels = judged.answered.labels.reshape(answers.shape)
    label = judged.task.label
    names = label.columns or tuple(f"{label.name}[{i}]" for i in range(answers.shape[1]))
    return NumberScores((label.name,) if answers.shape[1] == 1 else names, answers, labels)


def number_sections(judged: Judged) -> list[Section]:
    """Return the sections of a split whose answers are real numbers."""
    scores = scores_of(judged)
    sections = [_overall(judged, scores)]
    if judged.in_time and scores.known.any():
        sections.append(_horizons(judged))
    losses = judged.task.losses(judged.answered.answers, judged.answered.labels)
    worst = np.argsort(-np.nan_to_num(losses, nan=-np.inf), kind="stable")[:SHOWN]
    cards = judged.cards({"Worst answers": worst.tolist()})
    sections.append(
        Section(
            "samples",
            f"Samples{judged.of_output}",
            ("What is true stands in brackets.",),
            cards=cards,
            data={"worst": worst.tolist()},
        )
    )
    return sections + slice_section(judged, -losses, "mean absolute error")


def _overall(judged: Judged, scores: NumberScores) -> Section:
    whole, (low, high) = scores.overall, scores.mae_interval()
    size = len(scores.labels)
    text = [
        f"Over {counted(size, 'sample')} the mean absolute error is {_shown(whole.mae)}"
        + (f" (95% interval {number(low)} to {number(high)})" if not math.isnan(low) else "")
        + f", the root of the mean squared error {_shown(whole.rmse)}, R² {_shown(whole.r2)}.",
        *judged.notes,
    ]
    if scores.unanswered:
        none = "is no number" if scores.unanswered == 1 else "are no numbers"
        count = counted(scores.unanswered, "answer")
        text.append(f"{count} {none}; the figures are of the others.")
    if scores.known.any() and size > 1 and np.ptp(scores.answers[scores.known], axis=0).max() == 0:
        text.append("Every sample gets the same answer.")
    drawings: list[Drawing] = []
    for index, name in enumerate(scores.names[:_DRAWN] if scores.known.any() else ()):
        said, true = scores.answers[scores.known, index], scores.labels[scores.known, index]
        file = judged.file(f"against_true_{index}" if index else "against_true")
        title = f"Answered against true {name}{judged.of_output}"
        drawings += [
            Drawing(file, title, partial(scatter_figure, true, said, name)),
            Drawing(
                file.replace("against_true", "residuals"),
                f"Residuals of {name}{judged.of_output}",
                partial(residuals_figure, scores.residuals[:, index], name),
            ),
        ]
    heads = ("number", "mean absolute error", "root mean squared", "R²", "median absolute error")
    rows = [_row(found) for found in scores.by_number()]
    rows += [_row(whole)] if len(rows) > 1 else []
    values = {"mae": whole.mae, "rmse": whole.rmse, "r2": whole.r2, "median": whole.median}
    data = {name: value if math.isfinite(value) else None for name, value in values.items()}
    finite = [low, high] if not math.isnan(low) else None
    return Section(
        "numbers",
        f"Numbers{judged.of_output}",
        tuple(text),
        (Table(heads, rows[:30]),),
        tuple(drawings),
        data={**data, "mae_interval": finite, "unanswered": scores.unanswered},
    )


def _row(found: OfNumber) -> tuple[str, ...]:
    return (found.name, *map(_shown, found[1:]))


def _shown(value: float) -> str:
    return "not known" if math.isnan(value) else number(value)


def _horizons(judged: Judged) -> Section:
    """How forecasts do by how far ahead they look: labels are [rows, steps ahead]."""
    said = judged.answered.answers.reshape(len(judged.answered), -1)
    true = judged.answered.labels.reshape(said.shape)
    ahead = said.shape[1]
    errors = [float(np.nanmean(np.abs(said[:, h] - true[:, h]))) for h in range(ahead)]
    shown = sorted({1, (ahead + 1) // 2, ahead})
    by_ahead = Drawing(
        judged.file("horizons"),
        f"Error by steps ahead{judged.of_output}",
        partial(horizons_figure, errors),
    )
    drawings = [
        *([by_ahead] if ahead > 1 else []),
        *(
            Drawing(
                judged.file(f"forecast_{h}"),
                f"Forecasts {h} ahead{judged.of_output}",
                partial(forecast_figure, true[:, h - 1], said[:, h - 1], h),
                small=False,
            )
            for h in shown
        ),
    ]
    far = f", {ahead} steps ahead {number(errors[-1])}" if ahead > 1 else ""
    text = (f"One step ahead the mean absolute error is {number(errors[0])}{far}.",)
    title = f"Forecasts{judged.of_output}"
    data = {"mae_by_horizon": errors}
    return Section("horizons", title, text, drawings=tuple(drawings), data=data)
