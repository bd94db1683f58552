"""`tfpipe run FILE`: train, evaluate, export."""

import sys
from pathlib import Path
from typing import Any

import click

from tfpipe.cli.options import (
    SampleCommand,
    SearchName,
    debug_option,
    json_option,
    pipeline_arguments,
    print_run,
    profile_option,
    root_option,
    sample_option,
    sample_size,
    say_on_error_stream,
    team_of,
    worker_flags,
    worker_options,
)


@click.command("run", cls=SampleCommand)
@pipeline_arguments
@sample_option
@click.option(
    "--best",
    type=SearchName(),
    metavar="SEARCH",
    help="With the best values of a search: its name, a unique beginning of one, or last.",
)
@click.option("--device", metavar="NAME", help="The same as the override device=NAME.")
@click.option(
    "--resume",
    "resume_newest",
    is_flag=True,
    help="Go on with the newest unfinished run of FILE; start one where there is none.",
)
@worker_options
@click.option("--export/--no-export", default=True, help="Whether to write a SavedModel.")
@profile_option
@click.option("--directory", type=click.Path(path_type=Path), hidden=True)
@root_option
@json_option
@debug_option
def command(
    file: str,
    overrides: tuple[str, ...],
    sample: int | None,
    best: str | None,
    device: str | None,
    resume_newest: bool,
    workers: int | None,
    cluster: str | None,
    worker: int | None,
    start_deadline: float,
    export: bool,
    profile: tuple[int, int] | None,
    directory: Path | None,
    root: Path,
    as_json: bool,
) -> int | None:
    """Train the pipeline in FILE, evaluate it once on the test split, and export it.

    Overrides set any field: epochs=5 optimizer.learning_rate=0.01 'augment=(flip(), rotate(10))'.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.declare.loading import load
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.search.best_values import with_best

    overrides = (*overrides, *([f"device={device}"] if device else []))
    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    size = sample_size(sample)
    best_values = None if best is None else with_best(file, overrides, best, root)
    loaded = load(file, overrides) if best_values is None else best_values.loaded
    if workers and workers > 1:
        _alone(cluster, worker)
        flags = worker_flags(export, root, as_json, profile)
        words = (
            file,
            *overrides,
            *([f"--best={best_values.search.directory.path}"] if best_values else []),
        )
        with log_shown(terminal):
            return _launch(loaded, words, size, resume_newest, workers, start_deadline, flags)
    team = team_of(cluster, worker, start_deadline)
    if best_values is not None:
        _show_best(best_values, size, terminal)
    with log_shown(terminal):
        if team is not None and not team.cluster.chief:
            from tfpipe.jobs.multi_worker import run_worker

            run_worker(loaded, team, root=root, sample=size, terminal=terminal)
            return None
        more = {"export": export, "team": team, "profile": profile}
        place: dict[str, Any] = {"root": root, "terminal": terminal}
        result = _train(loaded, resume_newest, size, directory, **place, **more)
    if as_json:
        print_run(result)
    return None


def _show_best(best: Any, sample: int | bool | None, terminal: Any) -> None:
    """Which values a search gave, and what the search was made with besides."""
    from rich.markup import escape

    values = escape(" ".join(best.words))
    terminal.say(f"with the best of search [bold]{best.search.name}[/]: {values}")
    for note in best.notes(sample):
        terminal.note(note)


def _train(
    loaded: Any,
    resume_newest: bool,
    sample: int | bool | None,
    directory: Path | None,
    *,
    root: Path,
    terminal: Any,
    **more: Any,
) -> Any:
    """Start a run in this process, or go on with the newest unfinished one; the `Run`."""
    from tfpipe.runs.directory import newest_unfinished
    from tfpipe.verbs.resume import resume
    from tfpipe.verbs.run import run

    more |= {"root": root, "terminal": terminal}
    unfinished = newest_unfinished(root, loaded.name) if resume_newest else None
    if unfinished is not None:
        terminal.say(f"resuming [bold]{unfinished.name}[/], the newest unfinished run")
        return resume(str(unfinished.path), pipeline=loaded, **more)
    if resume_newest:
        terminal.say(f"no run of {loaded.name} is unfinished: starting one")
    return run(loaded, sample=sample, directory=directory, **more)


def _alone(cluster: str | None, worker: int | None) -> None:
    if cluster is not None or worker is not None:
        raise click.UsageError(
            "--workers starts processes on this machine, --cluster and --worker join those of "
            "several: give one of the two."
        )


def _launch(
    loaded: Any,
    words: tuple[str, ...],
    sample: int | bool | None,
    resume_newest: bool,
    workers: int,
    deadline: float,
    flags: list[str],
) -> int:
    """Start the workers of a new run, or of the newest unfinished one."""
    from datetime import datetime

    from tfpipe.declare.tree import resolve
    from tfpipe.jobs.checks import check_divides
    from tfpipe.processes.launch import launch
    from tfpipe.runs.directory import check_writable, create_run, newest_unfinished

    root = Path(flags[flags.index("--root") + 1])
    check_divides(resolve(loaded.pipeline).batch_size, workers, f"{workers} workers")
    check_writable(root)
    unfinished = newest_unfinished(root, loaded.name) if resume_newest else None
    directory = unfinished or create_run(root, loaded.name, datetime.now())
    sampled = [] if sample is None else ["--sample"] if sample is True else [f"--sample={sample}"]
    begin = ["run", *words, *sampled, "--directory", str(directory.path)]
    if unfinished is not None:
        begin = ["resume", str(unfinished.path), *loaded.overrides]
    return launch(directory, begin, flags, workers, deadline, say_on_error_stream)
