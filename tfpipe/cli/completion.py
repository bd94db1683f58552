"""`tfpipe completion SHELL`: the script that teaches a shell tfpipe's verbs, fields and runs."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    In bash or zsh: eval "$(tfpipe completion bash)". In fish: tfpipe completion fish | source.
    """
    from tfpipe.cli.main import tfpipe

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(tfpipe, {}, "tfpipe", "_TFPIPE_COMPLETE").source())
