"""`tfpipe tensorboard`: TensorBoard on the right folders."""

import time
from pathlib import Path

import click

from tfpipe.cli.options import RunName, debug_option, json_option, print_json, root_option
from tfpipe.text import counted


@click.command("tensorboard")
@click.argument("runs", nargs=-1, type=RunName(), metavar="[RUN]...")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Where to listen; 6006 or the next free port by default, 0 for any.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Listen at another address than this machine's own; 0.0.0.0 lets others read.",
)
@root_option
@json_option
@debug_option
def command(runs: tuple[str, ...], port: int | None, host: str, root: Path, as_json: bool) -> None:
    """Show RUN... in TensorBoard until Ctrl-C: all runs below the root when none is named.

    RUN is a name, a beginning of one or of several, a path, `last`, or the name of a search.
    """
    from tfpipe.processes.signals import count_stop_signals
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.tensorboard import PORT, tensorboard

    with (
        count_stop_signals() as stops,
        tensorboard(runs, root=root, port=port, host=host) as served,
    ):
        if as_json:
            print_json({"address": served.address, "runs": list(served.names)})
        else:
            terminal = Terminal()
            if served.moved:
                terminal.note(f"Port {PORT} is taken: this is the next one that is free.")
            if host not in ("127.0.0.1", "localhost", "::1"):
                terminal.note("Others can read this too: TensorBoard asks nobody who they are.")
            of = served.names[0] if len(served.names) == 1 else counted(len(served.names), "run")
            terminal.say(f"TensorBoard of {of} is at [bold]{served.address}[/]  (Ctrl-C ends it)")
        while not stops():
            time.sleep(0.1)
