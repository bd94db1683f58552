"""How answers did that are real numbers, in sentences, tables, figures and samples."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from tfpipe.text import counted, listed, number

_DRAWN = 3  # of several numbers


@dataclass(frozen=True)
class Horizons:
    """How forecasts do by how far ahead they look.

    Args:
        errors: the mean absolute error by steps ahead.
        naive: the same of forecasts that need no model, by name.
        mase: the mean absolute scaled error over all steps; NaN where it is not known.
        mase_of_naive: the same of the forecasts that need no model.
    """

    errors: list[float]
    naive: Mapping[str, list[float]] = field(default_factory=dict)
    mase: float = math.nan
    mase_of_naive: Mapping[str, float] = field(default_factory=dict)

    @property
    def shown(self) -> list[int]:
        """The steps ahead that stand for all: the first, the middle and the last."""
        ahead = len(self.errors)
        return sorted({1, (ahead + 1) // 2, ahead})

    @property
    def scaled(self) -> str:
        """The sentence on the scaled error."""
        if math.isnan(self.mase):
            return "The series does not change in training, so that no error can be scaled by it."
        others = (f"{value:.3f} with {name}" for name, value in self.mase_of_naive.items())
        return f"Over all steps the MASE is {self.mase:.3f}; it is {listed([*others], 3)}."


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


def horizons(judged: Judged) -> Horizons:
    """Return how forecasts do by how far ahead they look: labels are [rows, steps ahead]."""
    said = judged.answered.answers.reshape(len(judged.answered), -1)
    true = judged.answered.labels.reshape(said.shape)
    errors = np.nanmean(np.abs(said - true), axis=0).tolist()
    naive = judged.naive
    if naive is None:
        return Horizons(errors)
    of_naive = naive.errors(true)
    mase = {name: naive.mase(float(np.mean(e))) for name, e in of_naive.items()}
    return Horizons(errors, of_naive, naive.mase(float(np.mean(errors))), mase)


def _horizons(judged: Judged) -> Section:
    said = judged.answered.answers.reshape(len(judged.answered), -1)
    true = judged.answered.labels.reshape(said.shape)
    found, ahead = horizons(judged), said.shape[1]
    by_ahead = Drawing(
        judged.file("horizons"),
        f"Error by steps ahead{judged.of_output}",
        partial(horizons_figure, found.errors, found.naive),
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
            for h in found.shown
        ),
    ]
    far = f", {ahead} steps ahead {number(found.errors[-1])}" if ahead > 1 else ""
    text = [f"One step ahead the mean absolute error is {number(found.errors[0])}{far}."]
    for name, errors in found.naive.items():
        far = f" and {number(errors[-1])}" if ahead > 1 else ""
        text.append(f"With {name} for a forecast it is {number(errors[0])}{far}.")
    data: dict[str, object] = {"mae_by_horizon": found.errors}
    if found.naive:
        text.append(found.scaled)
        data |= {"naive": found.naive, "mase": found.mase, "mase_of_naive": found.mase_of_naive}
    title = f"Forecasts{judged.of_output}"
    return Section("horizons", title, tuple(text), drawings=tuple(drawings), data=data)
