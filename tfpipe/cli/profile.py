"""`tfpipe profile FILE`: where the time of a training step goes."""

import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

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
from tfpipe.terminal import Terminal
from tfpipe.text import at_root, clock, counted, milliseconds

_BAR = 24  # columns of the longest bar
_LONGEST = 32  # characters of a layer's name


@click.command("profile", cls=SampleCommand)
@pipeline_arguments
@sample_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.05),
    default=1.0,
    metavar="N",
    help="Seconds to look at each part, of which there are some twenty; 1.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the trace is written; a new folder in runs/NAME.",
)
@root_option
@json_option
@debug_option
def command(
    file: str,
    overrides: tuple[str, ...],
    sample: int | None,
    seconds: float,
    to: Path | None,
    root: Path,
    as_json: bool,
) -> None:
    """Measure where the time of a training step of FILE goes, and try what would be faster.

    A model is trained and thrown away; it takes about a minute. A trace is written for TensorBoard.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.verbs.profile import profile

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        found = profile(
            file,
            overrides=overrides,
            sample=sample_size(sample),
            seconds=seconds,
            to=to,
            root=root,
            terminal=terminal,
        )
    if as_json:
        print_json(found)
        return
    _show(terminal, found, pipeline_words(file, overrides, sample) + at_root(root))


def _show(terminal: Terminal, found: dict[str, Any], words: str) -> None:
    steps, ms = found["steps_per_epoch"], found["step_ms"]
    seconds = ms * steps / 1e3
    facts = {
        "device": f"{found['device']}, {found['precision']}",
        "epoch": f"{counted(steps, 'step')} in "
        + (clock(seconds) if seconds >= 10 else f"{seconds:.2g} s"),
    }
    if found["gflop_a_step"]:
        facts["computes"] = (
            f"{_flop(found['gflop_a_step'])} a step, {_flop(found['gflop_a_second'])}/s: "
            f"{_percent(found['share_of_limit'])} of the {_flop(found['limit_gflop_a_second'])}/s "
            "of a large matrix product"
        )
    examples = counted(found["batch_size"], "example")
    terminal.header(f"{found['name']}: a step of {examples} takes {milliseconds(ms)}", facts)
    for note in found["notes"]:
        terminal.note(note)
    parts = [
        (p["part"], f"{p['ms']:,.3f}", p["share"], p["remark"]) for p in found["parts"] if p["ms"]
    ]
    parts.append(("the whole step", f"{ms:,.3f}", 1.0, ""))
    terminal.say()
    _bars(terminal, ("part", "ms", "share", ""), parts)
    terminal.say()
    costliest = [
        (
            _short(o["layer"]),
            o["operation"],
            o["part"],
            f"{o['calls']:g}",
            f"{o['ms']:,.3f}",
            o["share"],
        )
        for o in found["operations"]
    ]
    columns = ("layer", "operation", "part", "calls", "ms", "share")
    _bars(terminal, columns, costliest)
    count = found["operations_a_step"]
    terminal.say(f"[dim]the costliest of {count:,.0f} operations a step[/]\n")
    for sentence in found["advice"]:
        terminal.say(escape(sentence))
    terminal.say(f"\n[dim]trace[/]  [bold]{escape(found['trace'])}[/]")
    if find_spec("tensorboard_plugin_profile") is None:
        plugin = "pip install tensorboard-plugin-profile"
        terminal.say(f"[dim]TensorBoard's Profile page shows it with {plugin}.[/]")
    terminal.say()
    terminal.commands(
        [
            (f"tfpipe tensorboard {shlex.quote(found['folder'])}", "the tables and the trace"),
            (f"tfpipe data bench {words}", "how fast the input is, stage by stage"),
            (f"tfpipe run {words}", "train, evaluate, export"),
        ]
    )


def _bars(
    terminal: Terminal, columns: Sequence[str], rows: Sequence[Sequence[str | float]]
) -> None:
    """Rows of texts and one share, which is drawn as well."""
    cells = [columns, *([c if isinstance(c, str) else f"{c:.1%}" for c in r] for r in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    place = columns.index("share")
    longest = max(min(_BAR, terminal.console.width - sum(widths) - 2 * len(widths)), 0)
    for number, row in enumerate(cells):
        padded = [
            f"{escape(cell):>{width}}" if _is_number(columns[i]) else f"{escape(cell):<{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        share = float(rows[number - 1][place]) if number else 0.0
        bar = "█" * round(longest * min(max(share, 0.0), 1.0))
        space = " " * (longest - len(bar)) if any(row[place + 1 :]) else ""
        padded.insert(place + 1, f"[cyan]{bar}[/]{space}" if bar else space)
        line = "  ".join(padded).rstrip()
        terminal.say(line if number else f"[bold]{line}[/]")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."


def _flop(giga: float) -> str:
    """A number of floating-point operations for people: `7.41 GFLOP`."""
    value, units = 1e9 * giga, iter(("", "k", "M", "G", "T", "P"))
    unit = next(units)
    while value >= 1000 and unit != "P":
        value, unit = value / 1000, next(units)
    return f"{value:.3g} {unit}FLOP"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.095 else f"{share:.1%}" if share >= 0.001 else "under 0.1%"


def _is_number(column: str) -> bool:
    return column in ("ms", "calls", "share")
