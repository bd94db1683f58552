"""What a person sees of a comparison: a header, a line for each network, a table, what is next."""

import shlex
from pathlib import Path

from rich.markup import escape

from tfpipe.data.memory import human
from tfpipe.declare.loading import Loaded, shown
from tfpipe.errors import TrainingError
from tfpipe.models.pretrained.contracts import contract_of
from tfpipe.storage import write_whole
from tfpipe.terminal import Terminal, clock
from tfpipe.verbs.comparison import Comparison, Entry, Numbers
from tfpipe.verbs.networks import listed

_MEASURED = (
    "Step: the median of all but the first ones; with features, a batch through the base and a "
    "step of the head together. base/s, later/s: images a second through the base, and in the "
    "epochs after the first. Memory: the most that the network's own process held."
)


def header(comparison: Comparison, loaded: Loaded, terminal: Terminal) -> None:
    """What is compared, where it is written and how it is trained."""
    terminal.header(
        f"{comparison.directory.path.parent.name} · compare-models", _facts(comparison, loaded)
    )
    terminal.say()


def _facts(comparison: Comparison, loaded: Loaded) -> dict[str, str]:
    data = loaded.pipeline.data
    source = str(getattr(data, "name", type(data).__name__))
    share = comparison.data_fraction
    done = sum(not entry.open for entry in comparison.entries)
    names = listed(entry.network for entry in comparison.entries)
    return {
        "directory": str(comparison.directory.path),
        "data": ("generated in place of " if comparison.sample else "")
        + source
        + (f" · {share:.4g} of the training samples" if share < 1 else ""),
        "networks": f"{len(comparison.entries)}: {names}" + (f" · {done} done" if done else ""),
        "training": comparison.training,
    }


def write_report(comparison: Comparison, loaded: Loaded) -> None:
    """Write report.html and its figures, once a network is finished.

    Args:
        comparison: which.
        loaded: its pipeline.

    Raises:
        StorageError: when it cannot be written.
    """
    ranking = comparison.ranking()
    if not ranking:
        return
    from tfpipe.evaluation.report.comparison import Network, comparison_files

    networks = [
        Network(
            entry.network,
            contract_of(entry.network).family,
            numbers.accuracy,
            numbers.parameters,
            numbers.step_seconds,
        )
        for entry, numbers in ranking
    ]
    files = comparison_files(
        comparison.name,
        networks,
        facts=_facts(comparison, loaded),
        heads=_COLUMNS,
        rows=[_cells(entry, numbers) for entry, numbers in ranking],
        measured=_MEASURED,
        failures=[(e.network, e.reason) for e in comparison.entries if e.state == "failed"],
    )
    for file, data in files:
        write_whole(comparison.directory.path / file, data)


def line(label: str, entry: Entry) -> str:
    """What became of a network, in a line of rich's markup."""
    name = f"{label} {entry.network:<18}"
    if entry.numbers is None or entry.state == "failed":
        return f"{name} [red]failed[/]  {escape(entry.reason)}"
    numbers = entry.numbers
    facts = [
        f"val acc [bold]{numbers.accuracy:.4f}[/]",
        f"{numbers.parameters:>11,} parameters",
        f"{_milliseconds(numbers.step_seconds)} ms a step",
        clock(numbers.seconds),
        *(f"[yellow]{escape(note)}[/]" for note in entry.notes),
    ]
    return f"{name} " + "  ".join(facts)


def _milliseconds(seconds: float | None) -> str:
    return "?" if seconds is None else f"{1000 * seconds:,.1f}"


