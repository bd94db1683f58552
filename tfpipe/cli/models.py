"""`tfpipe models`: the model builders, their fields and input contracts."""

import click

from tfpipe.cli.options import debug_option, json_option, print_json


@click.command("models")
@json_option
@debug_option
def command(as_json: bool) -> None:
    """List the model builders with their fields, defaults and input contracts."""
    from tfpipe.verbs.models import models

    builders = models()
    if as_json:
        print_json(builders)
        return
    from rich.markup import escape

    from tfpipe.declare.field_types import show
    from tfpipe.terminal import Terminal

    terminal = Terminal()
    for builder in builders:
        terminal.say(f"[bold]{builder['name']}[/]  {escape(builder['summary'])}")
        terminal.say(f"  [dim]reads[/] {escape(builder['contract'])}")
        rows = [
            (f"  {name}", "required" if f["required"] else show(f["default"]), f["type"])
            for name, f in builder["fields"].items()
        ]
        terminal.table(("  field", "default", "takes"), rows)
        terminal.say()
