"""`tfpipe config FILE`: the resolved declaration, and where each value came from."""

import click

from tfpipe.cli.options import debug_option, json_option, pipeline_arguments, print_json


@click.command("config")
@pipeline_arguments
@json_option
@debug_option
def command(file: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print every field of the pipeline in FILE with its value and origin."""
    from tfpipe.declare.field_types import show
    from tfpipe.declare.loading import load
    from tfpipe.declare.tree import flatten
    from tfpipe.verbs.config import config

    loaded = load(file, overrides)
    fields = config(loaded)
    if as_json:
        print_json(fields)
        return
    from rich.markup import escape

    from tfpipe.terminal import Terminal

    values = flatten(loaded.pipeline)
    parents = {name.rpartition(".")[0] for name in values}
    rows = [
        (name, _short(name in parents, show(values[name])), fields[name]["origin"])
        for name in fields
    ]
    terminal = Terminal()
    terminal.say(f"[bold]{escape(loaded.name)}[/] · {type(loaded.pipeline).__name__}")
    terminal.table(("field", "value", "from"), rows)


def _short(has_parts: bool, text: str) -> str:
    """A part by its name alone: its fields follow on lines of their own."""
    if has_parts and not text.startswith("("):
        return text.partition("(")[0]
    return text if len(text) <= 60 else text[:57] + "..."