def summary(comparison: Comparison, terminal: Terminal) -> None:
    """The final table by accuracy, what was saved, and what to do next.

    Raises:
        TrainingError: when not one network could be trained.
    """
    ranking = comparison.ranking()
    failed = [entry for entry in comparison.entries if entry.state == "failed"]
    if not ranking:
        raise TrainingError(
            f"Not one of the {len(failed)} networks could be trained. {failed[0].network}: "
            f"{failed[0].reason}"
        )
    terminal.say()
    terminal.table(_COLUMNS, [_cells(entry, numbers) for entry, numbers in ranking])
    for entry in failed:
        terminal.note(f"{entry.network} failed: {entry.reason}")
    terminal.say()
    terminal.say(f"[dim]{_MEASURED}[/]")
    if saving := _saving(ranking):
        terminal.say(saving)
    best = ranking[0][0]
    terminal.say(f"table.csv and report.html are in [bold]{comparison.directory.path}[/]")
    terminal.say(
        f"{best.network} with its head is [bold]{comparison.root / best.model}[/], for "
        "keras.models.load_model"
    )
    terminal.say()
    terminal.commands(_next(comparison, best))


_COLUMNS = (
    *("network", "val acc", "parameters", "trained", "step ms", "time", "features", "training"),
    *("base/s", "later/s", "memory"),
)


def _cells(entry: Entry, numbers: Numbers) -> tuple[str, ...]:
    features = numbers.features_seconds
    base = numbers.images_per_second_base
    return (
        entry.network,
        f"{numbers.accuracy:.4f}",
        f"{numbers.parameters:,}",
        f"{numbers.trainable_parameters:,}",
        _milliseconds(numbers.step_seconds),
        clock(numbers.seconds),
        "" if features is None else f"{features:.1f} s",
        f"{numbers.training_seconds:.1f} s",
        "" if base is None else f"{base:,.0f}",
        f"{numbers.images_per_second_later:,.0f}",
        human(numbers.peak_bytes),
    )


def _saving(ranking: list[tuple[Entry, Numbers]]) -> str:
    """What the features saved, in a sentence; empty where there were none."""
    cached = [n for _, n in ranking if n.features_seconds is not None]
    rates = [(n.images_per_second_base, n.images_per_second_later) for n in cached]
    faster = sorted(later / base for base, later in rates if base)
    if not faster:
        return ""
    spent = sum(n.features_seconds or 0.0 for n in cached)
    trained = sum(n.training_seconds for n in cached)
    return (
        f"The bases ran once, in {clock(spent)}; training on their features took {clock(trained)}. "
        f"Each further epoch trains {_times(faster[0])} to {_times(faster[-1])} times as many "
        "images a second as the base answers."
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _next(comparison: Comparison, best: Entry) -> list[tuple[str, str]]:
    """The next useful commands."""
    run = Path(best.run).relative_to("runs")
    return [
        (f"tfpipe runs show {run}{_at(comparison)}", "the best run"),
        (_longer(comparison, best), "train the best one longer"),
        *_retry(comparison),
    ]


def _longer(comparison: Comparison, best: Entry) -> str:
    """The command that trains a network in a run of its own, as it was declared here."""
    file, _, cls = comparison.target.rpartition("::")
    replaced = ("epochs", "model.name")
    kept = [t for t in comparison.overrides if t.partition("=")[0].strip() not in replaced]
    words = ["tfpipe", "run", f"{shown(Path(file))}::{cls}", *kept, f"model.name={best.network}"]
    return shlex.join([*words, "epochs=20"]) + _at(comparison)


def _retry(comparison: Comparison) -> list[tuple[str, str]]:
    if all(entry.state != "failed" for entry in comparison.entries):
        return []
    command = f"tfpipe compare-models --resume {comparison.name} --retry-failed{_at(comparison)}"
    return [(command, "train again what failed")]


def _at(comparison: Comparison) -> str:
    return "" if comparison.root == Path(".") else f" --root {comparison.root}"


def how_to_go_on(comparison: Comparison, terminal: Terminal) -> None:
    """The command that goes on with a comparison that was stopped."""
    terminal.say()
    command = f"tfpipe compare-models --resume {comparison.name}{_at(comparison)}"
    terminal.commands([(command, "go on from here")])
