"""report.html: what a search has shown, in one file that opens offline.

All that it needs is inside: the charts are SVG, the style is report.css and what follows the mouse
is report.js. Its content security policy lets it fetch nothing.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any

from tfpipe.data.memory import human
from tfpipe.storage import write_whole
from tfpipe.terminal import clock, number
from tfpipe.text import brief
from tfpipe.training.reporting import SETTINGS
from tfpipe.tuning import charts
from tfpipe.tuning.commands import target_of, train_with_best
from tfpipe.tuning.dimension import Dimension
from tfpipe.tuning.importance import importance
from tfpipe.tuning.picture import Picture, picture_of
from tfpipe.tuning.store import Search, Trial
from tfpipe.tuning.svg import Scale, clipped, element
from tfpipe.tuning.table import epochs_of, run_of

_BESIDE = 5  # trials side by side
_REASONS = 20  # different ones that are listed
_LISTED = 12  # trials that are named for one reason
_LONGEST = 600  # letters of a reason
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_TUNERS = {
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
    page = report_of(search).encode()
    write_whole(search.directory.path / "report.html", page)


def report_of(search: Search) -> str:
    """The text of report.html."""
    drawn = picture_of(search)
    sections = [_head(drawn), _headline(drawn), _progress(drawn), _parallel(drawn), _ranges(drawn)]
    sections += [_beside(drawn), _failures(drawn), _asked(drawn)]
    folder = Path(__file__).parent
    style, script = ((folder / f"report.{kind}").read_text("utf-8") for kind in ("css", "js"))
    head = [
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        element("title", escape(f"{search.name} · search")),
        f"<style>\n{style}</style>",
    ]
    body = [
        element("main", *filter(None, sections)),
        '<div id="tip" hidden></div>',
        f'<script type="application/json" id="trials">{_data(drawn)}</script>',
        f"<script>\n{script}</script>",
    ]
    lines = ["<!doctype html>", '<html lang="en">', "<head>", *head, "</head>"]
    return "\n".join([*lines, "<body>", *body, "</body>", "</html>", ""])


def _section(title: str, *content: str, note: str = "") -> str:
    said = element("p", note, class_="note") if note else ""
    return "\n" + element("section", element("h2", escape(title)), said, *content)


def _head(drawn: Picture) -> str:
    search = drawn.search
    about = f"{target_of(search)} · {_TUNERS[search.asked.tuner]}"
    reason = element("p", escape(search.reason), class_="reason") if search.reason else ""
    return element(
        "header",
        element("h1", escape(search.name), element("b", search.state, class_=search.state)),
        element("p", escape(about)),
        reason,
    )


def _headline(drawn: Picture) -> str:
    """The best value with its settings, how to train with them, and the search in numbers."""
    asked = drawn.search.asked
    tiles = _tiles(drawn)
    if not drawn.ranked:
        words = element("p", _nothing(drawn), class_="empty")
        return element("div", words, tiles, class_="headline")
    best, value = drawn.ranked[0]
    named = element("small", escape(f"best {asked.objective}"))
    at = element("small", escape(f"trial {best.id}, epoch {best.epoch}"))
    command = train_with_best(drawn.search)
    found = element("div", named, element("strong", number(value)), at, class_="value")
    rows = "".join(_setting(axis.name, axis.declared, best) for axis in drawn.axes)
    titles = "".join(element("th", title) for title in ("range", "best", "declared"))
    table = element("table", element("tr", titles), rows)
    return element(
        "div",
        element("div", found, _scrolled(table), class_="best-of"),
        tiles,
        element("p", "Train fully with these values: ", element("code", escape(command))),
        class_="headline",
    )


def _nothing(drawn: Picture) -> str:
    """What to say where no trial counts."""
    failed = sum(trial.state == "failed" for trial in drawn.trials)
    if failed and failed == len(drawn.trials):
        return "No trial has finished: all of them failed." if failed > 1 else "The trial failed."
    return "No trial has finished yet." if drawn.trials else "There is no trial yet."


def _setting(name: str, declared: Any, best: Trial) -> str:
    if name not in best.values:
        return ""
    value = best.values[name]
    style = "differs" if value != declared else None
    cells = element("td", escape(brief(value))), element("td", escape(brief(declared)))
    return element("tr", element("th", escape(name)), *cells, class_=style)


def _tiles(drawn: Picture) -> str:
    search, states = drawn.search, Counter[str](trial.state for trial in drawn.trials)
    asked = f" of {search.asked.trials}" if search.asked.trials is not None else ""
    done = sum(trial.over for trial in drawn.trials)
    parts = [f"{states[s]} {s}" for s in _STATES if states[s]]
    epochs = sum(len(epochs_of(search, trial)) for trial in drawn.trials)
    tiles = [
        ("trials done", f"{done}{asked}", ", ".join(parts)),
        ("searched for", clock(search.active_seconds), ""),
        ("epochs trained", f"{epochs:,}", ""),
    ]
    return element("dl", *(_tile(*tile) for tile in tiles))


_STATES = ("finished", "stopped", "failed", "interrupted", "running")


def _tile(name: str, value: str, detail: str) -> str:
    small = element("small", escape(detail)) if detail else ""
    return element("div", element("dt", name), element("dd", escape(value), small))


def _progress(drawn: Picture) -> str:
    if not any(trial.id in drawn.times for trial in drawn.trials):
        return ""
    figures = element("div", charts.over_trials(drawn), charts.over_time(drawn), class_="two")
    if not drawn.ranked:
        return _section("Objective", figures)
    note = "Each point is a trial, the line is the best so far."
    if any(trial.state == "stopped" for trial, _ in drawn.ranked):
        note += " Hollow points were stopped by the median rule."
    if drawn.search.asked.tuner == "hyperband":
        note += " Hyperband trains few trials for all epochs, and most for some."
    if drawn.outside:
        many = len(drawn.outside) > 1
        said = f"{len(drawn.outside)} trials are" if many else "One trial is"
        note += f" {said} far worse than most, and drawn at the edge."
    return _section("Objective", figures, note=f"{note} {charts.legend(drawn)}")


def _parallel(drawn: Picture) -> str:
    if not drawn.ranked:
        return ""
    note = (
        "Each line is a trial, from its values to its objective; the best is orange. "
        f"{charts.legend(drawn)}"
    )
    return _section("Parallel coordinates", _scrolled(charts.parallel(drawn)), note=note)


def _ranges(drawn: Picture) -> str:
    """Each range against the objective, the most important first."""
    if not drawn.ranked:
        return ""
    scale = drawn.scale
    inside = [(t, min(max(v, scale.low), scale.high)) for t, v in drawn.ranked]
    found = importance(drawn.axes, inside)
    ordered = sorted(drawn.axes, key=lambda axis: -found.shares.get(axis.name, 0.0))
    figures = []
    for axis in ordered:
        share = found.shares.get(axis.name)
        title = element("b", escape(axis.name))
        title += "" if share is None else element("span", f"{share:.0%}")
        bar = "" if share is None else _bar(share)
        bar += element("small", escape(f"where {_where(axis)}")) if axis.when else ""
        drawing = charts.against(drawn, axis)
        figures.append(element("figure", element("figcaption", title, bar), drawing))
    note = escape(found.note)
    if found.shares:
        note = (
            "The percentages are the importance of each range to a random forest "
            f"(RandomForestRegressor of scikit-learn, permutation importance). {note}"
        )
    if any(not axis.numeric for axis in drawn.axes):
        note += " A bar is the median of a value's trials."
    return _section(
        f"Each range against {drawn.search.asked.objective}",
        element("div", *figures, class_="many"),
        note=note,
    )


def _bar(share: float) -> str:
    full = element("rect", width=100, height=4, class_="rail")
    part = element("rect", width=round(100 * share, 1), height=4, class_="part")
    attributes = {"viewBox": "0 0 100 4", "preserveAspectRatio": "none", "class_": "bar"}
    return element("svg", full, part, aria_hidden="true", **attributes)


def _beside(drawn: Picture) -> str:
    """The best trials in columns: values, metrics, learning curves."""
    if not drawn.ranked:
        return ""
    runs_of: dict[str, Trial] = {}  # trials that go on with one another are one
    for trial, _ in drawn.ranked:
        runs_of.setdefault(trial.run, trial)
    best = list(runs_of.values())[:_BESIDE]
    head = [element("th", "")] + [element("th", f"trial {t.id}", data_t=t.id) for t in best]
    rows = [element("tr", *head), *_values_beside(drawn, best), *_metrics_beside(drawn, best)]
    rows.append(_row("epoch", [f"{t.epoch} of {t.epochs}" for t in best]))
    rows.append(_row("time", [clock(t.seconds) for t in best]))
    rows.append(element("tr", element("th", "learning curve"), *_curves(drawn, best)))
    title = "The best trial" if len(best) == 1 else f"The best {len(best)} side by side"
    objective, training = drawn.search.asked.objective, ""
    if charts.training_of(objective):
        training = f", dashed the same in training ({charts.training_of(objective)})"
    note = f"Values that differ are marked. Curves: {objective} in each epoch{training}."
    table = element("table", *rows, class_="beside")
    return _section(title, _scrolled(table), note=escape(note))


def _values_beside(drawn: Picture, best: Sequence[Trial]) -> Iterator[str]:
    for axis in drawn.axes:
        values = [t.values.get(axis.name) for t in best]
        if any(value is not None for value in values):
            differs = any(value != values[0] for value in values)
            yield _row(axis.name, [brief(v) or "-" for v in values], "differs" if differs else None)


def _metrics_beside(drawn: Picture, best: Sequence[Trial]) -> Iterator[str]:
    objective = drawn.search.asked.objective
    yield _row(objective, [number(t.objective or 0.0) for t in best], "objective")
    names = dict.fromkeys(chain.from_iterable(t.metrics for t in best))
    for name in names:
        if name != objective and name not in SETTINGS:
            yield _row(name, [_measured(t.metrics.get(name)) for t in best])


def _measured(value: float | None) -> str:
    return "-" if value is None else number(value) if math.isfinite(value) else str(value)


def _row(name: str, cells: Iterable[str], style: str | None = None) -> str:
    written = (element("td", escape(cell)) for cell in cells)
    return element("tr", element("th", escape(name)), *written, class_=style)


def _curves(drawn: Picture, best: Sequence[Trial]) -> Iterator[str]:
    """The learning curves, on the same axes."""
    search, objective = drawn.search, drawn.search.asked.objective
    known = [run_of(search, trial) for trial in best]
    names = {objective, charts.training_of(objective)}
    values = [
        row.metrics[name]
        for rows in known
        for row in rows
        for name in names
        if math.isfinite(row.metrics.get(name, math.nan))
    ]
    if not values:
        yield from (element("td", "-") for _ in best)
        return
    room = 0.06 * (max(values) - min(values)) or 0.05
    scale = Scale(min(values) - room, max(values) + room)
    epochs = max(row.epoch for rows in known for row in rows)
    for trial, rows in zip(best, known, strict=True):
        yield element("td", charts.curves(rows, objective, scale, epochs, trial.epoch))


def _failures(drawn: Picture) -> str:
    """Why trials failed, the most frequent reason first."""
    failed = [trial for trial in drawn.trials if trial.state == "failed"]
    if not failed:
        return ""
    groups: dict[tuple[str, str], list[str]] = {}
    for trial in failed:
        groups.setdefault((trial.kind, " ".join(trial.reason.split())), []).append(trial.id)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    titles = "".join(element("th", title) for title in ("trials", "kind", "reason"))
    rows = [element("tr", titles)]
    for (kind, reason), trials in ordered[:_REASONS]:
        more = f" and {len(trials) - _LISTED} more" if len(trials) > _LISTED else ""
        named = f"{len(trials)}: {', '.join(trials[:_LISTED])}{more}"
        cells = (named, kind, clipped(reason, _LONGEST))
        rows.append(element("tr", *(element("td", escape(cell)) for cell in cells)))
    left = len(ordered) - _REASONS
    note = f"The {_REASONS} most frequent reasons of {len(ordered)}." if left > 0 else ""
    table = element("table", *rows, class_="failures")
    return _section("Failures", _scrolled(table), note=note)


def _asked(drawn: Picture) -> str:
    """What was asked: the search's settings, the ranges and the declaration."""
    search = drawn.search
    facts = element("table", *(_row(n, [v]) for n, v in _facts(search)), class_="facts")
    titles = "".join(element("th", title) for title in ("range", "values", "declared", "where"))
    rows = [element("tr", titles)]
    for axis in drawn.axes:
        rows.append(_row(axis.name, [axis.described(), brief(axis.declared), _where(axis)]))
    declaration = escape(json.dumps(search.pipeline, indent=2))
    whole = element("details", element("summary", "The declaration"), element("pre", declaration))
    ranges = element("table", *rows, class_="ranges")
    links = ("table.csv", "all trials"), ("search.json", "what was asked")
    listed = [f"{element('a', file, href=file)} ({what})" for file, what in links]
    note = f"Beside this file: {', '.join(listed)}, trials/ (a run of each)."
    return _section("What was asked", _scrolled(facts), _scrolled(ranges), whole, note=note)


