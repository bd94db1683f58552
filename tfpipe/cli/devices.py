"""`tfpipe devices`: what hardware was found, which strategy is picked and why."""

from typing import TYPE_CHECKING, Any

import click

from tfpipe.cli.options import debug_option, json_option, print_json

if TYPE_CHECKING:
    from tfpipe.terminal import Terminal

XLA = {False: "off", "auto": "on where every layer can be compiled"}


@click.command("devices")
@json_option
@debug_option
def command(as_json: bool) -> None:
    """Show each kind of device, usable or why not; what device=auto picks, and why."""
    from tfpipe.terminal import Silent, Terminal
    from tfpipe.verbs.devices import devices

    terminal = Silent() if as_json else Terminal()
    with terminal.waiting("starting TensorFlow and trying what it finds"):
        report = devices()
    if as_json:
        print_json(report)
        return
    _show(report, terminal)


def _show(report: dict[str, Any], terminal: "Terminal") -> None:
    tensorflow = report["tensorflow"]
    terminal.header("TensorFlow", _versions(tensorflow))
    if tensorflow["problem"] and not tensorflow["repair"]:  # otherwise said of each device
        terminal.note(tensorflow["problem"])
    terminal.say()
    rows = [
        (c["name"].upper(), "yes" if c["usable"] else "no", c["detail"])
        for c in report["candidates"]
    ]
    terminal.table(("device", "usable", "what was found"), rows)
    _repairs(report["candidates"], terminal)
    terminal.say()
    if report["picked"]:
        terminal.header("auto picks", _choices(report))
        terminal.say()
    _commands(report["commands"], terminal)


def _versions(tensorflow: dict[str, Any]) -> dict[str, str]:
    listed = [f"{name} {version}" for name, version in tensorflow["distributions"].items()]
    facts = {
        "installed": ", ".join(listed) or "none",
        "version": tensorflow["version"],
        "keras": tensorflow["keras"],
        "built for": tensorflow["build"],
    }
    return {name: value for name, value in facts.items() if value}


def _repairs(candidates: list[dict[str, Any]], terminal: "Terminal") -> None:
    """What to do about each device that is there and cannot be used; the same advice once."""
    repairs: dict[str, list[str]] = {}
    for candidate in candidates:
        if candidate["repair"]:
            repairs.setdefault(candidate["repair"], []).append(candidate["name"].upper())
    if repairs:
        terminal.say()
    for repair, names in repairs.items():
        terminal.note(f"{' and '.join(names)}: {repair}")


def _choices(report: dict[str, Any]) -> dict[str, str]:
    picked, precision = report["picked"], report["precision"]
    replicas = f", {picked['replicas']} replicas" if picked["replicas"] > 1 else ""
    return {
        "device": f"{picked['device']} ({picked['reason']})",
        "strategy": f"{picked['strategy']}{replicas}",
        "XLA": "always on" if picked["kind"] == "tpu" else XLA[picked["jit_compile"]],
        "precision": f"auto is {precision['name']} ({precision['reason']})",
    }


def _commands(commands: dict[str, list[dict[str, str]]], terminal: "Terminal") -> None:
    """How to install what is not installed: each command on a line that can be copied."""
    from rich.markup import escape

    for name, listed in commands.items():
        terminal.say(f"[bold]{escape(name)}[/]")
        for entry in listed:
            terminal.say(f"  [dim]{escape(entry['purpose'])}:[/]")
            command = f"    [cyan]{escape(entry['command'])}[/]"
            terminal.console.print(command, soft_wrap=True)
