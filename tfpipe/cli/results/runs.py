"""`tfpipe runs`: what was run, and how it ended."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfpipe.cli.options import RunName, debug_option, json_option, print_json, root_option
from tfpipe.cli.results.run_comparison import compare
from tfpipe.cli.results.run_removal import clean, duration, rm

if TYPE_CHECKING:
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.runs.details import RunDetails
    from tfpipe.verbs.runs.summary import RunSummary


@click.group("runs", invoke_without_command=True)
@root_option
@json_option
@debug_option
@click.pass_context
def command(ctx: click.Context, root: Path, as_json: bool) -> None:
    """List the runs below a root, show or compare them, or remove what is not needed."""
    given = {"root": root, "as_json": as_json}
    # `runs --root DIR show` is `runs show --root DIR`.
    ctx.default_map = {
        **dict.fromkeys(("ls", "show", "compare"), given),
        "rm": {"root": root},
        "clean": {"root": root},
    }
    if ctx.invoked_subcommand is None:
        ctx.invoke(ls, **given)


for _other in (compare, rm, clean):
    command.add_command(_other)


@command.command("ls")
@click.argument("pattern", metavar="[PIPELINE]", default="*")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["running", "finished", "interrupted", "failed", "killed"]),
    help="Only runs of that state; may be given several times.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Only runs for which it holds: test_accuracy>0.9, batch_size=32, optimizer=Adam.",
)
@click.option(
    "--since", callback=duration, metavar="TIME", help="Only runs started within: 2d, 12h."
)
@click.option(
    "--sort",
    default="time",
    metavar="NAME",
    help="time, size, seconds, a metric or a field; -NAME for the greatest first.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N of them.")
@root_option
@json_option
@debug_option
def ls(
    pattern: str,
    states: tuple[str, ...],
    where: tuple[str, ...],
    since: float | None,
    sort: str,
    limit: int | None,
    root: Path,
    as_json: bool,
) -> None:
    """List the runs, the newest last.

    PIPELINE is the name of a pipeline, or a pattern such as 'cifar*'. Metrics are called
    test_accuracy, val_loss, train_loss and so on; fields as in `tfpipe config`.
    """
    from tfpipe.verbs.runs.summary import runs

    found = runs(
        pattern, states=states, where=where, since=since, sort=sort, limit=limit, root=root
    )
    if as_json:
        print_json([asdict(run) for run in found])
        return
    from tfpipe.runs.directory import list_runs
    from tfpipe.terminal import Terminal
    from tfpipe.text import byte_size, clock

    terminal = Terminal()
    if not found:
        there = len(list_runs(root))
        terminal.note(
            f"None of the {there} runs in {root / 'runs'} is asked for."
            if there
            else f"There are no runs in {root / 'runs'}. Start one with tfpipe run FILE."
        )
        return
    rows = [
        (
            run.name,
            run.state,
            str(run.epoch),
            f"{run.parameters:,}",
            clock(run.seconds),
            byte_size(run.bytes),
            _figures(run),
        )
        for run in found
    ]
    columns = ("run", "state", "epochs", "parameters", "time", "size", "figures")
    terminal.table(columns, rows)


@command.command("show")
@click.argument("run", type=RunName())
@root_option
@json_option
@debug_option
def show(run: str, root: Path, as_json: bool) -> None:
    """Show the status of RUN, its curves, its final metrics by split and its exports.

    RUN is a name, a unique beginning of one, a path, or `last`.
    """
    from tfpipe.verbs.runs.details import show

    details = show(run, root=root)
    if as_json:
        print_json(details.to_json())
        return
    from tfpipe.terminal import Terminal

    terminal, about = Terminal(), details.summary
    terminal.header(about.name, _facts(details))
    for split, metrics in about.metrics.items():
        terminal.results(f"  {split:<10}", metrics)
    if len(details.rows) > 1:
        _draw_curves(terminal, details)
    if about.message:
        terminal.note(about.message)


def _facts(details: "RunDetails") -> dict[str, str]:
    from tfpipe.text import byte_size, clock, listed, number

    about = details.summary
    facts = {
        "state": about.state,
        "directory": f"{about.directory}, {byte_size(about.bytes)}",
        "epochs": f"{about.epoch}" + (f" and {about.step} steps" if about.step else ""),
        "time": clock(about.seconds),
        "parameters": f"{about.parameters:,}",
    }
    if details.best_epoch is not None:
        row = next(row for row in details.rows if row.epoch == details.best_epoch)
        best = row.metrics[details.monitor]
        facts["best epoch"] = f"{details.best_epoch}, by {details.monitor} {number(best)}"
    if len(details.phases) > 1:
        spans = [f"{a}" if a == b else f"{a} to {b}" for a, b in details.phases]
        facts["phases"] = f"{len(spans)}: epochs {listed(spans)}"
    if details.forked_from:
        origin = details.forked_from
        facts["forked from"] = f"{origin.get('run')} after epoch {origin.get('epoch')}"
    facts["exports"] = ", ".join(about.exports) or "none"
    facts["report"] = str(details.report or "none")
    return facts


def _draw_curves(terminal: "Terminal", details: "RunDetails") -> None:
    """Draw each metric over the epochs, training and validation on one scale."""
    import math

    from rich.markup import escape

    from tfpipe.text import BLOCKS, number, sparkline

    encoding = terminal.console.encoding.lower()
    marks = BLOCKS if encoding.startswith("utf") else "_.-=*#"
    curves = details.curves
    terminal.say()
    names = [*dict.fromkeys(name.removeprefix("val_") for name in curves)]
    width = max(map(len, names))
    for name in names:
        pairs = [
            (s, curves[n]) for s, n in (("train", name), ("val", f"val_{name}")) if n in curves
        ]
        finite = [v for _, values in pairs for v in values if math.isfinite(v)]
        if not finite:
            continue
        for place, (split, values) in enumerate(pairs):
            title = "" if place else name
            line = sparkline(values, (min(finite), max(finite)), marks=marks)
            measured = [value for value in values if math.isfinite(value)] or values
            first, last = number(measured[0]), number(values[-1])
            terminal.say(f"  {escape(title):<{width}} [dim]{split:<5}[/] {line}  {first} → {last}")


def _figures(run: "RunSummary") -> str:
    """The metrics of the best-kept split that there is; without any, why there is none."""
    for split in ("test", "validation", "train"):
        if metrics := run.metrics.get(split):
            return f"{split}: " + " ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    return run.message
