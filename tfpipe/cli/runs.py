"""`tfpipe runs`: what was run, and how it ended."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tfpipe.cli.options import RunName, debug_option, json_option, print_json, root_option


@click.group("runs", invoke_without_command=True)
@root_option
@json_option
@debug_option
@click.pass_context
def command(ctx: click.Context, root: Path, as_json: bool) -> None:
    """List the runs below a root, or show one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(ls, root=root, as_json=as_json)


@command.command("ls")
@root_option
@json_option
@debug_option
def ls(root: Path, as_json: bool) -> None:
    """List the runs, the newest last."""
    from tfpipe.runs import found

    entries = [_entry(run) for run in found(root)]
    if as_json:
        print_json(entries)
        return
    from tfpipe.terminal import Terminal

    terminal = Terminal()
    if not entries:
        terminal.say(f"There are no runs in {root / 'runs'}.")
        return
    rows = [
        (e["name"], e["state"], str(e["epoch"]), f"{e['parameters']:,}", _figures(e["metrics"]))
        for e in entries
    ]
    terminal.table(("run", "state", "epochs", "parameters", "figures"), rows)


@command.command("show")
@click.argument("run", type=RunName())
@root_option
@json_option
@debug_option
def show(run: str, root: Path, as_json: bool) -> None:
    """Show the status, the final metrics by split and the exports of RUN.

    RUN is a name, a unique beginning of one, a path, or `last`.
    """
    from tfpipe.runs import find

    entry = _entry(find(root, run))
    if as_json:
        print_json(entry)
        return
    from tfpipe.terminal import Terminal

    terminal = Terminal()
    terminal.header(
        entry["name"],
        {
            "state": entry["state"],
            "directory": entry["directory"],
            "epochs": str(entry["epoch"])
            + (f" and {entry['step']} steps" if entry["step"] else ""),
            "parameters": f"{entry['parameters']:,}",
            "exports": ", ".join(entry["exports"]) or "none",
        },
    )
    for split, metrics in entry["metrics"].items():
        terminal.results(f"  {split:<10}", metrics)
    if entry["message"]:
        terminal.note(entry["message"])


def _entry(run: Any) -> dict[str, Any]:
    status = asdict(run.status())
    return {"name": run.name, "directory": str(run.path), **status}


def _figures(metrics: dict[str, dict[str, float]]) -> str:
    """The metrics of the best-kept split that there is: test, else validation, else train."""
    for split in ("test", "validation", "train"):
        if metrics.get(split):
            shown = " ".join(f"{name} {value:.4f}" for name, value in metrics[split].items())
            return f"{split}: {shown}"
    return ""
