"""`tfpipe bench`: how many examples a model answers in a second, and how long one takes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfpipe.cli.options import debug_option, json_option, print_json, root_option

if TYPE_CHECKING:
    from tfpipe.terminal import Terminal

_NAMES = ("examples/s", "p50 ms", "p90 ms", "p99 ms")


class Counts(click.ParamType):
    """Whole numbers from 1 up, separated by commas."""

    name = "counts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """`1,8,32` as (1, 8, 32)."""
        if isinstance(value, tuple):
            return value
        words = str(value).split(",")
        if not all(word.strip().isdecimal() and int(word) for word in words):
            self.fail(f"{value!r} are no counts: write 1,8,32, or 8 for one.", param, ctx)
        return tuple(map(int, words))


@click.command("bench")
@click.argument("model")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    default=2.0,
    metavar="N",
    help="How long each number of connections is measured; 2.",
)
@click.option(
    "--connections",
    type=Counts(),
    default=(1, 8, 32, 128),
    metavar="N,...",
    help="How many connections ask at once, one after the other; 1,8,32,128.",
)
@click.option(
    "--samples",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The SavedModel whose golden samples a running server is sent; saved_models/NAME.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Holds the token that a running server asks for; or the variable TFPIPE_TOKEN.",
)
@root_option
@json_option
@debug_option
def command(
    model: str,
    seconds: float,
    connections: tuple[int, ...],
    samples: Path | None,
    token_file: Path | None,
    root: Path,
    as_json: bool,
) -> None:
    """Measure how fast MODEL answers its golden samples, in process and over HTTP.

    MODEL is an exported model: a folder, for which a server is started, a name in saved_models/, or
    a .onnx or .tflite file, which is measured in process alone. Or it is the address of a model on
    a running server: http://HOST:PORT/v1/models/NAME. Rates are examples in a second; what comes
    before, to warm up, does not count.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.serving.token import token_of
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.serving.bench import bench

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        found = bench(
            model,
            seconds=seconds,
            connections=connections,
            samples=samples,
            token=token_of(token_file),
            root=root,
            terminal=terminal,
        )
    if as_json:
        print_json(found)
    else:
        _show(terminal, found)


def _show(terminal: "Terminal", found: dict[str, Any]) -> None:
    from rich.markup import escape

    terminal.header(found["model"], {})
    for signature, sizes in found["in_process"].items():
        terminal.say(f"\n[bold]{escape(signature)}[/] in process")
        best = max(sizes, key=lambda size: size["per_second"])
        shown = [sizes[0], best] if best is not sizes[0] else [best]
        terminal.table(
            ("batch", *_NAMES), [(f"{size['batch']}", *_figures(size)) for size in shown]
        )
    for signature, loads in found["http"].items():
        terminal.say(f"\n[bold]{escape(signature)}[/] over HTTP, an example in a request")
        rows = [
            (
                f"{load['connections']}",
                *_figures(load),
                f"{sum(load['statuses'].values()) - load['statuses'].get('200', 0):,}",
            )
            for load in loads
        ]
        terminal.table(("connections", *_NAMES, "refused"), rows)
    busy = max((load["client"] for loads in found["http"].values() for load in loads), default=0.0)
    if busy:
        terminal.say(f"\n[dim]The client used up to {busy:.0%} of a processor of this machine.[/]")


def _figures(row: dict[str, Any]) -> list[str]:
    return [f"{row['per_second']:,.0f}", *(f"{row[name]:.2f}" for name in ("p50", "p90", "p99"))]
