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
    given = {"root": root, "as_json": as_json}
    # `runs --root DIR show` is `runs show --root DIR`.
    ctx.default_map = {"ls": given, "show": given}
    if ctx.invoked_subcommand is None:
        ctx.invoke(ls, **given)


@command.command("ls")
@root_option
@json_option
@debug_option
def ls(root: Path, as_json: bool) -> None:
    """List the runs, the newest last."""
    from tfpipe.runs.directory import list_runs

    entries = [_entry(run, _status(run)) for run in list_runs(root)]
    if as_json:
        print_json(entries)
        return
    from tfpipe.terminal import Terminal

    terminal = Terminal()
    if not entries:
        terminal.note(f"There are no runs in {root / 'runs'}. Start one with tfpipe run FILE.")
        return
    rows = [
        (e["name"], e["state"], str(e["epoch"]), f"{e['parameters']:,}", _figures(e))
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
    from tfpipe.runs.directory import find_run

    chosen = find_run(root, run)
    entry = _entry(chosen, chosen.status_so_far())
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


def _status(run: Any) -> Any:
    """A run's status; one that cannot be read says so instead of hiding all others."""
    from tfpipe.errors import RunError
    from tfpipe.runs.directory import Status

    try:
        return run.status_so_far()
    except RunError as error:
        return Status("failed", message=str(error))


def _entry(run: Any, status: Any) -> dict[str, Any]:
    entry = {"name": run.name, "directory": str(run.path), **asdict(status)}
    if status.state == "running" and not run.is_active():
        entry["state"] = "killed"
        entry["message"] = f"Its process is gone. Go on with: tfpipe resume {run.name}"
    return entry


def _figures(entry: dict[str, Any]) -> str:
    """The metrics of the best-kept split that there is; without any, why there is none."""
    for split in ("test", "validation", "train"):
        if metrics := entry["metrics"].get(split):
            return f"{split}: " + " ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    return str(entry["message"])
