"""`tfpipe verify MODEL`: an artefact proves again that it answers as the trained model did."""

from pathlib import Path

import click

from tfpipe.cli.options import debug_option, json_option, print_json, root_option


@click.command("verify")
@click.argument("model", metavar="MODEL")
@root_option
@json_option
@debug_option
def command(model: str, root: Path, as_json: bool) -> None:
    """Compare MODEL with the golden samples in it, in a process of its own.

    MODEL is the folder of an exported SavedModel or of its versions, or a .onnx or .tflite file.
    """
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.serving.verify import verify

    found = verify(model, root=root)
    if as_json:
        print_json(found)
        return
    terminal = Terminal()
    terminal.say(f"[bold]{found['path']}[/] answers as the trained model did:")
    rows = [(name, f"{value:.3g}") for name, value in found["differences"].items()]
    terminal.table(("signature", "largest difference"), rows)
    terminal.say(f"at most {found['tolerance']:.3g} is allowed")
