"""report.html: what a search has shown, as the report's template wants it."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from tfpipe.declare.hp import Float, Int
from tfpipe.evaluation.report.page import measured, render, svg
from tfpipe.evaluation.report.search import (
    Scale,
    Scored,
    against,
    learning_curves,
    over_trials,
    parallel,
)
from tfpipe.storage import write_whole
from tfpipe.text import brief, clock
from tfpipe.training.reporting import SETTINGS
from tfpipe.tuning.commands import target_of, train_with_best
from tfpipe.tuning.comparison import in_report, write_pictures
from tfpipe.tuning.dimension import Dimension, dimensions_of
from tfpipe.tuning.importance import evenly, importance
from tfpipe.tuning.store import Search, Trial
from tfpipe.tuning.table import epochs_of, run_of

if TYPE_CHECKING:
    from markupsafe import Markup

Ranked = Sequence[tuple[Trial, float]]

_BESIDE = 5  # trials side by side
_REASONS = 20  # different ones that are listed
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
    """Write report.html, and beside it the figures of a comparison.

    Args:
        search: which.

    Raises:
        RunError: when a trial's record is broken.
        StorageError: when it cannot be written.
    """
    write_whole(search.directory.path / "report.html", report_of(search).encode())
    if search.options.comparison:
        write_pictures(search)


def report_of(search: Search) -> str:
    """Return the text of report.html."""
    trials, dimensions = search.trials(), dimensions_of(search.space)
    counted = [(t, t.objective) for t in search.completed() if t.objective is not None]
    ranked = [(t, value) for t, value in counted if math.isfinite(value)]
    return render(
        "comparison" if search.options.comparison else "search",
        name=search.name,
        kind="search",
        state=search.state,
        reason=search.reason,
        about=f"{target_of(search)} · {TUNERS[search.options.tuner]}",
        facts=_facts(search, trials),
        options=search.options,
        tuner=TUNERS[search.options.tuner],
        given=search.overrides,
        trials=trials,
        dimensions=dimensions,
        best=ranked[0][0] if ranked else None,
        **(in_report(search) if search.options.comparison else {}),
        **(_of_the_ranked(search, trials, ranked, dimensions) if ranked else {}),
        reasons=_reasons(trials),
        most_reasons=_REASONS,
        declaration=json.dumps(search.pipeline, indent=2),
    )


def _of_the_ranked(
    search: Search, trials: Sequence[Trial], ranked: Ranked, dimensions: Sequence[Dimension]
) -> dict[str, Any]:
    """What can be shown once a trial counts: figures, importance, trials side by side."""
    rising = search.options.direction == "max"
    scale = scale_of([value for _, value in ranked])
    numbers = {trial.id: number for number, trial in enumerate(trials, 1)}
    scored = {
        trial.id: Scored(numbers[trial.id], value, trial.state == "stopped", trial is ranked[0][0])
        for trial, value in ranked
    }
    title = f"{search.options.objective} ({'higher' if rising else 'lower'} is better)"
    failed = [numbers[trial.id] for trial in trials if trial.state == "failed"]
    in_order = sorted(scored.values(), key=lambda one: one.number)
    shares = importance(dimensions, [(trial, scale.clip(value)) for trial, value in ranked])
    by_importance = sorted(dimensions, key=lambda d: -shares.shares.get(d.name, 0.0))
    shown = [ranked[place][0] for place in evenly(len(ranked), _DRAWN)]
    best = _best_runs(ranked)
    curves = [curve for trial in best if (curve := _curve(search, trial))[1]]
    return {
        "command": train_with_best(search),
        "marks": " ".join(_marks(ranked, failed, scale)),
        "over_trials": svg(
            f"{title} of each trial", over_trials, in_order, failed, title, scale, rising=rising
        ),
        "importance": shares,
        "ranges": [(d, _against(d, ranked, scored, scale)) for d in by_importance],
        "parallel": svg(
            "Parallel coordinates of the trials",
            parallel,
            [*(d.name for d in dimensions), search.options.objective],
            [*map(_ticks, dimensions), [(0.0, f"{scale.low:.4g}"), (1.0, f"{scale.high:.4g}")]],
            [_line(trial, dimensions, scale) for trial in shown],
        ),
        "beside_heads": ("", *(f"trial {trial.id}" for trial in best)),
        "beside": list(_beside(search, best, dimensions)),
        "curves": svg(
            f"{search.options.objective} in each epoch",
            learning_curves,
            curves,
            search.options.objective,
        )
        if curves
        else None,
    }


def _marks(ranked: Ranked, failed: Sequence[int], scale: Scale) -> Iterator[str]:
    """What a reader should know of the points."""
    if any(trial.state == "stopped" for trial, _ in ranked):
        yield "Hollow points were stopped by the median rule."
    if failed:
        yield "Crosses are trials that failed."
    if outside := sum(not scale.low <= value <= scale.high for _, value in ranked):
        many = f"{outside} trials are" if outside > 1 else "One trial is"
        yield f"{many} far worse than most, and drawn at the edge."


def _facts(search: Search, trials: Sequence[Trial]) -> list[tuple[str, str, str]]:
    states = Counter[str](trial.state for trial in trials)
    planned = f" of {search.options.trials}" if search.options.trials is not None else ""
    detail = ", ".join(f"{states[state]} {state}" for state in _STATES if states[state])
    epochs = sum(len(epochs_of(search, trial)) for trial in trials)
    return [
        ("trials done", f"{sum(trial.over for trial in trials)}{planned}", detail),
        ("searched for", clock(search.active_seconds), ""),
        ("epochs trained", f"{epochs:,}", ""),
    ]


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


def _against(
    dimension: Dimension, ranked: Ranked, scored: dict[str, Scored], scale: Scale
) -> "str | Markup":
    having = [trial for trial, _ in ranked if dimension.name in trial.values]
    having = [having[place] for place in evenly(len(having), _DRAWN)]
    values = [trial.values[dimension.name] for trial in having]
    options: dict[str, Any] = {}
    if isinstance(dimension.range, (Float, Int)):
        options["ends"] = Scale(dimension.range.min, dimension.range.max, dimension.range.log)
    else:
        known = list(dimension.range.labels)
        values = [known.index(value) if value in known else 0 for value in values]
        options["labels"] = [brief(value) for value in known]
    title = f"The objective against {dimension.name}"
    return svg(title, against, values, [scored[t.id] for t in having], scale, **options)


def _ticks(dimension: Dimension) -> list[tuple[float, str]]:
    """What stands beside an axis of the parallel coordinates."""
    given = dimension.range
    values = (given.min, given.max) if isinstance(given, (Float, Int)) else given.labels
    return [(given.position(value), brief(value)) for value in values]


def _line(trial: Trial, dimensions: Sequence[Dimension], scale: Scale) -> list[float | None]:
    """Where a trial's line meets the axes of the parallel coordinates."""
    assert trial.objective is not None
    values = [
        d.range.position(trial.values[d.name]) if d.name in trial.values else None
        for d in dimensions
    ]
    return [*values, scale.share(trial.objective)]


