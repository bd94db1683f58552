"""What a person sees of a search's trials: a line for each, the best ones, why others failed."""

from collections.abc import Iterable, Sequence

from rich.markup import escape

from tfpipe.terminal import SHORT
from tfpipe.text import brief, clock, counted, first_sentence, number
from tfpipe.tuning.dimension import dimensions_of
from tfpipe.tuning.store import Search, Trial

_COLUMNS = 6  # more ranges than that share one column of the table


def line(label: str, trial: Trial, search: Search, best: bool = False) -> str:
    """What became of a trial, in a line of rich's markup.

    Args:
        label: which of how many, and the space after it: "3/12  ".
        trial: the trial.
        search: its search.
        best: whether it is the best so far.
    """
    values = escape(values_of(trial, search))
    name = f"{label}trial {trial.id}"
    if trial.state == "failed":
        kind = f" ({escape(trial.kind)})" if trial.kind else ""
        return f"{name}  [red]failed{kind}[/]  {values}  {escape(first_sentence(trial.reason))}"
    if not trial.completed:
        return f"{name}  [yellow]interrupted[/]  {clock(trial.seconds)}  {values}"
    facts = [
        f"{result(trial, search)} at epoch {trial.epoch} of {trial.epochs}",
        *(["[yellow]stopped by the median rule[/]"] if trial.state == "stopped" else []),
        clock(trial.seconds),
        values,
        *(["[green]the best so far[/]"] if best else []),
    ]
    return f"{name}  " + "  ".join(facts)


def result(trial: Trial, search: Search) -> str:
    """The objective of a trial, in rich's markup."""
    objective = search.options.objective
    return f"{escape(SHORT.get(objective, objective))} [bold]{number(trial.objective or 0.0)}[/]"


def values_of(trial: Trial, search: Search) -> str:
    """The values of a trial on one line, by names as short as can be."""
    names = names_in(search)
    return " ".join(f"{names.get(n, n)}={brief(value)}" for n, value in trial.values.items())


def names_in(search: Search) -> dict[str, str]:
    """The ranges of a search by their names as short as can be."""
    return short_names([dimension.name for dimension in dimensions_of(search.space)])


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each dotted name by the shortest end of it that no other name has.

    Example:
        >>> short_names(["optimizer.learning_rate", "model.dropout"])
        {'optimizer.learning_rate': 'learning_rate', 'model.dropout': 'dropout'}
    """
    ends = {name: _ends(name) for name in names}
    names_by_end = {}
    for name, own in ends.items():
        others = {end for other, among in ends.items() if other != name for end in among}
        apart = (end for end in own if end not in others and not end[0].isdigit())
        names_by_end[name] = next(apart, name)
    return names_by_end


def _ends(name: str) -> list[str]:
    """The ends of a dotted name, the shortest first; a dot inside of brackets parts nothing."""
    starts, depth = [], 0
    for place, letter in enumerate(name):
        depth += (letter in "([") - (letter in ")]")
        if letter == "." and not depth:
            starts.append(place + 1)
    return [*(name[start:] for start in reversed(starts)), name]


def states(trials: Sequence[Trial], killed: bool = False) -> str:
    """How many trials are in which state.

    Args:
        trials: them.
        killed: whether the processes of those that say that they run are gone.
    """
    words = {
        "finished": "finished",
        "stopped": "stopped by the median rule",
        "failed": "failed",
        "interrupted": "interrupted",
        "running": "killed while it was running" if killed else "running",
    }
    counts = {state: sum(trial.state == state for trial in trials) for state in words}
    return ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)


def table(search: Search, trials: Sequence[Trial]) -> tuple[list[str], list[list[str]]]:
    """The columns and rows that compare some trials of a search."""
    names, objective = names_in(search), search.options.objective
    columns = ["trial", SHORT.get(objective, objective), "epoch", "time"]
    rows = [[t.id, number(t.objective or 0.0), f"{t.epoch}", clock(t.seconds)] for t in trials]
    if len(names) > _COLUMNS:
        texts = [[values_of(trial, search)] for trial in trials]
        columns += ["values"]
    else:
        texts = [[brief(trial.values.get(name)) for name in names] for trial in trials]
        columns += names.values()
    return columns, [row + text for row, text in zip(rows, texts, strict=True)]


def failures(trials: Iterable[Trial], reported: str = "") -> list[str]:
    """The failed trials by the kind of failure, each kind with its first reason.

    Args:
        trials: of any state.
        reported: what has been said already; a reason in it is not said at length again.
    """
    kinds: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.state == "failed":
            kinds.setdefault(trial.kind, []).append(trial)
    texts = []
    for kind, among in kinds.items():
        reason = among[0].reason
        shown_reason = first_sentence(reason) if reason in reported else " ".join(reason.split())
        which = f" ({kind})" if kind else ""
        texts.append(
            f"{counted(len(among), 'trial')} failed{which}: {shown_reason} (trial {among[0].id})"
        )
    return texts
