"""`tfpipe predict FILE PATH...`: what a model says of pictures, or of the rows of a table."""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from tfpipe.cli.options import PipelineFile, debug_option, json_option, print_json, root_option

_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")
_BAR = 20  # columns of a full bar, each drawn in eighths
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


@click.command("predict")
@click.argument("target", metavar="FILE|RUN", type=PipelineFile())
@click.argument("words", metavar="PATH... [a.b=value]...", nargs=-1, required=True)
@click.option(
    "--top", type=click.IntRange(min=1), default=5, metavar="N", help="How many classes; 5."
)
@root_option
@json_option
@debug_option
def command(target: str, words: tuple[str, ...], top: int, root: Path, as_json: bool) -> int | None:
    """Name what is in image files, and in those of folders, or in the rows of CSV files.

    FILE declares a network that needs no training (head="imagenet"); RUN is a run's name, a unique
    beginning of it, a path or `last`, whose best model is used.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.predict import check_paths, predictor

    paths, overrides = _split_words(words)
    if not paths:
        raise click.UsageError("Give at least one image file, a folder with images, or a CSV file.")
    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        check_paths(paths)
        ready = predictor(target, overrides=overrides, root=root, terminal=terminal, paths=paths)
        files, left_out = ready.find(paths)
        for note in (*left_out, *ready.notes):
            terminal.note(note)
        answers = ready.answers(files, top)
        if as_json:
            listed = list(answers)
            print_json([_as_json(answer, ready.has_probabilities) for answer in listed])
            failed, total = sum(bool(answer.error) for answer in listed), len(listed)
        else:
            failed, total = _show(terminal, answers, ready.has_probabilities)
    if failed:
        terminal.note(f"{failed:,} of {total:,} {ready.nouns} could not be read.")
    return 2 if failed else None


def _split_words(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Paths, and overrides: what looks like one and is no file."""
    overrides = [w for w in words if _OVERRIDE.match(w) and not Path(w).exists()]
    return [w for w in words if w not in overrides], overrides


def _show(terminal: Any, answers: Iterator[Any], probabilities: bool) -> tuple[int, int]:
    """A block for each answer, as soon as it is known; how many have failed, and of how many."""
    from rich.markup import escape

    failed, number = 0, -1
    for number, answer in enumerate(answers):
        if number:
            terminal.say()
        if answer.error:
            failed += 1
            terminal.say(f"[bold]{escape(answer.file)}[/]  [red]{escape(answer.error)}[/]")
            continue
        terminal.say(f"[bold]{escape(answer.file)}[/]")
        for rank, (name, value) in enumerate(answer.values):
            terminal.say(_row(name, value, rank, probabilities, terminal.live))
    return failed, number + 1


def _row(name: str, value: float, rank: int, probability: bool, live: bool) -> str:
    from rich.markup import escape

    if not probability:
        return f"  {value:>12.6g}  {escape(name)}"
    shown = f"  {value:>6.1%}  "
    if live:
        shown += f"[cyan]{_bar(value):<{_BAR}}[/]  "
    return shown + (f"[bold green]{escape(name)}[/]" if rank == 0 else escape(name))


def _bar(share: float) -> str:
    whole, eighth = divmod(round(_BAR * 8 * share), 8)
    return "█" * whole + _EIGHTHS[eighth]


def _as_json(answer: Any, probabilities: bool) -> dict[str, Any]:
    if answer.error:
        return {"file": answer.file, "error": answer.error}
    if not probabilities:
        return {"file": answer.file, "values": dict(answer.values)}
    classes = [{"class": name, "probability": value} for name, value in answer.values]
    return {"file": answer.file, "classes": classes}
