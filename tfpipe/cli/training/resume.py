"""`tfpipe resume [RUN]`: go on exactly where a run stopped."""

import sys
from pathlib import Path

import click

from tfpipe.cli.options import (
    RunName,
    debug_option,
    json_option,
    print_run,
    profile_option,
    root_option,
    say_on_error_stream,
    team_of,
    worker_flags,
    worker_options,
)


@click.command("resume")
@click.argument("words", nargs=-1, type=RunName(), metavar="[RUN] [a.b=value]...")
@click.option("--fork", is_flag=True, help="Start a new run from the state; RUN stays as it is.")
@worker_options
@click.option("--export/--no-export", default=True, help="Whether to write a SavedModel.")
@profile_option
@root_option
@json_option
@debug_option
def command(
    words: tuple[str, ...],
    fork: bool,
    workers: int | None,
    cluster: str | None,
    worker: int | None,
    start_deadline: float,
    export: bool,
    profile: tuple[int, int] | None,
    root: Path,
    as_json: bool,
) -> int | None:
    """Go on with RUN from its last saved state; with the newest unfinished run when none is named.

    The result is the one that the run would have had. More epochs extend a finished run; other
    changes of what decides the result need --fork.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.jobs.restore import declaration
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.resume import resume

    reference = words[0] if words and "=" not in words[0] else None
    overrides = words[1:] if reference else words
    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    flags = worker_flags(export, root, as_json, profile)
    several = workers is not None and workers > 1
    if several and (fork or cluster is not None or worker is not None):
        raise click.UsageError(
            "--workers starts the processes of a run on this machine: it does not go together with "
            "--cluster, --worker or --fork."
        )
    if several and workers is not None:
        from tfpipe.jobs.restore import find
        from tfpipe.processes.launch import launch

        run = find(root, reference, terminal)
        begin = ["resume", str(run.path), *overrides]
        return launch(run, begin, flags, workers, start_deadline, say_on_error_stream)
    team = team_of(cluster, worker, start_deadline)
    if team is not None and reference is None:
        raise click.UsageError("With several workers, name the run: tfpipe resume RUN ...")
    with log_shown(terminal):
        if team is not None and not team.cluster.chief:
            from tfpipe.jobs.multi_worker import run_worker

            loaded, sample = declaration(str(reference), overrides, root)
            run_worker(loaded, team, root=root, sample=sample, terminal=terminal)
            return None
        result = resume(
            reference,
            overrides,
            root=root,
            fork=fork,
            export=export,
            terminal=terminal,
            team=team,
            profile=profile,
        )
    if as_json:
        print_run(result)
    return None
