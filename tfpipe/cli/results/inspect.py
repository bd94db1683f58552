"""`tfpipe inspect RUN [IMAGE]...`: what each layer makes of an image, as a page."""

import sys
from pathlib import Path

import click

from tfpipe.cli.options import RunName, debug_option, json_option, print_json, root_option
from tfpipe.text import byte_size, counted


@click.command("inspect")
@click.argument("target", metavar="RUN", type=RunName())
@click.argument("images", nargs=-1, metavar="[IMAGE]...", type=click.Path())
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="The page to write; inspect.html in the run's report/.",
)
@click.option(
    "--samples",
    type=int,
    default=4,
    metavar="N",
    help="How many images of the run's data where none is named; 4.",
)
@root_option
@json_option
@debug_option
def command(
    target: str,
    images: tuple[str, ...],
    to: Path | None,
    samples: int,
    root: Path,
    as_json: bool,
) -> None:
    """Show what each layer of RUN's best model makes of an image, as one page that opens offline.

    RUN is a name, a unique beginning of one, a path, or `last`: a classifier of images of at most
    128x128 pixels. IMAGE is a file, a folder or a pattern; without one, images of the run's test
    split are taken, else of validation.
    """
    from rich.markup import escape

    from tfpipe.cli.logs import log_shown
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.inspect import inspect

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        found = inspect(target, images, to=to, samples=samples, root=root, terminal=terminal)
    if as_json:
        print_json(found)
        return
    for image in found["images"]:
        truth = f" ({image['truth']})" if image["truth"] else ""
        terminal.say(escape(f"{image['name']}  {image['answer']}{truth}"))
    size = f"{counted(found['layers'], 'layer')}, {counted(found['maps'], 'map')}"
    terminal.say(
        f"\n[dim]page[/]  [bold]{escape(found['page'])}[/]  {size}, {byte_size(found['bytes'])}"
    )
