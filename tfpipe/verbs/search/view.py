"""What a person sees of a search: a header, how far it is, a line for each trial, what is next.

On a terminal a few lines below the ended trials change while the search goes on; piped, there is
one plain line for each trial that has ended.
"""

import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from tfpipe.declare.field_types import Duration
from tfpipe.errors import TrainingError
from tfpipe.terminal import Terminal
from tfpipe.text import byte_size, clock
from tfpipe.tuning.commands import kept, target_of, train_with_best
from tfpipe.tuning.dimension import dimensions_of
from tfpipe.tuning.report import TUNERS
from tfpipe.tuning.store import Search, Trial
from tfpipe.verbs.search.trial_view import (
    counted,
    failures,
    line,
    result,
    states,
    table,
    values_of,
)

_LISTED = 5  # of the best trials
_OFTEN = 0.1  # seconds between two drawings


def header(search: Search, terminal: Terminal, total: int | None = None) -> None:
    """What is searched, where it is written and how.

    Args:
        search: which.
        terminal: where to tell.
        total: how many trials there will be; `search.options.trials` when None.
    """
    terminal.header(f"{search.directory.path.parent.name} · search", _facts(search, total))
    terminal.say()


def _facts(search: Search, total: int | None) -> dict[str, str]:
    options = search.options
    better = "highest" if options.direction == "max" else "lowest"
    facts = {
        "directory": str(search.directory.path),
        "pipeline": " ".join([target_of(search), *kept(search, ())]),
        "tuner": " · ".join(_tuner(search, total)),
        "objective": f"{options.objective}, the {better}; of a trial its best epoch counts",
    }
    if options.sample:
        facts["data"] = "generated in place of the declared data"
    dimensions = dimensions_of(search.space)
    width = max((len(d.name) for d in dimensions), default=0)
    ranges = [
        f"{d.name:<{width}}  {d.range.describe()}" + (f", where {d.conditions()}" * bool(d.when))
        for d in dimensions
    ]
    indent = "\n" + " " * (4 + len("directory"))
    return facts | {"ranges": indent.join(ranges)}


def _tuner(search: Search, total: int | None) -> list[str]:
    options = search.options
    trials = total or options.trials
    words = [TUNERS[options.tuner]]
    words += [counted(trials, "trial") + _done(search)] if trials else []
    words += [f"at most {Duration(options.budget)}"] if options.budget else []
    words += [f"{options.workers} at a time"] if options.workers > 1 else []
    words += [f"seed {options.seed}"]
    words += ["the declared values first"] if options.declared_first else []
    words += ["hopeless trials are stopped (median rule)"] if options.median else []
    words += [f"at most {byte_size(options.memory)} of memory a trial"] if options.memory else []
    return words


def _done(search: Search) -> str:
    done = sum(trial.over for trial in search.trials())
    return f", {done} done" if done else ""


