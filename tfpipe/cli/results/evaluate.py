"""`tfpipe evaluate RUN|MODEL`: how good a trained model is, with a report."""

import sys
from pathlib import Path

import click

from tfpipe.cli.options import (
    PipelineFile,
    RunName,
    debug_option,
    json_option,
    print_json,
    root_option,
)


@click.command("evaluate")
@click.argument("target", metavar="RUN|MODEL", type=RunName())
@click.argument("overrides", metavar="[a.b=value]...", nargs=-1)
@click.option("--split", default="test", metavar="NAME", help="test, validation or train; test.")
@click.option(
    "--data",
    type=PipelineFile(),
    metavar="FILE",
    help="A pipeline whose data is judged, instead of the run's own.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the report is written; the run's report/, or reports/.",
)
@root_option
@json_option
@debug_option
def command(
    target: str,
    overrides: tuple[str, ...],
    split: str,
    data: str | None,
    out: Path | None,
    root: Path,
    as_json: bool,
) -> None:
    """Judge the best model of RUN, or an exported MODEL, on a split, and write a report.

    RUN is a name, a unique beginning of one, a path, or `last`; MODEL the folder of an export,
    which takes --data. Overrides change the declaration of RUN, or of --data: where its data lies.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.evaluate import evaluate

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        report = evaluate(
            target,
            split=split,
            overrides=overrides,
            data=data,
            out=out,
            root=root,
            terminal=terminal,
        )
    if as_json:
        print_json(report)
        return
    terminal.say()
    for sentence in report["verdict"]:
        terminal.say(sentence)
    terminal.say(f"\n[dim]report[/]  [bold]{report['report']}[/]")
