"""`tfpipe profile FILE`: where the time of a training step goes."""

import shlex
import sys
from pathlib import Path

import click

from tfpipe.cli.options import (
    SampleCommand,
    debug_option,
    json_option,
    pipeline_arguments,
    print_json,
    root_option,
    sample_option,
    sample_size,
)


@click.command("profile", cls=SampleCommand)
@pipeline_arguments
@sample_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.05),
    default=1.0,
    metavar="N",
    help="How long to look at each part; 1.",
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

    A model is trained for some seconds and thrown away. A trace is written for TensorBoard.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.terminal import Terminal
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
    print_json(found)
    terminal.commands([(f"tfpipe run {shlex.join([file, *overrides])}", "train")])
