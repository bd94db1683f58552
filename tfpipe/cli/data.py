"""`tfpipe data`: a look at data before a model has one."""

import sys
from pathlib import Path
from typing import Any

import click

from tfpipe.cli.options import (
    SampleCommand,
    debug_option,
    json_option,
    pipeline_arguments,
    pipeline_words,
    print_json,
    root_option,
    sample_option,
    sample_size,
)

_BAR = 30  # columns of the longest bar
_MOST = 20  # classes on a terminal


@click.group("data")
def command() -> None:
    """Look at the data of FILE, and measure how fast it comes."""


@command.command("show", cls=SampleCommand)
@pipeline_arguments
@sample_option
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="SPLIT",
    help="Read this split alone, or these; all of them without.",
)
@click.option(
    "--grid", type=click.IntRange(1, 200), default=16, metavar="N", help="Samples shown; 16."
)
@click.option(
    "--compare",
    type=click.IntRange(0),
    metavar="N",
    help="Images of each split that are compared for near duplicates; 10,000.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the page is written, with its figures; reports/NAME/data.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the page alone, to this file.",
)
@root_option
@json_option
@debug_option
def show(
    file: str,
    overrides: tuple[str, ...],
    sample: int | None,
    splits: tuple[str, ...],
    grid: int,
    compare: int | None,
    out: Path | None,
    html: Path | None,
    root: Path,
    as_json: bool,
) -> None:
    """Show what is in the data of FILE: splits, classes, values, samples, duplicates, columns.

    Nothing is trained. A page with samples and figures is written.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.data_show import data_show

    if out and html:
        raise click.UsageError("Give --out for a folder or --html for one file, not both.")
    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        found = data_show(
            file,
            overrides=overrides,
            sample=sample_size(sample),
            splits=splits,
            grid=grid,
            compare=compare,
            out=out,
            html=html,
            root=root,
            terminal=terminal,
        )
    if as_json:
        print_json(found)
    else:
        _show(terminal, found, pipeline_words(file, overrides, sample))


def _show(terminal: Any, found: dict[str, Any], target: str) -> None:
    from rich.markup import escape

    splits = found["splits"]
    facts = {name: f"{size:,} samples" for name, size in splits["splits"].items()}
    terminal.header(
        found["name"], facts | ({"labels": splits["labels"]} if splits["labels"] else {})
    )
    for note in found["notes"]:
        terminal.note(note)
    for label, by_split in splits["class_counts"].items():
        _show_classes(terminal, label, splits["counted"][label], splits["classes"][label], by_split)
    for label, values in splits["label_values"].items():
        parts = ", ".join(f"{name} {value:.6g}" for name, value in values.items())
        terminal.say(f"\n[dim]{escape(label)} in train:[/] {parts}")
    values = found.get("values", {})
    for title, of in (("feature", values.get("source")), ("what goes into", values.get("model"))):
        if of:
            names = ("least", "greatest", "mean", "deviation")
            rows = [(n, *(f"{v[name]:.4g}" for name in names)) for n, v in of.items()]
            terminal.say()
            terminal.table((title, *names), rows[:_MOST])
            if len(rows) > _MOST:
                terminal.say(f"[dim]and {len(rows) - _MOST:,} more[/]")
    if why := values.get("why"):
        terminal.say()
        terminal.note(why)
    if columns := found.get("columns", {}).get("associations", [])[:_MOST]:
        rows = [
            (c["column"], c["label"], c["how"], f"{c['strength']:.3f}", f"{c['alone']:.3f}")
            for c in columns
        ]
        terminal.say()
        terminal.table(("column", "label", "measured by", "strength", "a tree on it alone"), rows)
    terminal.say()
    for sentence in found["told"]:
        terminal.say(escape(sentence))
    terminal.say(f"\n[dim]report[/]  [bold]{escape(found['report'])}[/]")
    terminal.commands(
        [
            (f"tfpipe data bench {target}", "how fast it comes"),
            (f"tfpipe check {target}", "whether it can be trained on"),
        ]
    )


def _show_classes(
    terminal: Any, label: str, of: str, classes: list[str], by_split: dict[str, list[int]]
) -> None:
    """The classes of a label as bars of the first split, with the counts of each."""
    from rich.markup import escape

    first = next(iter(by_split.values()))
    order = sorted(range(len(classes)), key=lambda i: -first[i])
    few = order if len(order) <= _MOST else [*order[: _MOST // 2], *order[-_MOST // 2 :]]
    width, most = max(len(classes[i]) for i in few), max(first) or 1
    terminal.say(f"\n[dim]{escape(label)}: {of} of each class in {', '.join(by_split)}[/]")
    for place, i in enumerate(few):
        if len(few) < len(order) and place == _MOST // 2:
            terminal.say(f"  [dim]and {len(order) - len(few):,} more, down to[/]")
        bar = "█" * max(1 if first[i] else 0, round(_BAR * first[i] / most))
        counts = "  ".join(f"{by_split[split][i]:>7,}" for split in by_split)
        terminal.say(f"  {escape(f'{classes[i]:<{width}}')}  [cyan]{bar:<{_BAR}}[/]  {counts}")


@command.command("bench", cls=SampleCommand)
@pipeline_arguments
@sample_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    default=2.0,
    metavar="N",
    help="How long to look at each stage; 2.",
)
@json_option
@debug_option
def bench(
    file: str, overrides: tuple[str, ...], sample: int | None, seconds: float, as_json: bool
) -> None:
    """Measure how fast the data of FILE comes, stage by stage, beside the training.

    Rates are examples in a second, up to each stage. What would be faster is tried, and named with
    the rate that it had.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.data_bench import data_bench

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        found = data_bench(
            file,
            overrides=overrides,
            sample=sample_size(sample),
            seconds=seconds,
            terminal=terminal,
        )
    if as_json:
        print_json(found)
        return
    _show_rates(terminal, found)
    terminal.say()
    terminal.commands(
        [(f"tfpipe run {pipeline_words(file, overrides, sample)}", "train, evaluate, export")]
    )


def _show_rates(terminal: Any, found: dict[str, Any]) -> None:
    from rich.markup import escape

    rows = [
        (s["name"], _rate(s["cold"]), _rate(s["warm"]), f"{s['adds_microseconds']:,.1f}")
        for s in found["stages"]
    ]
    rows.append(("training", "", _rate(found["training"]), f"{1e6 / found['training']:,.1f}"))
    terminal.table(("stage", "examples/s, first epoch", "next epochs", "adds µs"), rows)
    terminal.say()
    if found["limit"] == "training":
        terminal.say("The training limits: data comes faster than the model takes it.")
    else:
        terminal.say(f"The stage that limits is [bold]{escape(found['limit'])}[/].")
    if found["waiting"] is not None:
        terminal.say(f"Training on this input waits for it {found['waiting']:.0%} of the time.")
    for change in found["changes"]:
        terminal.say(
            escape(
                f"Tried: {change['change']}: {_rate(change['after'])} examples/s instead of "
                f"{_rate(change['before'])}."
            )
        )
    for text in found["not_tried"]:
        terminal.say(escape(f"Not tried: {text}."))
    if found["limit"] != "training" and not found["changes"]:
        terminal.say("Nothing that was tried made it faster.")


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