def _where(axis: Dimension) -> str:
    """In which trials there is such a value."""
    return ", ".join(f"{name} is {brief(value)}" for name, value in axis.when)


def _facts(search: Search) -> Iterator[tuple[str, str]]:
    asked = search.asked
    yield "tuner", _TUNERS[asked.tuner]
    yield "trials", "as many as the tuner takes" if asked.trials is None else str(asked.trials)
    yield "objective", f"{asked.objective}, the {_BETTER[asked.direction]} the better"
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


_BETTER = {"max": "higher", "min": "lower"}


def _scrolled(content: str) -> str:
    """Something wide, which scrolls by itself on a narrow screen."""
    return element("div", content, class_="scroll")


def _data(drawn: Picture) -> str:
    """What report.js shows of a trial, as JSON that cannot end the script that it stands in."""
    names = [axis.name for axis in drawn.axes]
    trials = {trial.id: _told(trial, names) for trial in drawn.trials if trial.over}
    data = {"objective": drawn.search.asked.objective, "names": names, "trials": trials}
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _told(trial: Trial, names: Sequence[str]) -> list[Any]:
    objective = number(trial.objective) if trial.objective is not None else ""
    reason = clipped(" ".join(trial.reason.split()), 160) if trial.state == "failed" else ""
    values = [brief(trial.values.get(name)) for name in names]
    return [trial.state, objective, f"{trial.epoch} of {trial.epochs}", reason, values]