def _best_runs(ranked: Ranked) -> list[Trial]:
    """The best trials; of those that go on with one another, the best."""
    runs: dict[str, Trial] = {}
    for trial, _ in ranked:
        runs.setdefault(trial.run, trial)
    return list(runs.values())[:_BESIDE]


def _beside(
    search: Search, best: Sequence[Trial], dimensions: Sequence[Dimension]
) -> Iterator[tuple[str, ...]]:
    """The rows of a table with a column for each of the best trials."""
    objective = search.options.objective
    yield (objective, *(measured(t.objective) for t in best))
    for d in dimensions:
        if any(d.name in t.values for t in best):
            yield (d.name, *(brief(t.values.get(d.name)) or "-" for t in best))
    for name in dict.fromkeys(chain.from_iterable(t.metrics for t in best)):
        if name != objective and name not in SETTINGS:
            yield (name, *(measured(t.metrics.get(name)) or "-" for t in best))
    yield ("epoch", *(f"{t.epoch} of {t.epochs}" for t in best))
    yield ("time", *(clock(t.seconds) for t in best))


def _curve(search: Search, trial: Trial) -> tuple[str, list[int], list[float]]:
    """A trial's name, its epochs, and the objective after each."""
    objective = search.options.objective
    rows = [
        row for row in run_of(search, trial) if math.isfinite(row.metrics.get(objective, math.nan))
    ]
    return f"trial {trial.id}", [r.epoch for r in rows], [r.metrics[objective] for r in rows]


def _reasons(trials: Sequence[Trial]) -> list[tuple[tuple[str, str], list[str]]]:
    """The kinds and reasons of failures with their trials, the most frequent first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        if trial.state == "failed":
            groups.setdefault((trial.kind, " ".join(trial.reason.split())), []).append(trial.id)
    return sorted(groups.items(), key=lambda group: -len(group[1]))
