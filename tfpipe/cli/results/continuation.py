"""`tfpipe predict RUN|MODEL --prompt TEXT`: a text is continued, and shown as it is said."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tfpipe.terminal import Terminal

if TYPE_CHECKING:
    from tfpipe.jobs.predict.continuation import Asked
    from tfpipe.jobs.predict.predictor import Predictor

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--prompt", metavar="TEXT", help="The beginning of a text, to be continued."),
    click.option("--length", type=int, metavar="N", help="How many tokens to say; 50."),
    click.option(
        "--temperature",
        type=float,
        metavar="T",
        help="0 takes the most probable token each time; the higher, the more is chance; 0.8.",
    ),
    click.option(
        "--top-k", type=int, metavar="N", help="Draw from the N most probable tokens; from all."
    ),
    click.option(
        "--top-p",
        type=float,
        metavar="P",
        help="Draw from the most probable tokens that share the probability P; 1.",
    ),
    click.option("--seed", type=int, metavar="N", help="Decides what is drawn; 0."),
)


def prompt_options(command: Command) -> Command:
    """Give a command the options by which a text is continued."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked_of(given: Mapping[str, Any], paths: bool, others: bool) -> "Asked | None":
    """Return what is asked of a model that continues texts; None where no prompt is given.

    Args:
        given: the options by name, None where they are left out.
        paths: whether files were named.
        others: whether there are options that are for files.

    Raises:
        click.UsageError: for options that do not go together.
        ConfigError: for values that cannot be.
    """
    named = {name: value for name, value in given.items() if value is not None}
    if "prompt" not in named:
        if named:
            option = "--" + next(iter(named)).replace("_", "-")
            raise click.UsageError(f"{option} goes with --prompt, which begins a text.")
        return None
    if paths:
        raise click.UsageError("--prompt continues a text, and files are answered: give one.")
    if others:
        raise click.UsageError(
            "--top, --format, --out, --figures, --per-page, --every and --beam are for files, and "
            "--prompt continues a text: leave them out."
        )
    from tfpipe.jobs.predict.continuation import Asked

    return Asked(**named)


def show(ready: "Predictor", asked: "Asked", terminal: Terminal, as_json: bool) -> None:
    """Print a prompt and what follows it, piece by piece; or all of it as JSON.

    Args:
        ready: the model.
        asked: the prompt, and how it is continued.
        terminal: told what a person must not overlook.
        as_json: whether to print JSON.
    """
    from tfpipe.jobs.predict.continuation import check_continues, continuation, prompt_notes

    check_continues(ready)
    notes = [*ready.notes, *prompt_notes(ready, asked.prompt)]
    pieces = continuation(ready, asked)
    if as_json:
        said = "".join(pieces)
        found = {**vars(asked), "continuation": said, "text": asked.prompt + said, "notes": notes}
        print(json.dumps({"model": ready.name, **found}, ensure_ascii=False))
        return
    for note in notes:
        terminal.note(note)
    sys.stdout.write(asked.prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
