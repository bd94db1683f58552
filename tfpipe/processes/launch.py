"""`--workers N`: the processes of a run on this machine, and how each of them is told its part."""

import sys
from collections.abc import Callable, Sequence
from functools import cache

from tfpipe.devices.cluster.membership import Cluster
from tfpipe.processes.supervisor import Limits, Supervisor
from tfpipe.runs.directory import RunDirectory


def launch(
    directory: RunDirectory,
    begin: Sequence[str],
    options: Sequence[str],
    workers: int,
    deadline: float,
    on_event: Callable[[str], None],
) -> int:
    """Run a job on several local workers; a death of one starts all again from the last state.

    Args:
        directory: the run's; the logs go there, and config.json says whether it has begun.
        begin: the words of tfpipe that begin the run, such as ("run", "FILE", "epochs=2"), or that
            go on with it, such as ("resume", "RUN", "epochs=4").
        options: the words that each call gets, such as ("--root", "DIR").
        workers: how many.
        deadline: how many seconds all may take to come up.
        on_event: told in a sentence what happens.

    Returns:
        The exit code of the job.
    """

    @cache
    def words(attempt: int) -> tuple[str, ...]:
        if begin[0] == "resume":  # with what is to change, which a first attempt may not record
            return tuple(begin)
        # Asked once an attempt: the chief may begin the run before the last worker is started.
        begun = (directory.path / "config.json").is_file()
        return ("resume", str(directory.path)) if begun else tuple(begin)

    def command(cluster: Cluster, attempt: int) -> list[str]:
        place = ("--worker", str(cluster.index), "--cluster", ",".join(cluster.workers))
        patience = ("--start-deadline", str(deadline))
        main = (sys.executable, "-m", "tfpipe")
        return [*main, *words(attempt), *options, *place, *patience]

    limits = Limits(deadline=deadline)
    return Supervisor(command, workers, directory.path / "workers", on_event, limits).run()
