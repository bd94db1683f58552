"""`tfpipe export RUN`: what was trained as a SavedModel, LiteRT or ONNX."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from tfpipe.cli.options import RunName, debug_option, json_option, print_json, root_option
from tfpipe.errors import TfpipeError
from tfpipe.text import at_root, byte_size

if TYPE_CHECKING:
    from tfpipe.terminal import Terminal

FORMATS = ("saved_model", "litert", "litert-int8", "onnx")


@click.command("export")
@click.argument("run", metavar="RUN", type=RunName())
@click.argument("overrides", metavar="[a.b=value]...", nargs=-1)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("saved_model",),
    help="The format; may be given several times; saved_model.",
)
@click.option(
    "--checkpoint",
    type=click.Choice(("best", "last")),
    default="best",
    help="The best epoch's weights, or those of the newest saved state; best.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder of the versions; saved_models/NAME.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    default=0.01,
    metavar="SHARE",
    help="How much accuracy int8 may lose; 0.01, a percentage point.",
)
@root_option
@json_option
@debug_option
def command(
    run: str,
    overrides: tuple[str, ...],
    formats: tuple[str, ...],
    checkpoint: str,
    to: Path | None,
    max_loss: float,
    root: Path,
    as_json: bool,
) -> None:
    """Export the model of RUN with its preprocessing inside, proven equal to what was trained.

    RUN is a name, a unique beginning of one, a path, or `last`. Overrides change its declaration:
    where its data lies.
    """
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.serving.export import export

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    written: list[dict[str, Any]] = []
    try:
        for name in dict.fromkeys(formats):
            own = to / name if to is not None and len(formats) > 1 else to
            written.append(
                export(
                    run,
                    format=name,
                    checkpoint=checkpoint,
                    to=own,
                    max_loss=max_loss,
                    overrides=overrides,
                    root=root,
                    terminal=terminal,
                )
            )
            terminal.say(f"exported to [bold]{escape(written[-1]['path'])}[/]")
    except TfpipeError:  # of one format; those before it are there
        show(terminal, [one for one in written if "outputs" in one])
        raise
    if as_json:
        print_json(written[0] if len(written) == 1 else written)
        return
    show(terminal, [one for one in written if "outputs" in one])
    path = written[-1]["path"]
    terminal.commands(
        [
            (f"tfpipe verify {path}", "prove it again, on any machine"),
            (f"tfpipe serve {path}", "answer requests with it")
            if formats[-1] == "saved_model"
            else (f"tfpipe export {run}{at_root(root)}", "the same as a SavedModel, to be served"),
        ]
    )


def show(terminal: "Terminal", written: list[dict[str, Any]]) -> None:
    """Print how converted models answer beside the trained one."""
    columns = ("format", "largest difference", "equal answers", "measure", "trained", "converted")
    rows = [
        (
            f"{one['format']} {output['output']}".rstrip(),
            f"{output['largest_difference']:.2g}",
            f"{output['equal_answers']:.2%}",
            f"{output['measure']} of {output['samples']:,}",
            f"{output['trained']:.4g}",
            f"{output['converted']:.4g}",
            byte_size(one["bytes"]),
            f"{one['milliseconds']:.2f} ({one['saved_model_milliseconds']:.2f})",
        )
        for one in written
        for output in one["outputs"]
    ]
    if rows:
        terminal.say()
        terminal.table((*columns, "size", "ms a sample (SavedModel)"), rows)
        for trained_in in {one["trained_in"] for one in written} - {"float32"}:
            terminal.say(f"trained in {trained_in}, here compared and written in float32")
        terminal.say()
