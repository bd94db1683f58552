"""`tfpipe completion SHELL`: the script that teaches a shell tfpipe's verbs, fields and runs."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    In bash or zsh: eval "$(tfpipe completion bash)". In fish: tfpipe completion fish | source.
    """
    completion = get_completion_class(shell)
    assert completion is not None
    root = context.find_root().command
    click.echo(completion(root, {}, "tfpipe", "_TFPIPE_COMPLETE").source())
