"""report.html: what a search has shown, as the report's template wants it."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from tfpipe.data.memory import human
from tfpipe.evaluation.report.page import render, svg
from tfpipe.evaluation.report.search import (
    Scale,
    Scored,
    against,
    learning_curves,
    over_trials,
)
from tfpipe.storage import write_whole
from tfpipe.terminal import clock, number
from tfpipe.text import brief
from tfpipe.training.reporting import SETTINGS
from tfpipe.tuning.commands import target_of, train_with_best
from tfpipe.tuning.dimension import Dimension, dimensions_of
from tfpipe.tuning.importance import evenly, importance
from tfpipe.tuning.store import Search, Trial
from tfpipe.tuning.table import epochs_of, run_of

Ranked = Sequence[tuple[Trial, float]]

_BESIDE = 5  # trials side by side
_REASONS = 20  # different ones that are listed
_NAMED = 12  # trials that are named for one reason
_LONGEST = 600  # letters of a reason
_DRAWN = 160  # trials in the figure of a range
# How far the axis goes: some way past three quarters of the trials, and where even those run away,
# many times as far as half of them.
_PAST_MOST, _PAST_HALF = 2.5, 100
_STATES = ("finished", "stopped", "failed", "interrupted", "running")
TUNERS = {
    "random": "random search",
    "bayesian": "Bayesian optimization",
    "hyperband": "Hyperband",
    "grid": "grid search",
}


def write_report(search: Search) -> None:
    """Write report.html.

    Args:
        search: which.

    Raises:
        RunError: when a trial's record is broken.
        StorageError: when it cannot be written.
    """
    write_whole(search.directory.path / "report.html", report_of(search).encode())


def report_of(search: Search) -> str:
    """The text of report.html."""
    trials = search.trials()
    counted = [(t, t.objective) for t in search.completed() if t.objective is not None]
    ranked = [(t, value) for t, value in counted if math.isfinite(value)]
    dimensions = dimensions_of(search.space)
    values = {
        "name": search.name,
        "kind": "search",
        "state": search.state,
        "reason": search.reason,
        "about": f"{target_of(search)} · {TUNERS[search.asked.tuner]}",
        "facts": _facts(search, trials),
        "nothing": _nothing(trials),
        "objective": search.asked.objective,
        "best": None,
        "failures": _failures(trials),
        "failures_note": _failures_note(trials),
        "trial_heads": ("trial", "state", "objective", "epoch", *(d.name for d in dimensions)),
        "trials": [_row(trial, dimensions) for trial in trials],
        "asked": list(_asked(search)),
        "dimensions": [
            (d.name, d.described(), brief(d.declared), d.conditions()) for d in dimensions
        ],
        "declaration": json.dumps(search.pipeline, indent=2),
    }
    if ranked:
        values |= _of_the_best(search, trials, ranked, dimensions)
    return render("search", **values)


def _of_the_best(
    search: Search, trials: Sequence[Trial], ranked: Ranked, dimensions: Sequence[Dimension]
) -> dict[str, Any]:
    """What can be shown once a trial counts: the best, the figures, trials side by side."""
    asked, (best, value) = search.asked, ranked[0]
    rising = asked.direction == "max"
    scale = scale_of([value for _, value in ranked])
    numbers = {trial.id: number for number, trial in enumerate(trials, 1)}
    scored = {
        trial.id: Scored(numbers[trial.id], value, trial.state == "stopped", trial is best)
        for trial, value in ranked
    }
    outside = sum(not scale.low <= value <= scale.high for _, value in ranked)
    many = f"{outside} trials are" if outside > 1 else "One trial is"
    title = f"{asked.objective} ({'higher' if rising else 'lower'} is better)"
    in_order = sorted(scored.values(), key=lambda one: one.number)
    curves = _curves(search, ranked)
    return {
        "best": {
            "value": number(value),
            "trial": best.id,
            "epoch": best.epoch,
            "command": train_with_best(search),
            "settings": [
                (d.name, brief(best.values[d.name]), brief(d.declared))
                for d in dimensions
                if d.name in best.values
            ],
        },
        "outside": f"{many} far worse than most, and drawn at the edge." if outside else "",
        "over_trials": svg(
            over_trials(in_order, title, scale, rising=rising), f"{title} of each trial"
        ),
        **_ranges(ranked, dimensions, scored, scale),
        "beside": _beside(search, ranked, dimensions),
        "curves": svg(learning_curves(curves, asked.objective), f"{asked.objective} in each epoch")
        if curves
        else None,
    }


def _facts(search: Search, trials: Sequence[Trial]) -> list[tuple[str, str, str]]:
    states = Counter[str](trial.state for trial in trials)
    asked = f" of {search.asked.trials}" if search.asked.trials is not None else ""
    detail = ", ".join(f"{states[state]} {state}" for state in _STATES if states[state])
    epochs = sum(len(epochs_of(search, trial)) for trial in trials)
    return [
        ("trials done", f"{sum(trial.over for trial in trials)}{asked}", detail),
        ("searched for", clock(search.active_seconds), ""),
        ("epochs trained", f"{epochs:,}", ""),
    ]


def _nothing(trials: Sequence[Trial]) -> str:
    """What to say where no trial counts."""
    failed = sum(trial.state == "failed" for trial in trials)
    if failed and failed == len(trials):
        return "No trial has finished: all of them failed." if failed > 1 else "The trial failed."
    return "No trial has finished yet." if trials else "There is no trial yet."


def _row(trial: Trial, dimensions: Sequence[Dimension]) -> list[str]:
    objective = "" if trial.objective is None else _measured(trial.objective)
    epoch = "" if trial.epoch is None else f"{trial.epoch} of {trial.epochs}"
    values = [brief(trial.values.get(d.name)) for d in dimensions]
    return [trial.id, trial.state, objective, epoch, *values]


def scale_of(values: Sequence[float]) -> Scale:
    """The objective's axis, for values of which the best is the first.

    A trial that has run away would press all others into a line, so the axis ends where nothing is
    but a few of the worst.
    """
    best, count = values[0], len(values)
    half, most = abs(values[count // 2] - best), abs(values[(3 * count) // 4] - best)
    reach = min(_PAST_MOST * most, _PAST_HALF * half) if half else _PAST_MOST * most
    kept = [v for v in values if abs(v - best) <= reach] if count >= 4 and reach else values
    low, high = min(kept), max(kept)
    if low > 0 and high / low > 30:
        return Scale(low / 1.1, high * 1.1, log=True)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return Scale(low - room, high + room)


def _ranges(
    ranked: Ranked, dimensions: Sequence[Dimension], scored: dict[str, Scored], scale: Scale
) -> dict[str, Any]:
    """Each range against the objective, the most important first."""
    found = importance(dimensions, [(trial, scale.clip(value)) for trial, value in ranked])
    note = found.note
    if found.shares:
        note = (
            "The percentages are the importance of each range to a random forest (permutation "
            f"importance, scikit-learn). {note}"
        )
    if any(not d.numeric for d in dimensions):
        note += " A bar is the median of a value's trials."
    return {
        "importance": note,
        "ranges": [
            {
                "name": d.name,
                "share": found.shares.get(d.name),
                "where": d.conditions(),
                "figure": _against(d, [t for t, _ in ranked], scored, scale),
            }
            for d in sorted(dimensions, key=lambda d: -found.shares.get(d.name, 0.0))
        ],
    }


def _against(
    dimension: Dimension, trials: Sequence[Trial], scored: dict[str, Scored], scale: Scale
) -> Any:
    having = [trial for trial in trials if dimension.name in trial.values]
    having = [having[place] for place in evenly(len(having), _DRAWN)]
    values = [trial.values[dimension.name] for trial in having]
    options: dict[str, Any] = {"log": bool(getattr(dimension.range, "log", False))}
    if not dimension.numeric:
        known = list(dimension.values)
        values = [known.index(value) if value in known else 0 for value in values]
        options = {"labels": [brief(value) for value in known]}
    figure = against(values, [scored[trial.id] for trial in having], scale, **options)
    return svg(figure, f"The objective against {dimension.name}")


def _best_runs(ranked: Ranked) -> list[Trial]:
    """The best trials; of those that go on with one another, the best."""
    runs: dict[str, Trial] = {}
    for trial, _ in ranked:
        runs.setdefault(trial.run, trial)
    return list(runs.values())[:_BESIDE]


def _beside(search: Search, ranked: Ranked, dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """The best trials in columns: values and metrics."""
    best, objective = _best_runs(ranked), search.asked.objective
    rows = [(objective, *(number(t.objective or 0.0) for t in best))]
    for d in dimensions:
        values = [t.values.get(d.name) for t in best]
        if any(value is not None for value in values):
            rows.append((d.name, *(brief(value) or "-" for value in values)))
    for name in dict.fromkeys(chain.from_iterable(t.metrics for t in best)):
        if name != objective and name not in SETTINGS:
            rows.append((name, *(_measured(t.metrics.get(name)) for t in best)))
    rows.append(("epoch", *(f"{t.epoch} of {t.epochs}" for t in best)))
    rows.append(("time", *(clock(t.seconds) for t in best)))
    note = "Trials of Hyperband that go on with one another are one."
    return {
        "title": "The best trial" if len(best) == 1 else f"The best {len(best)} side by side",
        "note": note if search.asked.tuner == "hyperband" else "",
        "heads": ("", *(f"trial {t.id}" for t in best)),
        "rows": rows,
    }


def _curves(search: Search, ranked: Ranked) -> list[tuple[str, list[int], list[float]]]:
    curves = []
    for trial in _best_runs(ranked):
        measured = [
            (row.epoch, row.metrics[search.asked.objective])
            for row in run_of(search, trial)
            if math.isfinite(row.metrics.get(search.asked.objective, math.nan))
        ]
        if measured:
            epochs, values = zip(*measured, strict=True)
            curves.append((f"trial {trial.id}", list(epochs), list(values)))
    return curves


def _measured(value: float | None) -> str:
    return "-" if value is None else number(value) if math.isfinite(value) else str(value)


def _reasons(trials: Sequence[Trial]) -> list[tuple[tuple[str, str], list[str]]]:
    """The kinds and reasons of failures with their trials, the most frequent first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        if trial.state == "failed":
            groups.setdefault((trial.kind, " ".join(trial.reason.split())), []).append(trial.id)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _failures(trials: Sequence[Trial]) -> list[tuple[str, str, str]]:
    rows = []
    for (kind, reason), ids in _reasons(trials)[:_REASONS]:
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        reason = reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"
        rows.append((f"{len(ids)}: {', '.join(ids[:_NAMED])}{more}", kind, reason))
    return rows


def _failures_note(trials: Sequence[Trial]) -> str:
    count = len(_reasons(trials))
    return f"The {_REASONS} most frequent reasons of {count}." if count > _REASONS else ""


def _asked(search: Search) -> Iterator[tuple[str, str]]:
    asked = search.asked
    yield "tuner", TUNERS[asked.tuner]
    yield "trials", "as many as the tuner takes" if asked.trials is None else str(asked.trials)
    better = "higher" if asked.direction == "max" else "lower"
    yield "objective", f"{asked.objective}, the {better} the better"
    yield "seed", str(asked.seed)
    yield "workers", str(asked.workers)
    if asked.budget is not None:
        yield "budget", f"{clock(asked.budget)}{', hard' if asked.hard else ''}"
    if asked.sample not in (None, False):
        size = "" if asked.sample is True else f" of {asked.sample}"
        yield "data", f"a generated sample{size}"
    if asked.memory is not None:
        yield "memory of a trial", human(asked.memory)
    if asked.median:
        yield "median rule", "on"
    if asked.declared_first:
        yield "first trial", "the declared values"
    if search.overrides:
        yield "given", " ".join(search.overrides)
