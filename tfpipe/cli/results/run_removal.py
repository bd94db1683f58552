"""`tfpipe runs rm` and `tfpipe runs clean`: what may go, asked first."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfpipe.cli.options import RunName, debug_option, root_option

if TYPE_CHECKING:
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.runs.removal import Cleaning

_yes = click.option("--yes", is_flag=True, help="Do it without asking, as scripts need it.")
_WORDS = {
    "run": "run",
    "state": "saved state",
    "cache": "file of decoded data",
    "comparison": "page of a comparison",
    "remains": "half-removed run",
}


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """A length of time such as `2d`, in seconds."""
    from tfpipe.declare.field_types import Duration

    if value is None:
        return None
    try:
        return Duration.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@click.command("rm")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=RunName())
@_yes
@click.option("--force", is_flag=True, help="Also where other runs or searches are built on it.")
@root_option
@debug_option
def rm(runs: tuple[str, ...], yes: bool, force: bool, root: Path) -> None:
    """Remove RUN with all that its directory holds, after asking.

    Its exports in saved_models/ stay. A run that is being trained is never removed.
    """
    from rich.markup import escape

    from tfpipe.runs.directory import run_at
    from tfpipe.storage import read_small
    from tfpipe.terminal import Terminal
    from tfpipe.text import byte_size, counted
    from tfpipe.verbs.runs.removal import find_removable, remove

    terminal = Terminal()
    found = find_removable(runs, root=root, force=force)
    exports: list[str] = []
    for item in found.found:
        terminal.say(escape(f"{run_at(item.path).name}  {item.path}  {byte_size(item.bytes)}"))
        exports += read_small(item.path / "status.json").get("exports") or ()
    if exports:
        terminal.say(f"[dim]its exports stay: {escape(', '.join(exports))}[/]")
    count = counted(len(found.found), "run")
    if _confirmed(f"Remove {count}, {byte_size(found.bytes)}?", yes, terminal):
        freed = remove(found)
        terminal.say(f"Removed {count}: {byte_size(freed)} freed.")


@click.command("clean")
@click.option("--failed", is_flag=True, help="Also remove runs that failed or were killed.")
@click.option(
    "--older", callback=duration, metavar="TIME", help="Only what was last written before: 30d."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@_yes
@root_option
@debug_option
def clean(failed: bool, older: float | None, dry_run: bool, yes: bool, root: Path) -> None:
    """Free what runs no longer need, after saying how much it is, and asking.

    That is the saved states, but the last one of each run that is not finished; decoded data in
    runs/.cache while nothing is trained; pages of comparisons. The best model of each run stays. A
    finished run without its states can no longer be extended or forked.
    """
    from tfpipe.terminal import Terminal
    from tfpipe.text import byte_size
    from tfpipe.verbs.runs.removal import find_disposable, remove

    terminal = Terminal()
    found = find_disposable(failed=failed, older=older, root=root)
    for note in found.notes:
        terminal.note(note)
    if not found.found:
        terminal.say(f"There is nothing to free in {root / 'runs'}.")
        return
    _say_kinds(terminal, found, every=dry_run)
    size = byte_size(found.bytes)
    if dry_run:
        terminal.say(f"{size} would be freed; nothing was removed.")
    elif _confirmed(f"Free {size}?", yes, terminal):
        terminal.say(f"{byte_size(remove(found))} freed.")


def _say_kinds(terminal: "Terminal", found: "Cleaning", every: bool) -> None:
    """Say how much there is of each kind, and with `every` all of it."""
    from rich.markup import escape

    from tfpipe.text import byte_size, counted

    for kind, words in _WORDS.items():
        items = [item for item in found.found if item.kind == kind]
        if not items:
            continue
        first, _, rest = words.partition(" of ")
        count = counted(len(items), first) + (f" of {rest}" if rest else "")
        terminal.say(f"{count}: {byte_size(sum(item.bytes for item in items))}")
        if every or kind == "run":
            for item in items:
                terminal.say(f"  [dim]{escape(str(item.path))}  {byte_size(item.bytes)}[/]")


def _confirmed(question: str, yes: bool, terminal: "Terminal") -> bool:
    """Ask a person; raise ConfigError where there is nobody to ask."""
    from tfpipe.errors import ConfigError

    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{question} Nothing was removed: there is no terminal to ask at. Give --yes to do it."
        )
    if click.confirm(question):
        return True
    terminal.say("Nothing was removed.")
    return False
