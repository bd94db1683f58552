"""`tfpipe runs compare`: what differs between runs, and which is better."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfpipe.cli.options import RunName, debug_option, json_option, print_json, root_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfpipe.runs.differences import Difference
    from tfpipe.terminal import Terminal

_WIDEST = 60  # characters of a cell; the page has all of it


@click.command("compare")
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True, type=RunName())
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the page; a file below runs/comparisons/ by default.",
)
@click.option(
    "--figure",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw the curves of all runs in one figure: a .png or .svg.",
)
@root_option
@json_option
@debug_option
def compare(
    runs: tuple[str, ...], html: Path | None, figure: Path | None, root: Path, as_json: bool
) -> None:
    """Say what differs between runs: declaration, data, environment, metrics.

    And whether the others do better or worse than the first by more than chance, by the answers
    that each run keeps. With --json a page is written only where --html names it.
    """
    from rich.markup import escape

    from tfpipe.terminal import Terminal
    from tfpipe.text import at_root
    from tfpipe.verbs.runs.compare import compare as compare_runs

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with terminal.waiting("comparing"):
        found = compare_runs(runs, root=root)
        page = None if as_json and html is None else found.write(root, html)
        drawn = None if figure is None else found.write_figure(figure)
    if as_json:
        files = {"page": page, "figure": drawn}
        print_json({**found.to_json(), **{n: f and str(f) for n, f in files.items()}})
        return
    for letter, run in zip(found.letters, found.runs, strict=True):
        terminal.say(f"[bold]{letter}[/]  {run.summary.name}")
    for note in found.notes:
        terminal.note(note)
    if found.scores:
        terminal.say("\n" + escape("\n".join(score.verdict for score in found.scores)))
    for title, rows in (
        ("metrics", found.metrics),
        ("declaration", found.declaration),
        ("data", found.data),
        ("environment", found.environment),
    ):
        _print(terminal, title, found.letters, rows)
        if title == "data" and found.same_data:
            terminal.say(escape(f"\ndata: the same, {found.same_data}"))
    terminal.say(f"\n[dim]page[/]  [bold]{escape(str(page))}[/]")
    if drawn is not None:
        terminal.say(f"[dim]figure[/]  [bold]{escape(str(drawn))}[/]")
    terminal.say()
    terminal.commands(
        [
            (f"tfpipe runs show {run.summary.name}{at_root(root)}", "its curves")
            for run in found.runs[:2]
        ]
    )


def _print(
    terminal: "Terminal", title: str, letters: "Sequence[str]", rows: "Sequence[Difference]"
) -> None:
    if not rows:
        return
    terminal.say()
    table = []
    for row in rows:
        cells = [c if len(c) <= _WIDEST else f"{c[: _WIDEST - 1]}…" for c in row.cells()]
        marked = [f"{c} *" if place in row.best else c for place, c in enumerate(cells)]
        table.append((row.name, *marked))
    terminal.table((title, *letters), table)
