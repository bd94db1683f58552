"""`tfpipe check FILE`: what can go wrong in the first minute, found without training."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from tfpipe.cli.options import (
    SampleCommand,
    debug_option,
    json_option,
    pipeline_arguments,
    print_json,
    root_option,
    sample_option,
    sample_size,
)
from tfpipe.text import at_root, counted


@click.command("check", cls=SampleCommand)
@pipeline_arguments
@sample_option
@click.option(
    "--resume",
    is_flag=True,
    help="Kill a short run in the middle of an epoch, resume it, and compare; half a minute.",
)
@root_option
@json_option
@debug_option
def command(
    file: str,
    overrides: tuple[str, ...],
    sample: int | None,
    resume: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Check the declaration, the data, the labels and a few training steps of FILE.

    No run is written; the decoded images of a folder that do not fit in memory are, into
    runs/.cache, where the run finds them. Time and memory are estimates from those steps.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.declare.loading import load
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.check import check

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    with log_shown(terminal):
        loaded = load(file, overrides)
        size = sample_size(sample)
        report = check(loaded, sample=size, resume=resume, root=root, terminal=terminal)
    if as_json:
        print_json(report)
    else:
        run = shlex.join(["tfpipe", "run", file, *overrides]) + at_root(root)
        _show(terminal, report, run)


def _show(terminal: Any, report: dict[str, Any], run: str) -> None:
    from tfpipe.text import byte_size, clock

    facts = {
        "task": report["task"] + _classes(report),
        **({"labels": report["labels"]} if report["labels"] else {}),
        "splits": ", ".join(f"{size:,} {name}" for name, size in report["splits"].items()),
        "parameters": f"{report['parameters']:,} ({report['trainable_parameters']:,} trainable)"
        + _learnt(report["preprocessing_state"]),
        "epoch": (
            f"{report['steps_per_epoch']:,} steps, about {clock(report['seconds_per_epoch'])}; "
            f"the whole run about {clock(report['seconds_total'])}, without validation"
        ),
        "memory": f"{byte_size(report['memory_bytes'])} so far, data included",
        "device": f"{report['device']} ({report['device_reason']})",
        "precision": f"{report['precision']} ({report['precision_reason']})",
    }
    if rehearsed := report["resume"]:
        facts["resume"] = (
            f"equal bit for bit: {rehearsed['compared']} arrays and the metrics, killed after step "
            f"{rehearsed['killed_after']} of epoch {rehearsed['epochs']}"
        )
    terminal.header(f"{report['name']} can run", facts)
    for note in report["notes"]:
        terminal.note(note)
    terminal.say()
    terminal.commands([(run, "train, evaluate, export")])


def _classes(report: dict[str, Any]) -> str:
    """How many classes there are, the first ones with how often training has them."""
    classes, counts = report["classes"], report["class_counts"].get("train", {})
    if not classes:
        return ""
    named = [f"{c} ({counts[c]:,})" if c in counts else c for c in classes[:10]]
    more = ", ..." if len(classes) > 10 else ""
    return f", {counted(len(classes), 'class')}: {', '.join(named)}{more}"


def _learnt(state: int) -> str:
    return f", and {state:,} numbers and words learnt for preprocessing" if state else ""