class SearchView:
    """Shows how a search goes; what `tfpipe.tuning.scheduler.ProgressReporter` asks for.

    Args:
        terminal: where to tell.
        search: which.
        total: how many trials there will be; None where there is no end of them.
        epochs: how many epochs they train together, where the tuner decides how long each trains.
        now: seconds, rising.

    Example:
        with SearchView(terminal, search, 12) as view:
            Scheduler(search, proposals, view, pool, records).run(slots, stops)
    """

    def __init__(
        self,
        terminal: Terminal,
        search: Search,
        total: int | None = None,
        epochs: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal, self._search, self._now = terminal, search, now
        self._total, self._epochs = total, epochs
        self._trials = {trial.id: trial for trial in search.trials()}
        self._since: dict[str, float] = {}
        self._spent, self._began = search.active_seconds, now()
        self._live: Live | None = None
        self._drawn = float("-inf")

    def __enter__(self) -> "SearchView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def began(self, trial: Trial) -> None:
        """A trial is begun, or taken up again."""
        self._trials[trial.id] = trial
        self._since[trial.id] = self._now() - trial.seconds  # of earlier attempts

    def ended(self, trial: Trial) -> None:
        """A trial is over, or interrupted."""
        self._trials[trial.id] = trial
        self._since.pop(trial.id, None)
        self._drawn = float("-inf")  # what is drawn is no longer so
        self._terminal.say(line(self._label(), trial, self._search, trial is self.best))

    def tick(self, running: Mapping[str, str]) -> None:
        """A moment has gone by.

        Args:
            running: what each running trial is doing, by its number.
        """
        now = self._now()
        if not self._terminal.live or now - self._drawn < _OFTEN:
            return
        self._drawn = now
        if self._live is None:
            console = self._terminal.console
            self._live = Live(console=console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(Group(*map(_one_line, self.lines(running))), refresh=True)

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._terminal.note(text)

    def close(self) -> None:
        """Take the changing lines away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    @property
    def best(self) -> Trial | None:
        """The best trial so far; of equal ones the first."""
        sign = -1.0 if self._search.options.direction == "max" else 1.0
        completed = [trial for trial in self._trials.values() if trial.completed]
        return min(completed, key=lambda t: (sign * (t.objective or 0.0), t.id), default=None)

    def lines(self, running: Mapping[str, str]) -> list[str]:
        """The lines that change, in rich's markup: the count, the best so far, what runs.

        Args:
            running: what each running trial is doing, by its number.
        """
        lines = [self._count(len(running))]
        if self._total is not None and self.best is not None:
            values = escape(values_of(self.best, self._search))
            lines.append(f"best  {result(self.best, self._search)}  trial {self.best.id}  {values}")
        for one, doing in sorted(running.items()):
            trial = self._trials.get(one)
            values = escape(values_of(trial, self._search)) if trial else ""
            lines.append(f"[dim]trial {one}[/]  {escape(doing)}  [dim]{values}[/]")
        return lines

    def _label(self) -> str:
        """Which of how many trials has ended; nothing where there is no end of them."""
        if self._total is None:
            return ""
        return f"{len(self._over()):>{len(str(self._total))}}/{self._total}  "

    def _count(self, running: int) -> str:
        if self._total is None:
            return f"{running} running"
        over = self._over()
        failed = sum(trial.state == "failed" for trial in over)
        left = self.seconds_left()
        words = [
            f"{len(over)} of {self._total} trials done",
            f"{running} running",
            *([f"[red]{failed} failed[/]"] if failed else []),
            *([] if left is None else [f"about {clock(left)} left"]),
        ]
        if self._by_budget() <= 0:
            hard = self._search.options.hard
            words[-1] = f"the budget is used up: what runs is {'stopped' if hard else 'finished'}"
        return " · ".join(words)

    def _over(self) -> list[Trial]:
        return [trial for trial in self._trials.values() if trial.over]

    def seconds_left(self) -> float | None:
        """How long the search will go on; None while that cannot be said.

        What a trial takes is taken to be the mean so far; a budget ends it earlier.
        """
        seconds = max(0.0, min(self._by_trials(), self._by_budget()))
        return None if seconds == float("inf") else seconds

    def _by_budget(self) -> float:
        budget = self._search.options.budget
        if budget is None:
            return float("inf")
        return budget - self._spent - (self._now() - self._began)

    def _by_trials(self) -> float:
        """By the work that is left: trials, or epochs where trials are not equally long."""
        over = self._over()
        if self._total is None or not any(trial.completed for trial in over):
            return float("inf")
        took = sum(trial.seconds for trial in over)
        elapsed = {one: self._now() - since for one, since in self._since.items()}
        at_once = max(self._search.options.workers, len(elapsed), 1)
        if self._epochs is not None:
            done = sum(trial.epochs - trial.first_epoch for trial in over)
            return (took / max(1, done) * (self._epochs - done) - sum(elapsed.values())) / at_once
        mean = took / len(over)
        rests = [max(0.0, mean - seconds) for seconds in elapsed.values()]
        waiting = max(0, self._total - len(over) - len(rests))
        return max((waiting * mean + sum(rests)) / at_once, *rests, 0.0)


def summary(search: Search, terminal: Terminal) -> None:
    """How a search that has ended went, its best trials, and what to do next.

    Raises:
        TrainingError: when trials failed, and not one was trained to its end.
    """
    trials = search.trials()
    failed = [trial for trial in trials if trial.state == "failed"]
    if failed and not search.completed():
        raise TrainingError(
            f"Not one of the {counted(len(trials), 'trial')} was trained to its end. Trial "
            f"{failed[-1].id}: {failed[-1].reason}"
        )
    terminal.say()
    report(search, terminal)


def report(search: Search, terminal: Terminal) -> None:
    """The trials so far: how many, the best ones, why others failed, and what to do next."""
    trials = search.trials()
    by_run: dict[str, Trial] = {}  # trials that go on with a run may have the same best epoch
    for trial in search.completed():
        by_run.setdefault(trial.run, trial)
    best = list(by_run.values())[:_LISTED]
    took = f" in {clock(search.active_seconds)}" if search.active_seconds else ""
    counts = states(trials, killed=state_of(search) == "killed")
    terminal.say(f"{counted(len(trials), 'trial')}{took}" + (f": {counts}" if counts else ""))
    if search.reason:
        terminal.note(search.reason)
    if best:
        terminal.say()
        terminal.table(*table(search, best))
    for text in failures(trials, search.reason):
        terminal.note(text)
    terminal.say()
    if best:
        folder = escape(str(search.directory.path))
        terminal.say(f"best.json, table.csv and report.html are in [bold]{folder}[/]")
        terminal.say()
    terminal.commands(_next(search, bool(best)))


def _next(search: Search, has_best: bool) -> list[tuple[str, str]]:
    """The next useful commands."""
    run = train_with_best(search)
    logs = shlex.join(["tfpipe", "tensorboard", search.name]) + _at(search)
    return [
        *([(run, "train fully with the best values")] if has_best else []),
        *([(logs, "the curves and values of all trials")] if has_best else []),
        *_further(search),
    ]


def _further(search: Search) -> list[tuple[str, str]]:
    """The command that goes on with a search, where there is more to do."""
    command, budget = _resume(search), search.options.budget
    if state_of(search) == "running":
        return []
    if search.state == "interrupted" and budget and search.active_seconds >= budget:
        more = f"{command} --budget {Duration(2 * budget)}"
        return [(more + _at(search), "go on for as long again")]
    if search.state != "finished" or any(not trial.over for trial in search.trials()):
        return [(command + _at(search), "go on from here")]
    trials, size = search.options.trials, search.space.get("size")
    if trials and search.options.tuner in ("random", "bayesian") and (not size or size > trials):
        more = f"{command} --trials {min(2 * trials, size or 2 * trials)}"
        return [(more + _at(search), "more trials")]
    return []


def show_resume_command(search: Search, terminal: Terminal) -> None:
    """The command that goes on with a search that was stopped."""
    terminal.say()
    terminal.commands([(_resume(search) + _at(search), "go on from here")])


def state_of(search: Search) -> str:
    """The state of a search; "killed" where it runs by its own account and no process is at it."""
    killed = search.state == "running" and not search.directory.is_active()
    return "killed" if killed else search.state


def show(search: Search, terminal: Terminal) -> None:
    """A search as its directory has it."""
    facts = {"state": state_of(search)} | _facts(search, None)
    terminal.header(f"{search.name} · search", facts)
    terminal.say()
    report(search, terminal)


def _resume(search: Search) -> str:
    return f"tfpipe search --resume {shlex.quote(search.name)}"


def _at(search: Search) -> str:
    return "" if search.root == Path(".") else f" --root {shlex.quote(str(search.root))}"


def _one_line(markup: str) -> Text:
    text = Text.from_markup(markup, overflow="ellipsis")
    text.no_wrap = True
    return text
