"""`tfpipe run FILE`: train, evaluate, export."""

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


@click.command("run", cls=SampleCommand)
@pipeline_arguments
@sample_option
@click.option("--device", metavar="NAME", help="The same as the override device=NAME.")
@click.option("--export/--no-export", default=True, help="Whether to write a SavedModel.")
@root_option
@json_option
@debug_option
def command(
    file: str,
    overrides: tuple[str, ...],
    sample: int | None,
    device: str | None,
    export: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Train the pipeline in FILE, evaluate it once on the test split, and export it.

    Overrides set any field: epochs=5 optimizer.learning_rate=0.01 'augment=(flip(), rotate(10))'.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.declare.loading import load
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.run import run

    loaded = load(file, (*overrides, *([f"device={device}"] if device else [])))
    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        result = run(
            loaded, root=root, sample=sample_size(sample), export=export, terminal=terminal
        )
    if as_json:
        print_json(
            {
                "name": result.name,
                "directory": str(result.directory),
                "metrics": result.metrics,
                "history": result.history,
                "exports": [str(path) for path in result.exported],
            }
        )
